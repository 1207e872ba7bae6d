//! What is refused before any of it runs, and the small components of these tests.

use super::{guest, host};
use quarry::error::{Code, Error};
use quarry::plugin::{Extractor, Limits, inspect};
use serde_json::{Value, json};

/// A description with nothing in it.
pub(super) fn described(name: &str) -> Value {
    json!({"name": name, "version": "1.0.0", "inputs": [], "outputs": []})
}

/// An extractor that only describes itself, by `description`.
pub(super) fn component(description: &str) -> Vec<u8> {
    built("", "", "i32.const 16", description)
}

pub(super) fn table(elements: u32) -> Vec<u8> {
    let table = format!("(table {elements} funcref)");
    built("", &table, "i32.const 16", &described("table").to_string())
}

/// `outer` goes into the component, `inner` into its module, `body` is what `describe` does.
fn built(outer: &str, inner: &str, body: &str, description: &str) -> Vec<u8> {
    let escape = |bytes: &[u8]| bytes.iter().map(|b| format!("\\{b:02x}")).collect::<String>();
    let length = escape(&(description.len() as u32).to_le_bytes());
    let description = escape(description.as_bytes());
    let text = format!(
        r#"(component
            {outer}
            (core module $m
                {inner}
                (memory (export "memory") 2)
                (data (i32.const 16) "\20\00\00\00{length}")
                (data (i32.const 32) "{description}")
                (func (export "describe") (result i32) {body})
                (func (export "nothing")))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (func $describe (result string)
                (canon lift (core func $i "describe") (memory $memory)))
            (func $nothing (canon lift (core func $i "nothing")))
            (instance $extractor
                (export "describe" (func $describe))
                (export "configure" (func $nothing))
                (export "run" (func $nothing))
                (export "embed-query" (func $nothing)))
            (export "quarry:extractor/extractor@0.1.0" (instance $extractor)))"#
    );
    wat::parse_str(text).unwrap()
}

fn refused(wasm: &[u8]) -> Error {
    let limits = Limits { call_ms_max: 50, ..Limits::default() };
    let error = host(limits).load(wasm).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::Extractor, "{error}");
    error
}

#[track_caller]
fn check(text: &str, message: &str) {
    let error = refused(&wat::parse_str(text).unwrap());
    assert_eq!(error.to_string(), message);
    assert!(error.hint_text().is_some(), "{error} has no hint");
}

#[test]
fn a_small_component_loads() {
    let component = component(&described("small").to_string());
    let loaded = host(Limits::default()).load(&component).unwrap();
    assert_eq!(loaded.description().name, "small");
    assert_eq!(loaded.digest().len(), 64);
}

#[test]
fn what_is_no_component_is_refused_with_a_hint() {
    for (bytes, what) in [
        (&b""[..], "is empty"),
        (b"\0as", "is cut off"),
        (b"\0asm\x0d\0\x01", "is cut off"),
        (b"(component)", "is WebAssembly text, not a binary component"),
        (b"PK\x03\x04 a zip file", "is not a WebAssembly component"),
        (b"\0asm\x77\0\x01\0", "has the unknown binary version 119"),
    ] {
        let error = refused(bytes);
        assert_eq!(error.to_string(), format!("the extractor {what}"));
        assert_eq!(error.hint_text(), Some("build it with `quarry extractor build`"));
    }
}

#[test]
fn a_core_module_is_told_from_a_component() {
    check("(module)", "the extractor is a core module, not a component");
}

#[test]
fn another_world_is_named_by_its_exports() {
    let world = "the extractor does not export quarry:extractor/extractor: wrong world";
    check("(component)", &format!("{world}, it exports nothing"));
    let other = r#"(component
        (instance $i)
        (export "wasi:cli/run@0.2.0" (instance $i))
        (export "other" (instance $i)))"#;
    check(other, &format!("{world}, it exports wasi:cli/run@0.2.0, other"));
}

#[test]
fn another_contract_version_is_named_with_the_fix() {
    let stamped = |version: &str| format!(r#"(component (@custom "quarry:api" "{version}"))"#);
    let runs = "this host runs 0.1.x";
    check(&stamped("0.2.0"), &format!("the extractor is built for extractor API 0.2.0, {runs}"));
    check(&stamped("1.1.0"), &format!("the extractor is built for extractor API 1.1.0, {runs}"));
    check(&stamped("0.0.9"), &format!("the extractor is built for extractor API 0.0.9, {runs}"));
    check(&stamped("new"), "the extractor is stamped with `new`, which is no API version");
    let newer = refused(&wat::parse_str(stamped("0.2.0")).unwrap());
    assert!(newer.hint_text().unwrap().starts_with("update quarry"));
    let inner = r#"(component (core module (@custom "quarry:api" "0.3.0")))"#;
    check(inner, &format!("the extractor is built for extractor API 0.3.0, {runs}"));
}

#[test]
fn without_a_stamp_the_version_is_read_from_the_exports() {
    let text = r#"(component
        (instance $i)
        (export "quarry:extractor/extractor@0.4.1" (instance $i)))"#;
    check(text, "the extractor is built for extractor API 0.4.1, this host runs 0.1.x");
}

