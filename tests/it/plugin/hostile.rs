//! Every evil act ends in exactly its reason, harms nobody, and the same instance goes on.

use super::{acting, full, full_of, hostile, instance};
use quarry::plugin::{Instance, Limits, Reason};
use serde_json::json;

/// The call fails for `reason` with a message that contains `part`; then a good batch succeeds.
#[track_caller]
fn check(act: &str, reason: Reason, part: &str) {
    check_instance(acting(act), act, reason, part);
}

#[track_caller]
fn check_instance(mut instance: Box<dyn Instance>, act: &str, reason: Reason, part: &str) {
    let poisoned = full_of(&["good one", "poison", "good two"]);
    for round in 0..2 {
        let failure = instance.run(&poisoned).map(|_| ()).expect_err(act);
        assert_eq!(failure.reason, reason, "{act}: {}", failure.message);
        assert!(failure.message.contains(part), "{act}: {}", failure.message);
        let good = instance
            .run(&full(10))
            .unwrap_or_else(|failure| panic!("after {act}, round {round}: {}", failure.message));
        assert_eq!(good.documents, 10, "{act}");
    }
}

/// The act is allowed: the call succeeds.
#[track_caller]
fn harmless(act: &str) -> quarry::plugin::Output {
    let poisoned = full_of(&["good one", "poison", "good two"]);
    acting(act).run(&poisoned).unwrap_or_else(|failure| panic!("{act}: {}", failure.message))
}

#[test]
fn a_trap_fails_the_call_and_names_where() {
    check("trap", Reason::Trap, "instruction executed in hostile::evil::run < ");
    check("recurse", Reason::Trap, "call stack exhausted");
}

#[test]
fn a_panic_is_reported_with_what_the_guest_logged_last() {
    check("panic", Reason::Trap, "panicked: the guest had enough (wasm trap");
}

#[test]
fn an_endless_loop_is_stopped() {
    let limits = Limits { call_ms_max: 50, ..Limits::default() };
    let component = super::host(limits).load(&super::guest("hostile")).unwrap();
    let looping = instance(&component, json!({"act": "loop"}));
    check_instance(looping, "loop", Reason::Timeout, "longer than 50 ms");
}

#[test]
fn an_endless_loop_in_configure_is_stopped() {
    use quarry::plugin::Extractor;
    let limits = Limits { call_ms_max: 50, ..Limits::default() };
    let component = super::host(limits).load(&super::guest("hostile")).unwrap();
    let refused = component.instantiate(&json!({"act": "configure: loop"}));
    let error = refused.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the extractor did not end in configure: ran longer than 50 ms");
    assert!(component.instantiate(&json!({})).is_ok());
}

#[test]
fn a_memory_bomb_is_named_as_such() {
    check("memory", Reason::Memory, "bytes of memory, at most 536870912 are allowed");
}

#[test]
fn a_refused_memory_growth_that_the_guest_copes_with_is_no_failure() {
    assert_eq!(harmless("probe").documents, 3);
}

#[test]
fn too_much_output_is_stopped() {
    check("documents:1000000", Reason::Output, "1000000 documents from row 1, at most 10000");
    check("announce:10001", Reason::Output, "10001 documents from row 1");
    check("bytes:68000000", Reason::Output, "more than 67108864 bytes");
    check("bytes:70000000", Reason::Output, "passed more than 68157440 bytes to the host at once");
    check("bytes-many:70", Reason::Output, "more than 67108864 bytes");
}

#[test]
fn an_error_of_the_guest_is_passed_on_bounded() {
    check("error", Reason::Guest, "the guest gives up");
    let poisoned = full_of(&["poison"]);
    let failure = acting("error-huge:16000000").run(&poisoned).unwrap_err();
    assert_eq!(failure.reason, Reason::Guest);
    assert_eq!(failure.message.len(), 4096 + "…".len());
}

#[test]
fn vectors_of_the_wrong_form_are_refused() {
    check(
        "dimension",
        Reason::Contract,
        "output `vector` got 44 bytes, a vector of its dimension has 16",
    );
    check("nan", Reason::Contract, "output `vector` has a NaN or infinity at value 4");
    check("infinity", Reason::Contract, "output `vector` has a NaN or infinity at value 4");
    check("vector-missing", Reason::Contract, "output `vector` has 0 vectors for 3 documents");
    check("vector-again", Reason::Contract, "output `vector` got vector 0, the next one is 3");
    check(
        "sparse-order",
        Reason::Contract,
        "output `terms` has indices out of order in document 0",
    );
    check("sparse-nan", Reason::Contract, "output `terms` has a NaN or infinity at value 0");
    check("sparse-length", Reason::Contract, "output `terms` got 20 bytes of values for 6 indices");
    check("pieces", Reason::Contract, "output `pieces` has vectors that are not of 8 bytes");
}

#[test]
fn offsets_that_lie_are_refused() {
    check("offsets-start", Reason::Contract, "output `text` got offsets from 1 to 22 for 22");
    check("offsets-descend", Reason::Contract, "output `text` got offsets that do not ascend");
    check("offsets-far", Reason::Contract, "output `text` got offsets from 0 to 23 for 22");
    check("offsets-huge", Reason::Contract, "output `text` got offsets from 0 to 4294967295");
    check("offsets-none", Reason::Contract, "output `text` got no offsets");
    check("validity", Reason::Contract, "output `text` got 99 bytes of validity for 3 values");
    check("width", Reason::Contract, "output `number` got 23 bytes for values of 8");
}

