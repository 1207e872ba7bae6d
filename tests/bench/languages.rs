//! `./x bench languages`: `examples/readability` in every language, one instance on one thread. The
//! rows are slices of the golden text, so that each language does the same work; the documents are
//! compared before anything is timed. Times are processor time of the process: a busy machine does
//! not change them.

use crate::measure::usage;
use anyhow::{Context, Result, ensure};
use arrow_array::{ArrayRef, StringArray};
use quarry::plugin::{Extractor, Host, Input, InputColumn, Limits, Output};
use quarry_build::Language;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a call, as many as a partition has at most.
const ROWS: usize = 1_024;
/// Bytes of a row's text.
const ROW_BYTES: usize = 1_000;
/// How long calls are repeated.
const RUN_S: f64 = 3.0;

struct Measured {
    language: Language,
    bytes: usize,
    /// Compiling to machine code, once for each digest.
    compile_ms: f64,
    /// A later start: compiled code from the cache, an instance, its configuration, one row.
    start_ms: f64,
    rows_per_s: f64,
}

fn cpu_s() -> f64 {
    usage().0
}

pub(crate) fn run() -> Result<()> {
    let folder = std::env::var_os("QUARRY_READABILITY").map(PathBuf::from);
    let folder = folder.context("QUARRY_READABILITY is not set\nhint: ./x bench languages")?;
    let texts = texts()?;
    let mut table = Vec::new();
    let mut expected: Option<Value> = None;
    for language in Language::ALL {
        let path = folder.join(language.name()).join("readability.wasm");
        let wasm = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let (measured, made) = measure(language, &wasm, &texts)?;
        let same = expected.get_or_insert_with(|| made.clone()) == &made;
        ensure!(same, "{language} makes other documents than {}", Language::ALL[0]);
        table.push(measured);
    }
    println!("| Language | Component | First start, CPU | Later starts, CPU | Rows a CPU second |");
    println!("|---|---:|---:|---:|---:|");
    for Measured { language, bytes, compile_ms, start_ms, rows_per_s } in table {
        println!(
            "| {language} | {} KB | {} ms | {start_ms:.1} ms | {rows_per_s:.0} |",
            bytes / 1_000,
            (compile_ms + start_ms).round()
        );
    }
    Ok(())
}

/// Slices of the long text among the fixtures.
fn texts() -> Result<Vec<String>> {
    let host = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let host = host.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).into());
    let path = host.join("../examples/readability/fixtures/golden.json");
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let rows = fixture["rows"].as_array().context("no rows")?;
    let texts = rows.iter().filter_map(|row| row["text"].as_str());
    let long = texts.max_by_key(|text| text.len()).context("no text")?;
    ensure!(long.is_ascii() && long.len() > 2 * ROW_BYTES, "the golden text is too short");
    let slice = |row: usize| {
        // Every row begins elsewhere; the prime keeps two rows from being the same.
        let from = row * 977 % (long.len() - ROW_BYTES);
        long[from..from + ROW_BYTES].to_owned()
    };
    Ok((0..ROWS).map(slice).collect())
}

fn input(texts: &[String]) -> Input {
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    Input { rows: texts.len(), columns: vec![InputColumn::Array(column)] }
}

fn measure(language: Language, wasm: &[u8], texts: &[String]) -> Result<(Measured, Value)> {
    let cache = tempfile::tempdir()?;
    let started = cpu_s();
    let host = || Host::new(Some(cache.path().to_path_buf()), Limits::default());
    drop(host()?.load(wasm)?);
    let compile_ms = (cpu_s() - started) * 1e3;

    let (one, all) = (input(&texts[..1]), input(texts));
    let mut starts = Vec::new();
    for _ in 0..7 {
        let host = host()?;
        let started = cpu_s();
        let mut instance = host.load(wasm)?.instantiate(&json!({}))?;
        call(&mut *instance, &one)?;
        starts.push((cpu_s() - started) * 1e3);
    }
    starts.sort_by(f64::total_cmp);

    let mut instance = host()?.load(wasm)?.instantiate(&json!({}))?;
    let made = json!(format!("{:?}", call(&mut *instance, &all)?.columns));
    let (started, mut calls) = (cpu_s(), 0);
    while calls < 2 || cpu_s() - started < RUN_S {
        call(&mut *instance, &all)?;
        calls += 1;
    }
    let rows_per_s = (calls * ROWS) as f64 / (cpu_s() - started);
    let start_ms = starts[starts.len() / 2];
    Ok((Measured { language, bytes: wasm.len(), compile_ms, start_ms, rows_per_s }, made))
}

fn call(instance: &mut dyn quarry::plugin::Instance, input: &Input) -> Result<Output> {
    instance.run(input).map_err(|failure| anyhow::anyhow!("{}", failure.message))
}
