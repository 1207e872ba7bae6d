//! `sdk/README.md`, block by block: its commands are run, its JSON is checked, its code is what new
//! projects have.

use crate::support::quarry::root;
use quarry::plugin::Limits;
use quarry_build::Language;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A fenced block of a page: what stands after the fence, and the text.
struct Block {
    kind: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(kind), None) => open = Some(Block { kind: kind.into(), text: String::new() }),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of {page} has no end");
    blocks
}

fn of_kind(kind: &str) -> Vec<String> {
    let found = blocks("sdk/README.md").into_iter().filter(|block| block.kind == kind);
    found.map(|block| block.text).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_block_is_of_a_kind_that_is_checked_here_or_plain_text() {
    let kinds = ["sh", "json", "toml", "rust", "c", "python", "javascript", "text"];
    for block in blocks("sdk/README.md") {
        assert!(kinds.contains(&block.kind.as_str()), "`{}`: {}", block.kind, block.text);
    }
}

#[test]
fn the_code_is_that_of_a_new_project() {
    for language in Language::ALL {
        let found = of_kind(language.name());
        assert_eq!(found.len(), 1, "{language}");
        let template = root().join("sdk/build/templates").join(language.name());
        let sources = sources(&template);
        assert!(
            sources.iter().any(|source| source.contains(&found[0])),
            "{language}: the guide shows something else than {}:\n{}",
            template.display(),
            found[0]
        );
    }
}

/// The texts of all files below a folder.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
    found
}

#[test]
fn the_description_fits_its_schema_and_the_fixture_its_format() {
    let blocks = of_kind("json");
    let [description, fixture, expected] = &blocks[..] else { panic!("{} blocks", blocks.len()) };
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let schema = jsonschema::validator_for(&json(&root().join("wit/description.schema.json")));
    let description = parse(description);
    let errors: Vec<_> = schema.unwrap().iter_errors(&description).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    // Every field of the schema is explained.
    let guide = fs::read_to_string(root().join("sdk/README.md")).unwrap();
    let properties = json(&root().join("wit/description.schema.json"))["properties"].clone();
    for name in properties.as_object().unwrap().keys() {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
    let (fixture, expected) = (parse(fixture), parse(expected));
    assert_eq!(keys(&fixture), ["parameters", "queries", "rows"]);
    assert_eq!(keys(&expected), ["documents", "queries", "rejected"]);
    assert_eq!(keys(&expected["documents"][0]), ["fields", "row"]);
    assert_eq!(keys(&expected["rejected"][0]), ["code", "message", "row"]);
}

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort();
    keys
}

#[test]
fn the_contract_is_explained_function_by_function() {
    let guide = fs::read_to_string(root().join("sdk/README.md")).unwrap();
    let wit = ["extractor.wit", "capabilities.wit"]
        .map(|file| fs::read_to_string(root().join("wit/since-v0.1.0").join(file)).unwrap())
        .concat();
    let functions = wit.lines().filter_map(|line| line.trim().split_once(": func("));
    let names: Vec<&str> = functions.map(|(name, _)| name.trim_start_matches('%')).collect();
    assert_eq!(names.len(), 25, "{names:?}");
    for name in names {
        let shown = [format!("`{name}`"), format!("`{name}("), format!(".{name}(")];
        assert!(shown.iter().any(|shown| guide.contains(shown)), "{name}");
    }
}

#[test]
fn the_limits_are_those_of_the_host() {
    let guide = fs::read_to_string(root().join("sdk/README.md")).unwrap();
    let limits = Limits::default();
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    let check = |what: &str, most: String| {
        let row = format!("| {what} | {most}");
        assert!(guide.contains(&row), "the guide does not say: {row}");
    };
    check("component", mib(limits.component_bytes_max));
    check("memory of an instance", mib(limits.memory_bytes_max));
    assert_eq!((limits.table_elements_max, limits.call_ms_max), (100_000, 30_000));
    check("table elements", "100,000".into());
    check("time of a call", "30,000 ms".into());
    check("output of a call", mib(limits.output_bytes_max));
    assert_eq!(limits.documents_per_row_max, 10_000);
    check("documents of a row", "10,000".into());
    assert_eq!((limits.log_lines_max, limits.log_line_bytes_max), (1_000, 4 << 10));
    assert_eq!(limits.log_bytes_max, 512 << 10);
    check("log of a call", "1,000 lines of 4 KiB, 512 KiB in all".into());
    check("stack", format!("{} KiB", limits.stack_bytes_max >> 10));
    assert_eq!((limits.host_calls_max, limits.documents_max), (1_000_000, 1_000_000));
    check("calls of the host in a call", "1,000,000".into());
    check("documents of a call", "1,000,000".into());
    check("a utf8, json, blob or multi value", mib(limits.value_bytes_max));
    check("levels of a JSON value", limits.json_depth_max.to_string());
    assert_eq!(limits.cell_bytes_max, 1 << 30);
    check("a blob cell", "1 GiB".into());
}

#[test]
fn the_extractor_toml_is_one_of_a_new_project() {
    let blocks = of_kind("toml");
    let [shown] = &blocks[..] else { panic!("{} blocks", blocks.len()) };
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("letters");
    let language = Language::C;
    let project =
        quarry_build::NewProject { name: "letters".into(), language, directory: directory.clone() };
    quarry_build::new(&project).unwrap();
    let parse = |text: &str| text.parse::<toml::Table>().unwrap();
    let written = fs::read_to_string(directory.join("extractor.toml")).unwrap();
    assert_eq!(parse(shown), parse(&written));
}

/// The six commands as they are printed, in an empty folder, for a language: the last one finds the
/// document that is about the word.
fn six_commands(language: Language) {
    let blocks = of_kind("sh");
    let [commands] = &blocks[..] else { panic!("{} blocks", blocks.len()) };
    let steps = commands.lines().filter(|line| line.starts_with("quarry "));
    assert_eq!(steps.count(), 6, "{commands}");
    assert!(commands.contains("--lang rust"));
    let commands = commands.replace("--lang rust", &format!("--lang {}", language.name()));

    let folder = tempfile::tempdir().unwrap();
    let binary = std::env::var_os("QUARRY_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_quarry")), PathBuf::from);
    let mut path = std::ffi::OsString::from(binary.parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell
        .args(["-e", "-c", &commands])
        .current_dir(folder.path())
        .env("PATH", path)
        .env_remove("QUARRY_EXTRACTORS")
        .env_remove("QUARRY_SINK")
        .env("XDG_CONFIG_HOME", folder.path().join("no-settings"));
    let output = shell.output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{language}: {stdout}{stderr}");
    let first = stdout.lines().rev().find(|line| line.trim_start().starts_with("1 "));
    assert!(first.is_some_and(|hit| hit.contains("jazz")), "{language}: {stdout}{stderr}");
}

#[test]
fn six_commands_lead_to_a_search_in_rust() {
    six_commands(Language::Rust);
}

#[test]
fn six_commands_lead_to_a_search_in_c() {
    six_commands(Language::C);
}

#[test]
fn six_commands_lead_to_a_search_in_python() {
    six_commands(Language::Python);
}

#[test]
fn six_commands_lead_to_a_search_in_javascript() {
    six_commands(Language::JavaScript);
}
