//! Components are compiled in a process of their own, which may use so much and no more.

use super::components::{component, component_with, described};
use super::{full, guest};
use crate::support::quarry::{Bench, binary};
use quarry::error::{Code, Error};
use quarry::plugin::{CompileLimits, Compiler, Extractor, Host, Limits};
use serde_json::json;
use std::path::{Path, PathBuf};

fn compiler(limits: CompileLimits) -> Compiler {
    Compiler { program: binary(), limits }
}

fn host(dir: Option<&Path>, compiler: Compiler) -> Host {
    Host::with_compiler(dir.map(Path::to_path_buf), Limits::default(), Some(compiler)).unwrap()
}

fn refused(host: &Host, wasm: &[u8]) -> Error {
    host.load(wasm).map(|_| ()).unwrap_err()
}

/// Some functions that a compiler has to think about: each has many values that live across many
/// branches.
fn bomb(functions: usize) -> Vec<u8> {
    let locals = 200;
    let declared = "(local i64)".repeat(locals);
    let step = |at: usize| {
        let (a, b) = (at % locals, (at * 7 + 3) % locals);
        format!(
            "(if (i64.eqz (local.get {a})) (then (local.set {b} (i64.add (local.get {b}) \
             (i64.mul (local.get {a}) (i64.const {at}))))) (else (br_if 0 (i64.lt_s \
             (local.get {b}) (i64.const {at})))))"
        )
    };
    let body: String = (0..1_500).map(step).collect();
    let function = format!("(func {declared} (loop {body}))");
    component_with("bomb", &function.repeat(functions))
}

#[test]
fn what_a_child_compiled_runs_and_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = host(Some(dir.path()), compiler(CompileLimits::default()));
    let wasm = guest("hostile");
    let mut instance = first.load(&wasm).unwrap().instantiate(&json!({})).unwrap();
    assert_eq!(instance.run(&full(3)).unwrap().documents, 3);
    // A program that compiles nothing is not asked again.
    let nobody = Compiler::new(PathBuf::from("/does/not/exist"));
    let second = host(Some(dir.path()), nobody.clone());
    assert_eq!(second.load(&wasm).unwrap().description().name, "hostile");
    // And this process would have made the same code.
    let here = Host::new(Some(dir.path().to_path_buf()), Limits::default()).unwrap();
    let digest = quarry::plugin::inspect(&wasm).unwrap().digest;
    let file = dir.path().join(here.cached_as(&digest).unwrap());
    let compiled = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    here.load(&wasm).unwrap();
    assert!(std::fs::read(&file).unwrap() == compiled, "the child compiles something else");
}

#[test]
fn damaged_code_is_compiled_again_by_the_child() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(Some(dir.path()), compiler(CompileLimits::default()));
    let wasm = component(&described("flipped").to_string());
    host.load(&wasm).unwrap();
    let digest = quarry::plugin::inspect(&wasm).unwrap().digest;
    let file = dir.path().join(host.cached_as(&digest).unwrap());
    let intact = std::fs::read(&file).unwrap();
    for at in [0, 31, 32, intact.len() / 2, intact.len() - 1] {
        let mut flipped = intact.clone();
        flipped[at] ^= 1;
        std::fs::write(&file, &flipped).unwrap();
        assert_eq!(host.load(&wasm).unwrap().description().name, "flipped");
        assert!(std::fs::read(&file).unwrap() != flipped, "byte {at} is still flipped");
        // What was written instead is whole.
        let nobody = Compiler::new(PathBuf::from("/does/not/exist"));
        self::host(Some(dir.path()), nobody).load(&wasm).unwrap();
    }
}

#[test]
fn a_component_that_compiles_for_too_long_is_stopped_and_the_host_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let limits = CompileLimits { cpu_seconds_max: 1, ..CompileLimits::default() };
    let host = host(Some(dir.path()), compiler(limits));
    let error = refused(&host, &bomb(60));
    assert_eq!(error.code(), Code::Extractor);
    let message = error.to_string();
    assert!(message.ends_with("needs more than 1 s of processor time to be compiled"), "{message}");
    assert!(error.hint_text().unwrap().contains("compile_seconds_max"), "{error}");
    let wasm = component(&described("after").to_string());
    assert_eq!(host.load(&wasm).unwrap().description().name, "after");
}

#[test]
fn a_component_that_needs_too_much_memory_to_compile_is_refused() {
    let limits = CompileLimits { memory_bytes_max: 384 << 20, ..CompileLimits::default() };
    let host = host(None, compiler(limits));
    let wasm = component(&described("small").to_string());
    assert_eq!(host.load(&wasm).unwrap().description().name, "small");
    let error = refused(&host, &bomb(150));
    assert_eq!(error.code(), Code::Extractor);
    let message = error.to_string();
    assert!(message.ends_with("needs more than 384 MiB to be compiled"), "{}", error.chain());
}

#[test]
fn a_compilation_that_does_not_end_in_time_is_killed() {
    let limits = CompileLimits { wall_ms_max: 1, ..CompileLimits::default() };
    let error = refused(&host(None, compiler(limits)), &bomb(60));
    let message = error.to_string();
    assert!(message.ends_with("needs more than 1 ms to be compiled"), "{}", error.chain());
}

#[test]
fn what_the_compiler_refuses_is_told_as_without_it() {
    let wasm = component_with("odd", "(memory 1 1 shared)");
    let error = refused(&host(None, compiler(CompileLimits::default())), &wasm);
    let here = refused(&Host::new(None, Limits::default()).unwrap(), &wasm);
    assert_eq!(error.to_string(), here.to_string());
    assert_eq!(error.chain(), here.chain());
}

#[test]
fn a_program_that_is_no_compiler_is_told_from_a_bad_component() {
    let wasm = component(&described("good").to_string());
    let error = refused(&host(None, Compiler::new(PathBuf::from("/does/not/exist"))), &wasm);
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(error.to_string(), "can not start the compiler /does/not/exist");
    let error = refused(&host(None, Compiler::new(PathBuf::from("/bin/true"))), &wasm);
    assert_eq!(error.code(), Code::Extractor);
    assert!(error.to_string().ends_with("made the compiler fail"), "{error}");
}

#[test]
fn the_command_line_compiles_within_the_limits_of_its_settings() {
    let bench = Bench::new();
    std::fs::write(bench.path("bomb.wasm"), bomb(60)).unwrap();
    let mut command = bench.command(&["extractor", "inspect", "bomb.wasm"]);
    command.env("QUARRY_COMPILE_SECONDS_MAX", "1");
    let answer = crate::support::quarry::Answer::from(command.output().unwrap());
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    let told = "needs more than 1 s of processor time to be compiled";
    assert!(answer.stderr.contains(told), "{}", answer.stderr);
}
