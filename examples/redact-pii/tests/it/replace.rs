use quarry_extractor::testing::{Harness, json};
use redact_pii::RedactPii;
use serde_json::Value;

use crate::support::{document, redact};

fn hashed(text: &str) -> String {
    let document = document(json!({ "replace": "hash" }), text);
    document["text"].as_str().unwrap().to_owned()
}

#[test]
fn text_without_findings_stays_as_it_is() {
    let empty = json!({ "text": "", "findings": [], "count": 0 });
    assert_eq!(document(json!({}), ""), empty);
    assert_eq!(document(json!({ "replace": "hash" }), ""), empty);
    let text = "Nothing\tof 12 people,\r\n\u{0}\u{feff}";
    let same = json!({ "text": text, "findings": [], "count": 0 });
    assert_eq!(document(json!({}), text), same);
}

#[test]
fn findings_are_bytes_of_the_source() {
    let found = document(json!({}), "Ä: ada@example.org, 10.0.0.1");
    let expected = json!({
        "text": "Ä: [email], [ipv4]",
        "findings": [
            { "kind": "email", "start": 4, "end": 19 },
            { "kind": "ipv4", "start": 21, "end": 29 },
        ],
        "count": 2,
    });
    assert_eq!(found, expected);
}

#[test]
fn only_the_kinds_asked_for_are_replaced() {
    let text = "ada@example.org 4111 1111 1111 1111 +49 170 1234567 DE89370400440532013000";
    let only = |kinds: Value| document(json!({ "kinds": kinds }), text)["text"].clone();
    assert_eq!(
        only(json!(["card", "iban", "card"])),
        "ada@example.org [card] +49 170 1234567 [iban]"
    );
    assert_eq!(only(json!(["ipv4", "ipv6"])), text);
}

#[test]
fn what_is_of_another_kind_is_not_taken_for_the_one_asked_for() {
    let text = "0170-1234567@sms.example.de";
    assert_eq!(document(json!({ "kinds": ["phone"] }), text)["text"], text);
}

#[test]
fn parameters_are_checked() {
    for wrong in [
        json!({ "kinds": [] }),
        json!({ "kinds": ["fax"] }),
        json!({ "kinds": "email" }),
        json!({ "replace": "none" }),
        json!({ "replace_with": "label" }),
    ] {
        assert!(Harness::<RedactPii>::new(wrong.clone()).is_err(), "{wrong}");
    }
    let error = Harness::<RedactPii>::new(json!({ "kinds": [] })).err().unwrap();
    assert!(error.to_string().contains("`kinds`"), "{error}");
}

#[test]
fn a_hash_is_that_of_the_kind_and_the_value() {
    // The first bytes of `printf email:ada@example.org | sha256sum`, `a` for 0 to `p` for 15.
    assert_eq!(hashed("ada@example.org"), "[email:gmldpfghobmdmpda]");
}

#[test]
fn ways_of_writing_a_value_have_one_hash() {
    for ways in [
        &["Ada@Example.ORG", "ada@example.org"][..],
        &["+49 (0)170 1234567", "+49 170/1234567", "(+49) 170-1234567", "0049 170 1234567"],
        &["DE89 3704 0044 0532 0130 00", "de89370400440532013000"],
        &["4111-1111-1111-1111", "4111111111111111"],
        &["2001:DB8:0::1", "2001:db8::1"],
    ] {
        for way in ways {
            assert_eq!(hashed(way), hashed(ways[0]), "{way}");
        }
    }
    let others = ["ada@example.org", "bob@example.org", "10.0.0.1", "10.0.0.2"].map(hashed);
    let distinct: std::collections::HashSet<_> = others.iter().collect();
    assert_eq!(distinct.len(), others.len());
}

#[test]
fn nothing_is_found_in_hashes() {
    let once = hashed("ada@example.org +49 170 1234567 4111111111111111 10.0.0.1 fe80::1");
    assert_eq!(once.matches('[').count(), 5);
    assert_eq!(redact(&once), once);
}
