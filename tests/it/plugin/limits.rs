//! Each limit, obeyed and violated.

use super::components::{described, table};
use super::{full_of, guest, host, instance, texts};
use quarry::error::Result;
use quarry::plugin::{Cells, Component, Failure, InputColumn, Limits, Output, Reason};
use serde_json::json;
use std::sync::Arc;

fn hostile(limits: Limits) -> Component {
    host(limits).load(&guest("hostile")).unwrap()
}

/// One poisoned row under `limits`.
fn run(limits: Limits, act: &str) -> std::result::Result<Output, Failure> {
    instance(&hostile(limits), json!({"act": act})).run(&texts(&["poison"]))
}

#[track_caller]
fn fails(result: std::result::Result<Output, Failure>, reason: Reason) {
    let failure = result.map(|_| ()).unwrap_err();
    assert_eq!(failure.reason, reason, "{}", failure.message);
}

#[test]
fn memory() {
    let limits = || Limits { memory_bytes_max: 16 << 20, ..Limits::default() };
    assert!(run(limits(), "allocate:12582912").is_ok());
    fails(run(limits(), "allocate:16777216"), Reason::Memory);
}

#[test]
fn output_bytes() {
    // 16 bytes for a document and 61 for the fixed part of its ten columns.
    const DOCUMENT: usize = 77;
    let limits = || Limits { output_bytes_max: 1 << 20, ..Limits::default() };
    assert!(run(limits(), &format!("bytes:{}", (1 << 20) - DOCUMENT)).is_ok());
    fails(run(limits(), &format!("bytes:{}", (1 << 20) - DOCUMENT + 1)), Reason::Output);
}

#[test]
fn documents_per_row() {
    let limits = || Limits { documents_per_row_max: 10, ..Limits::default() };
    assert_eq!(run(limits(), "announce:0").unwrap().documents, 0);
    fails(run(limits(), "documents:11"), Reason::Output);
    // Ten documents at the same position: the count passes, the positions do not.
    let failure = run(limits(), "documents:10").unwrap_err();
    assert_eq!(failure.message, "row 0 has two documents at position 0");
}

#[test]
fn log_lines_and_their_length() {
    let limits = || Limits { log_lines_max: 5, log_line_bytes_max: 100, ..Limits::default() };
    let log = run(limits(), "log:5").unwrap().log;
    assert_eq!(log.len(), 5);
    assert_eq!(log[0], "info: line 0[31m");
    let log = run(limits(), "log:100000").unwrap().log;
    assert_eq!(log.len(), 6);
    assert_eq!(log[0], "(99995 earlier lines dropped)");
    assert_eq!(log[5], "info: line 99999[31m");
    assert_eq!(run(limits(), "log-long:100").unwrap().log[0].len(), "warn: ".len() + 100);
    assert!(run(limits(), "log-long:101").unwrap().log[0].ends_with("y…"));
}

#[test]
fn a_failure_carries_the_last_lines_of_the_log() {
    let limits = Limits { call_ms_max: 2000, ..Limits::default() };
    let mut instance = instance(&hostile(limits), json!({"act": "panic"}));
    let failure = instance.run(&texts(&["poison"])).unwrap_err();
    assert_eq!(failure.log, ["error: panicked: the guest had enough"]);
}

#[test]
fn component_bytes() {
    let wasm = guest("hostile");
    let fits = Limits { component_bytes_max: wasm.len(), ..Limits::default() };
    assert!(host(fits).load(&wasm).is_ok());
    let tight = Limits { component_bytes_max: wasm.len() - 1, ..Limits::default() };
    let error = host(tight).load(&wasm).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("bytes, at most"), "{error}");
}

#[test]
fn table_elements() {
    let limits = || Limits { table_elements_max: 1000, ..Limits::default() };
    assert!(host(limits()).load(&table(1000)).is_ok());
    assert!(host(limits()).load(&table(1001)).is_err());
}

#[test]
fn memory_that_a_description_asks_for() {
    let asking = |bytes: u64| {
        let mut description = described("asking");
        description["memory_bytes"] = json!(bytes);
        host(Limits::default()).load(&super::components::component(&description.to_string()))
    };
    assert!(asking(512 << 20).is_ok());
    assert!(asking((512 << 20) + 1).is_err());
}

/// Blobs of `len` bytes; unreadable when there is a message.
struct Blobs {
    len: u64,
    broken: Option<&'static str>,
}

impl Cells for Blobs {
    fn len(&self, row: usize) -> Result<Option<u64>> {
        Ok((row != 1).then_some(self.len))
    }

    fn read(&self, _row: usize, _offset: u64, len: usize) -> Result<bytes::Bytes> {
        match self.broken {
            Some(message) => Err(quarry::error::Error::invalid(message)),
            None => Ok(vec![7; len].into()),
        }
    }

    fn slice(&self, _from: usize, _rows: usize) -> Arc<dyn Cells> {
        Arc::new(Blobs { len: self.len, broken: self.broken })
    }
}

fn read(limits: Limits, act: &str, blobs: Blobs) -> Failure {
    let mut input = texts(&["poison"]);
    input.columns[4] = InputColumn::Cells(Arc::new(blobs));
    let mut instance = instance(&hostile(limits), json!({"act": act, "cells": true}));
    instance.run(&input).unwrap_err()
}

#[test]
fn cell_bytes_and_bytes_of_one_read() {
    let limits = || Limits { cell_bytes_max: 100_000, ..Limits::default() };
    let failure = read(limits(), "read-all", Blobs { len: 100_000, broken: None });
    assert_eq!(failure.message, "100000 long, 65536 read, 0 beyond");
    assert_eq!(failure.reason, Reason::Guest);
    let failure = read(limits(), "read-all", Blobs { len: 100_001, broken: None });
    assert_eq!(failure.message, "blob of 100001 bytes, at most 100000 are allowed");
    assert_eq!(failure.reason, Reason::Input);
}

#[test]
fn a_blob_the_host_can_not_read_is_the_reason_of_what_follows() {
    for act in ["error-read", "trap-read"] {
        let broken = Some("the disk is on fire");
        let failure = read(Limits::default(), act, Blobs { len: 10, broken });
        assert_eq!(failure.reason, Reason::Input, "{act}");
        assert_eq!(failure.message, "the disk is on fire");
    }
}

#[test]
fn a_null_blob_is_told_apart_from_an_unreadable_one() {
    let mut input = full_of(&["a", "b", "c"]);
    input.columns[4] = InputColumn::Cells(Arc::new(Blobs { len: 25, broken: None }));
    let mut instance = instance(&hostile(Limits::default()), json!({"cells": true}));
    let output = instance.run(&input).unwrap();
    let quarry::plugin::OutputColumn::Scalar(data) = &output.columns[6] else {
        panic!("a blob is a scalar")
    };
    let expected = arrow_array::BinaryArray::from(vec![Some(&[7; 25][..]), None, Some(&[7; 25])]);
    assert_eq!(data.as_ref(), &expected as &dyn arrow_array::Array);
}
