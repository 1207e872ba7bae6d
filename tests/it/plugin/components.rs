//! What is refused before any of it runs, and the small components of these tests.

use super::{guest, host};
use quarry::error::{Code, Error};
use quarry::plugin::{Extractor, Input, Limits, Reason, inspect};
use serde_json::{Value, json};

/// A description with nothing in it.
pub(super) fn described(name: &str) -> Value {
    json!({"name": name, "version": "1.0.0", "inputs": [], "outputs": []})
}

/// An extractor that only describes itself, by `description`.
pub(crate) fn component(description: &str) -> Vec<u8> {
    Small::new(description).build()
}

/// With other things in its module.
pub(super) fn component_with(name: &str, inner: &str) -> Vec<u8> {
    Small { inner, ..Small::new(&described(name).to_string()) }.build()
}

pub(super) fn table(elements: u32) -> Vec<u8> {
    let inner = format!("(table {elements} funcref)");
    Small { inner: &inner, ..Small::new(&described("table").to_string()) }.build()
}

/// An extractor of a few instructions: the bodies of its functions, in text.
struct Small<'a> {
    description: &'a str,
    inner: &'a str,
    describe: &'a str,
    configure: &'a str,
    realloc: &'a str,
    run: &'a str,
}

impl<'a> Small<'a> {
    /// At 0 is the result `ok(description)`, at 4 the string, at 32 its bytes.
    fn new(description: &'a str) -> Self {
        Small {
            description,
            inner: "",
            describe: "i32.const 4",
            configure: "i32.const 0",
            realloc: "i32.const 65536",
            run: "(param i32 i32) (result i32) i32.const 0",
        }
    }

    fn build(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap()
    }

    fn text(&self) -> String {
        let escape = |bytes: &[u8]| bytes.iter().map(|b| format!("\\{b:02x}")).collect::<String>();
        let length = escape(&(self.description.len() as u32).to_le_bytes());
        let bytes = escape(self.description.as_bytes());
        let Small { inner, describe, configure, realloc, run, .. } = self;
        format!(
            r#"(component
            (import "quarry:extractor/input@0.1.0" (instance $input
                (export "batch" (type (sub resource)))))
            (import "quarry:extractor/output@0.1.0" (instance $output
                (export "sink" (type (sub resource)))))
            (alias export $input "batch" (type $batch))
            (alias export $output "sink" (type $sink))
            (core module $m
                {inner}
                (memory (export "memory") 2)
                (data (i32.const 4) "\20\00\00\00{length}")
                (data (i32.const 32) "{bytes}")
                (func (export "describe") (result i32) {describe})
                (func (export "configure") (param i32 i32) (result i32) {configure})
                (func (export "run") {run})
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc}))
            (core instance $i (instantiate $m))
            (alias core export $i "memory" (core memory $memory))
            (alias core export $i "realloc" (core func $realloc))
            (func $describe (result string)
                (canon lift (core func $i "describe") (memory $memory)))
            (func $configure (param "parameters" string) (result (result string (error string)))
                (canon lift (core func $i "configure") (memory $memory) (realloc $realloc)))
            (func $run (param "input" (borrow $batch)) (param "output" (borrow $sink))
                (result (result (error string)))
                (canon lift (core func $i "run") (memory $memory) (realloc $realloc)))
            (instance $extractor
                (export "describe" (func $describe))
                (export "configure" (func $configure))
                (export "run" (func $run))
                (export "embed-query" (func $configure)))
            (export "quarry:extractor/extractor@0.1.0" (instance $extractor)))"#
        )
    }
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
fn imports_that_nobody_grants_are_named_one_by_one() {
    let text = r#"(component
        (import "quarry:extractor/log@0.1.3" (instance))
        (import "wasi:filesystem/types@0.2.9" (instance))
        (import "wasi:clocks/wall-clock@0.2.9" (instance))
        (instance $i)
        (export "quarry:extractor/extractor@0.1.0" (instance $i)))"#;
    let names = "wasi:filesystem/types@0.2.9, wasi:clocks/wall-clock@0.2.9";
    check(text, &format!("the extractor imports {names}, which no host grants"));
    let text = r#"(component
        (import "quarry:extractor/sockets@0.1.0" (instance))
        (instance $i)
        (export "quarry:extractor/extractor@0.1.0" (instance $i)))"#;
    let name = "quarry:extractor/sockets@0.1.0";
    check(text, &format!("the extractor imports {name}, which no host grants"));
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
    let description = described("typed").to_string();
    let text = Small::new(&description).text();
    let text = text.replace(r#"(export "run" (func $run))"#, r#"(export "run" (func $describe))"#);
    let loaded = host(Limits::default()).load(&wat::parse_str(text).unwrap()).unwrap();
    let error = loaded.instantiate(&json!({})).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::Extractor);
}

