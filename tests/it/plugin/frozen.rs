//! What was released stays: components built against an old contract load for ever, and the
//! contract they were built against only grows.

use super::{host, instance};
use crate::support::quarry::root;
use arrow_array::{ArrayRef, StringArray};
use quarry::model::Vector;
use quarry::plugin::{Extractor, Input, InputColumn, Limits, OutputColumn};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

#[test]
fn a_component_that_was_built_against_0_1_0_loads_and_runs() {
    let path = root().join("tests/fixtures/since-v0.1.0/text-embed.wasm");
    let component = host(Limits::default()).load(&std::fs::read(path).unwrap()).unwrap();
    let digest = "15ac3f92808b565b19d1237d8b9dc66ebaaf278e2315f8f730c0be61ae900707";
    assert_eq!(component.digest(), digest, "the fixture was built again");
    let description = component.description();
    assert_eq!((description.name.as_str(), description.version.as_str()), ("text-embed", "1.0.0"));
    let mut embed = instance(&component, json!({ "dimensions": 8, "sparse": false }));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a quiet lake", "a boat"]));
    let output = embed.run(&Input { rows: 2, columns: vec![InputColumn::Array(texts)] }).unwrap();
    assert_eq!((output.documents, output.counts.as_slice()), (2, &[1, 1][..]));
    assert!(output.columns.iter().any(|column| matches!(column, OutputColumn::Dense(_))));
    let asked = embed.embed_query("quiet").unwrap();
    assert!(asked.iter().any(|(_, v)| matches!(v, Vector::Dense(values) if values.len() == 8)));
}

/// Statements of a WIT file without comments, each with the blocks it stands in.
fn statements(text: &str) -> Vec<(Vec<String>, String)> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join(" ");
    let (mut blocks, mut found, mut word) = (Vec::new(), Vec::new(), String::new());
    for character in code.chars() {
        // Commas end fields and cases; in types and parameters they are within brackets.
        let depth =
            |open: char, close: char| word.matches(open).count() > word.matches(close).count();
        let nested = depth('(', ')') || depth('<', '>');
        let tidy = |word: &str| word.split_whitespace().collect::<Vec<_>>().join(" ");
        match character {
            '{' if !word.trim_start().starts_with("use ") => {
                blocks.push(tidy(&std::mem::take(&mut word)));
            }
            '}' if !word.trim_start().starts_with("use ") => {
                if !word.trim().is_empty() {
                    found.push((blocks.clone(), tidy(&std::mem::take(&mut word))));
                }
                blocks.pop();
            }
            ';' | ',' if !nested && !word.contains('{') || character == ';' => {
                found.push((blocks.clone(), tidy(&std::mem::take(&mut word))));
            }
            other => {
                // The arrow of a result is no bracket.
                if !(other == '>' && word.ends_with('-')) {
                    word.push(other);
                }
            }
        }
    }
    found
}

/// Types whose layout is part of every component that uses them.
fn is_closed(block: &str) -> bool {
    ["record ", "variant ", "enum ", "flags "].iter().any(|kind| block.starts_with(kind))
}

fn grown(old: &str, new: &str) -> Result<(), String> {
    let (old, new) = (statements(old), statements(new));
    let known: BTreeSet<_> = old.iter().collect();
    let now: BTreeSet<_> = new.iter().collect();
    if let Some((blocks, gone)) = known.difference(&now).next() {
        return Err(format!("`{gone}` in {blocks:?} is gone"));
    }
    let blocks: BTreeSet<&Vec<String>> = old.iter().map(|(blocks, _)| blocks).collect();
    for (inside, added) in now.difference(&known) {
        let closed = inside.last().is_some_and(|block| is_closed(block));
        if closed && blocks.contains(inside) {
            return Err(format!("`{added}` was added to {inside:?}"));
        }
    }
    // Cases and fields are numbered by their order.
    let closed = |all: &[(Vec<String>, String)]| -> Vec<String> {
        let inside = all.iter().filter(|(at, _)| at.last().is_some_and(|block| is_closed(block)));
        inside.filter(|(at, _)| blocks.contains(at)).map(|(_, text)| text.clone()).collect()
    };
    match closed(&old) == closed(&new) {
        true => Ok(()),
        false => Err("fields or cases have another order".to_string()),
    }
}

#[test]
fn the_released_contract_has_only_grown() {
    let frozen = root().join("tests/fixtures/since-v0.1.0");
    let read = |folder: &Path| std::fs::read_to_string(folder.join("extractor.wit")).unwrap();
    let (old, new) = (read(&frozen), read(&root().join("wit/since-v0.1.0")));
    assert!(statements(&old).len() > 25, "{:?}", statements(&old));
    assert_eq!(grown(&old, &new), Ok(()));
}

#[test]
fn what_would_no_longer_link_is_found() {
    let old =
        "package p@0.1.0; interface i { record r { a: u32, b: list<u8> } f: func(x: u32) -> u32; }";
    let check = |new: &str| grown(old, new);
    assert_eq!(check(old), Ok(()));
    let more = old.replace("f: func", "g: func(y: list<u8>) -> result<_, string>; f: func");
    assert_eq!(check(&format!("{more} interface j {{ record r {{ c: u8 }} }}")), Ok(()));
    for (from, to) in [
        ("a: u32,", "a: u32, c: u32,"),
        ("a: u32, b: list<u8>", "b: list<u8>, a: u32"),
        ("x: u32", "x: u64"),
        ("f: func(x: u32) -> u32;", ""),
        ("@0.1.0", "@0.1.1"),
    ] {
        assert!(check(&old.replace(from, to)).is_err(), "{from} became {to}");
    }
}