#[test]
fn values_that_are_not_what_they_claim_are_refused() {
    check("utf8", Reason::Contract, "output `text` is not UTF-8 in document 0");
    check("utf8-cut", Reason::Contract, "output `text` is not UTF-8 in document 1");
    check("json", Reason::Contract, "output `meta` is not JSON");
    check("json-two", Reason::Contract, "output `meta` is not JSON, trailing characters");
    check("json-number", Reason::Contract, "output `meta` is not JSON, number out of range");
    check("json-surrogate", Reason::Contract, "output `meta` is not JSON");
    check("json-deep", Reason::Contract, "nested deeper than 20");
    check("bool", Reason::Contract, "output `flag` is neither 0 nor 1 in document 1");
    check("f64", Reason::Contract, "output `score` is not finite in document 1");
    assert_eq!(harmless("json-deep-fits").documents, 3);
}

#[test]
fn rows_out_of_order_twice_or_missing_are_refused() {
    check("rows-order", Reason::Contract, "announced row 1, the next one is 0");
    check("rows-twice", Reason::Contract, "announced row 0, the next one is 3");
    check("rows-more:4", Reason::Contract, "announced rows up to 4, the batch has 3");
    check("rows-missing", Reason::Contract, "announced 0 of 3 rows");
    check("positions", Reason::Contract, "row 1 has two documents at position 0");
}

#[test]
fn values_in_the_wrong_place_are_refused() {
    check("field", Reason::Contract, "pushed output 99, the description has 10");
    check("field-kind", Reason::Contract, "output `text` is of type utf8, `vectors` does not fit");
    check("first-far", Reason::Contract, "output `text` got values up to document 4, 3 are");
    check("first-again", Reason::Contract, "output `text` got document 0 again");
}

#[test]
fn reading_what_is_not_there_is_refused() {
    check("input", Reason::Contract, "pulled input 99, the description has 7");
    check("input-range", Reason::Contract, "pulled rows 0 to 4 of 3");
    check("input-reverse", Reason::Contract, "pulled rows 1 to 0 of 3");
    check("input-kind", Reason::Contract, "pulled input 0 with fixed");
    check("input-width", Reason::Contract, "pulled input 1 with varlen");
    check("cell-row", Reason::Contract, "read a cell of row 3 of 3");
    check("cell-kind", Reason::Contract, "input 1 has no cells to read");
}

#[test]
fn made_up_and_dropped_handles_are_refused() {
    check("handle", Reason::Contract, "unknown handle index 77");
    check("handle-drop", Reason::Contract, "unknown handle index");
}

#[test]
fn a_rejected_row_goes_to_the_dead_letters_and_the_rest_goes_on() {
    let output = harmless("reject");
    assert_eq!(output.counts, [1, 0, 1]);
    assert_eq!(output.rejects.len(), 1);
    let reject = &output.rejects[0];
    assert_eq!((reject.row, reject.code.as_str()), (1, "poisoned"));
    assert_eq!(reject.message, "the text says so");
}

#[test]
fn codes_and_messages_of_rejects_are_cut() {
    assert_eq!(harmless("reject-code").rejects[0].code, "c".repeat(64));
    assert_eq!(harmless("reject-nameless").rejects[0].code, "rejected");
    assert_eq!(harmless("reject-long").rejects[0].message.len(), 4096 + "…".len());
}

#[test]
fn rejects_are_checked_too() {
    check("reject-twice", Reason::Contract, "rejected row 1 twice");
    check("reject-alive", Reason::Contract, "rejected row 0, which was not announced with 0");
}

#[test]
fn what_a_failed_call_pushed_is_gone() {
    let mut instance = acting("rows-twice");
    let poisoned = full_of(&["good one", "poison", "good two"]);
    assert!(instance.run(&poisoned).is_err());
    let output = instance.run(&full_of(&["a", "b"])).unwrap();
    assert_eq!((output.documents, output.counts), (2, vec![1, 1]));
}

/// How many calls the guest says its instance has seen.
fn calls(instance: &mut dyn Instance, text: &str) -> u32 {
    let log = instance.run(&full_of(&[text])).unwrap().log;
    log[0].strip_prefix("info: call ").unwrap().parse().unwrap()
}

#[test]
fn an_instance_is_kept_until_it_is_worn() {
    let mut instance = acting("count");
    let seen: Vec<_> = (0..1000).map(|_| calls(&mut *instance, "poison")).collect();
    assert_eq!(seen[..256], (1..=256).collect::<Vec<_>>());
    assert!(*seen.iter().max().unwrap() < 768);
}

#[test]
fn an_instance_that_took_much_memory_is_not_kept() {
    let mut small = acting("count:10000000");
    let mut large = acting("count:80000000");
    for call in 1..5 {
        assert_eq!(calls(&mut *small, "poison"), call);
        assert_eq!(calls(&mut *large, "poison"), 1);
    }
}

#[test]
fn one_host_serves_good_instances_while_others_fail() {
    let mut good = acting("none");
    let mut bad = acting("trap");
    for _ in 0..20 {
        assert!(bad.run(&full_of(&["poison"])).is_err());
        assert_eq!(good.run(&full(3)).unwrap().documents, 3);
    }
    assert!(!hostile().inspection().digest.is_empty());
}