#[test]
fn a_describe_that_loops_or_traps_or_lies_is_refused() {
    let description = described("odd").to_string();
    let describing =
        |describe| refused(&Small { describe, ..Small::new(&description) }.build()).to_string();
    let message = describing("(loop (br 0)) i32.const 4");
    assert_eq!(message, "the extractor did not end in describe: ran longer than 50 ms");
    let message = describing("unreachable");
    assert!(message.starts_with("the extractor trapped in describe: wasm trap: "), "{message}");
    // A length that reaches beyond the memory.
    let message = describing("(i32.store (i32.const 8) (i32.const -1)) i32.const 4");
    assert!(message.starts_with("the extractor broke the contract in describe"), "{message}");
    // 2 MiB would be in memory, but a description is 1 MiB at most.
    let message = describing(
        "(drop (memory.grow (i32.const 64)))
         (i32.store (i32.const 8) (i32.const 0x200000)) i32.const 4",
    );
    assert!(message.starts_with("the extractor returned too much in describe"), "{message}");
}

#[test]
fn a_start_function_that_loops_is_stopped() {
    let description = described("odd").to_string();
    let inner = "(func $spin (loop (br 0))) (start $spin)";
    let message = refused(&Small { inner, ..Small::new(&description) }.build()).to_string();
    assert_eq!(message, "the extractor did not end in describe: ran longer than 50 ms");
}

#[test]
fn a_guest_allocator_that_loops_or_lies_is_stopped() {
    let description = described("greedy").to_string();
    let configured = |realloc| {
        let limits = Limits { call_ms_max: 50, ..Limits::default() };
        let wasm = Small { realloc, ..Small::new(&description) }.build();
        host(limits).load(&wasm).unwrap().instantiate(&json!({})).map(|_| ())
    };
    assert!(configured("i32.const 65536").is_ok());
    let message = configured("(loop (br 0)) i32.const 0").unwrap_err().to_string();
    assert_eq!(message, "the extractor did not end in configure: ran longer than 50 ms");
    let message = configured("i32.const -8").unwrap_err().to_string();
    let broke = "the extractor broke the contract in configure: broke the component ABI: realloc";
    assert!(message.starts_with(broke), "{message}");
}

#[test]
fn borrowed_handles_that_are_kept_fail_the_call() {
    let description = described("keeper").to_string();
    let loaded = host(Limits::default()).load(&Small::new(&description).build()).unwrap();
    let mut instance = loaded.instantiate(&json!({})).unwrap();
    let failure = instance.run(&Input { rows: 0, columns: Vec::new() }).unwrap_err();
    assert_eq!(failure.reason, Reason::Contract);
    assert!(failure.message.contains("borrow handles still remain"), "{}", failure.message);
}

#[test]
fn more_instances_than_there_is_room_for_are_refused_until_one_is_gone() {
    let loaded = host(Limits::default()).load(&component(&described("many").to_string())).unwrap();
    let mut instances = Vec::new();
    let error = loop {
        match loaded.instantiate(&json!({})) {
            Ok(instance) => instances.push(instance),
            Err(error) => break error,
        }
        assert!(instances.len() < 10_000);
    };
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.to_string().starts_with("too many extractor instances at once"), "{error}");
    instances.pop();
    assert!(loaded.instantiate(&json!({})).is_ok());
}

#[test]
fn a_guest_of_a_later_patch_version_links() {
    let mut wasm = guest("hostile");
    let (old, new) = (b"@0.1.0", b"@0.1.7");
    let places: Vec<_> = (0..wasm.len() - 6).filter(|at| wasm[*at..].starts_with(old)).collect();
    places.iter().for_each(|at| wasm[*at..*at + 6].copy_from_slice(new));
    let loaded = host(Limits::default()).load(&wasm).unwrap();
    assert!(loaded.inspection().imports.iter().all(|name| name.ends_with("@0.1.7")));
    let mut instance = loaded.instantiate(&json!({})).unwrap();
    assert_eq!(instance.run(&super::full(3)).unwrap().documents, 3);
}

#[test]
fn features_that_are_switched_off_are_refused() {
    let description = described("odd").to_string();
    for inner in [
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(func $f (return_call $f))",
        "(tag)",
        "(type (struct))",
        "(func (param v128) (result v128) local.get 0 local.get 0 i8x16.relaxed_swizzle)",
    ] {
        let error = refused(&Small { inner, ..Small::new(&description) }.build());
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
