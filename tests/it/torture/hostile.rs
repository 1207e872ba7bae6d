//! Each component that means harm, by name: it ends where and for what it has to. What `./x torture
//! hostile` measures beside that is not judged here.

use super::kinds::hostile::corpus::{CORPUS, Evil};
use super::kinds::hostile::{Stage, run};

/// Where the texts are, below `tests/guests`.
const FOLDER: &str = "wat";
/// Time of a call: more than what does not wait for ever needs on a busy machine.
const CALL_MS: u64 = 500;

#[track_caller]
fn check(name: &str) {
    let evil = Evil::find(&name.replace('_', "-")).unwrap();
    let stage = Stage::set(None, CALL_MS).unwrap();
    let wasm = evil.component(&stage.servers.ports).unwrap();
    let end = stage.act(evil, &wasm).unwrap();
    evil.check(&end).unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(stage.servers.intruders(), 0);
}

macro_rules! corpus {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })+

        #[test]
        fn every_hostile_component_has_a_test_and_a_text() {
            let here = [$(stringify!($name)),+].map(|name| name.replace('_', "-"));
            let corpus: Vec<&str> = CORPUS.iter().map(|evil| evil.name).collect();
            assert_eq!(here.to_vec(), corpus);
            let folder = crate::support::quarry::root().join("tests/guests").join(FOLDER);
            let mut texts: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .map(|name| name.trim_end_matches(".wat").to_string())
                .collect();
            texts.sort();
            assert_eq!(texts, corpus);
            assert!(corpus.len() >= 25, "{} components", corpus.len());
        }
    };
}

corpus! {
    changing_name
    custom_sections
    deep_json
    deep_types
    forged_manifest
    handle_bomb
    header_bomb
    http_flood
    huge_answer
    huge_component
    huge_error
    infinite_vector
    invalid_utf8
    large_answer
    leaked_handle
    list_bomb
    log_binary
    log_bomb
    log_long
    loop_calls
    loop_configure
    loop_describe
    loop_query
    loop_realloc
    loop_run
    loop_start
    lying_length
    lying_offsets
    lying_pointer
    memory_bomb
    memory_declared
    million_documents
    module_bomb
    nan_vector
    other_row
    private_address
    random_bomb
    rebinding
    recursion
    reject_bomb
    slow_cell
    slow_http
    stale_handle
    table_bomb
    table_declared
    unasked_import
    wrong_dimension
}

#[test]
fn mixed_runs_of_all_of_them_leave_the_host_as_it_was() {
    println!("{}", super::figure(run, &[("runs", 60), ("judged", 0), ("call", CALL_MS)]));
}