#[test]
fn imports_that_are_not_granted_are_named_one_by_one() {
    let text = r#"(component
        (import "quarry:extractor/log@0.1.3" (instance))
        (import "wasi:filesystem/types@0.2.9" (instance))
        (import "wasi:clocks/wall-clock@0.2.9" (instance))
        (instance $i)
        (export "quarry:extractor/extractor@0.1.0" (instance $i)))"#;
    let names = "wasi:filesystem/types@0.2.9, wasi:clocks/wall-clock@0.2.9";
    check(text, &format!("the extractor imports {names}, which are not granted"));
    let text = r#"(component
        (import "quarry:extractor/http@0.1.0" (instance))
        (instance $i)
        (export "quarry:extractor/extractor@0.1.0" (instance $i)))"#;
    let name = "quarry:extractor/http@0.1.0";
    check(text, &format!("the extractor imports {name}, which is not granted"));
}

#[test]
fn an_export_without_the_functions_is_refused() {
    let text = r#"(component
        (instance $i)
        (export "quarry:extractor/extractor@0.1.0" (instance $i)))"#;
    let error = refused(&wat::parse_str(text).unwrap());
    let name = "quarry:extractor/extractor@0.1.0.describe";
    assert_eq!(error.to_string(), format!("the extractor does not export {name}"));
}

#[test]
fn a_function_of_another_type_is_refused() {
    let loaded = host(Limits::default()).load(&component(&described("typed").to_string()));
    let error = loaded.unwrap().instantiate(&json!({})).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::Extractor);
}

#[test]
fn a_describe_that_loops_or_traps_or_lies_is_refused() {
    let description = described("odd").to_string();
    let describing = |body: &str| refused(&built("", "", body, &description)).to_string();
    let message = describing("(loop (br 0)) i32.const 16");
    assert_eq!(message, "the extractor did not end in describe: ran longer than 50 ms");
    let message = describing("unreachable");
    assert!(message.starts_with("the extractor trapped in describe: wasm trap: "), "{message}");
    // A length that reaches beyond the memory.
    let message = describing("(i32.store (i32.const 20) (i32.const -1)) i32.const 16");
    assert!(message.starts_with("the extractor broke the contract in describe"), "{message}");
    // 2 MiB would be in memory, but a description is 1 MiB at most.
    let message = describing(
        "(drop (memory.grow (i32.const 64)))
         (i32.store (i32.const 20) (i32.const 0x200000)) i32.const 16",
    );
    assert!(message.starts_with("the extractor returned too much in describe"), "{message}");
}

#[test]
fn a_start_function_that_loops_is_stopped() {
    let wasm = built("", "(func $spin (loop (br 0))) (start $spin)", "i32.const 16", "{}");
    let message = refused(&wasm).to_string();
    assert_eq!(message, "the extractor did not end in describe: ran longer than 50 ms");
}

#[test]
fn features_that_are_switched_off_are_refused() {
    for inner in [
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(func $f (return_call $f))",
        "(tag)",
        "(type (struct))",
        "(func (param v128) (result v128) local.get 0 local.get 0 i8x16.relaxed_swizzle)",
    ] {
        let wasm = built("", inner, "i32.const 16", &described("odd").to_string());
        let error = refused(&wasm);
        assert!(error.to_string().contains("switched off"), "{inner}: {error}");
    }
}

#[test]
fn every_truncation_of_a_component_is_refused() {
    let wasm = guest("hostile");
    let host = host(Limits::default());
    let step = wasm.len() / 300;
    let cuts = (0..200).chain((200..wasm.len()).step_by(step)).chain(wasm.len() - 50..wasm.len());
    for cut in cuts {
        let loaded = host.load(&wasm[..cut]);
        assert_eq!(loaded.map(|_| ()).unwrap_err().code(), Code::Extractor, "cut at {cut}");
    }
}

#[test]
fn damage_anywhere_in_a_small_component_never_panics() {
    let wasm = component(&described("damaged").to_string());
    let host = host(Limits { call_ms_max: 50, ..Limits::default() });
    for at in 0..wasm.len() {
        let mut damaged = wasm.clone();
        damaged[at] ^= 0x55;
        // Some of it is only another name or another number; all of it comes back.
        drop(host.load(&damaged));
    }
}

#[test]
fn an_inspection_tells_what_a_component_is_without_compiling_it() {
    let outline = inspect(&guest("hostile")).unwrap();
    assert_eq!(outline.api.as_deref(), Some("0.1.0"));
    assert_eq!(outline.name.as_deref(), Some("hostile"));
    assert_eq!(outline.version.as_deref(), Some("0.1.0"));
    assert_eq!(outline.exports, ["quarry:extractor/extractor@0.1.0"]);
    let interfaces = ["input", "output", "log"];
    for interface in interfaces {
        let name = format!("quarry:extractor/{interface}@0.1.0");
        assert!(outline.imports.contains(&name), "{:?}", outline.imports);
    }
    assert_eq!(outline.imports.len(), interfaces.len());
    let loaded = host(Limits::default()).load(&guest("hostile")).unwrap();
    assert_eq!(loaded.inspection(), &outline);
}
