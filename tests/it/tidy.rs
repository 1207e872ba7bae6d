//! House rules over the files git tracks. Every test reports all places that break its rule.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const FILE_LINES_MAX: usize = 500;
const LINE_COLUMNS_MAX: usize = 100;
const ARCHITECTURE_LINES_MAX: usize = 150;
/// How far above an `unsafe` its reason may stand.
const SAFETY_LINES_MAX: usize = 8;

/// A crate and the only places of the host that may name it.
const OWNERS: [(&str, &[&str]); 9] = [
    ("wasmtime", &["plugin"]),
    ("sled", &["store"]),
    ("parquet", &["manifest", "artifact"]),
    ("object_store", &["manifest", "artifact"]),
    ("qdrant_edge", &["sink"]),
    ("qdrant_client", &["sink"]),
    ("clap", &["cli", "main"]),
    ("axum", &["api"]),
    ("reqwest", &["client", "net", "telemetry", "webhook"]),
];

/// Modules of the host from the bottom up. A module imports from layers below its own, no sibling.
const LAYERS: [&[&str]; 7] = [
    &["model", "error", "config", "env", "durable", "net"],
    &["store", "artifact", "manifest", "plugin", "sink", "webhook", "client", "telemetry"],
    &["engine", "package"],
    &["control"],
    &["app", "api"],
    &["admin"],
    &["cli"],
];

struct File {
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_test(&self) -> bool {
        let stem = Path::new(&self.path).file_stem().unwrap_or_default();
        self.path.split('/').any(|part| part == "tests") || stem == "tests" || stem == "testing"
    }

    /// The module of the host this file belongs to.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("host/src/")?;
        Some(inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs"))
    }

    /// Numbered lines with code that ships: no comments, no test modules.
    fn code(&self) -> Vec<(usize, &str)> {
        let mut lines = Vec::new();
        let mut test_module: Option<&str> = None;
        let mut after_cfg_test = false;
        for (number, line) in (1..).zip(self.text.lines()) {
            let word = line.trim_start();
            if let Some(indent) = test_module {
                if line.strip_prefix(indent) == Some("}") {
                    test_module = None;
                }
            } else if word.starts_with("#[cfg(test)]") {
                after_cfg_test = true;
            } else if after_cfg_test && line.ends_with('{') {
                test_module = Some(&line[..line.len() - word.len()]);
                after_cfg_test = false;
            } else if !word.starts_with("//") {
                after_cfg_test = false;
                lines.push((number, line));
            }
        }
        lines
    }
}

fn root() -> PathBuf {
    // At run time, not compile time: checkouts may share a target directory.
    let host = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    host.parent().unwrap().to_owned()
}

/// The tracked text files that are there.
fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let root = root();
        let mut git = Command::new("git");
        git.args(["-c", "safe.directory=*", "ls-files", "-z"]).current_dir(&root);
        let listed = git.output().expect("git is installed");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let paths = String::from_utf8(listed.stdout).unwrap();
        let texts = paths.split_terminator('\0').filter_map(|path| {
            let text = std::fs::read_to_string(root.join(path)).ok()?;
            Some(File { path: path.to_owned(), text })
        });
        texts.filter(|file| !file.text.contains('\0')).collect()
    })
}

fn rust() -> impl Iterator<Item = &'static File> {
    files().iter().filter(|file| file.is_rust())
}

#[track_caller]
fn report(rule: &str, violations: Vec<String>) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}

/// The places in shipped code where `broken` finds something, as `file:line: what`.
fn places(
    files: impl Iterator<Item = &'static File>,
    broken: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let lines = file.code().into_iter().filter(|(_, line)| broken(line));
        found
            .extend(lines.map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim())));
    }
    found
}

/// Whether `text` has `word` standing by itself.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

#[test]
fn no_rust_file_is_longer_than_its_reader_can_bear() {
    let long = rust().map(|file| (file, file.text.lines().count()));
    let long = long.filter(|(_, lines)| *lines > FILE_LINES_MAX);
    let long = long.map(|(file, lines)| format!("{}:{lines}: {lines} lines", file.path));
    report("a Rust file has at most 500 lines", long.collect());
}

#[test]
fn no_line_of_rust_is_wider_than_100_columns() {
    let mut wide = Vec::new();
    for file in rust() {
        for (number, line) in (1..).zip(file.text.lines()) {
            // A URL cannot be broken; a test's fixture reads worse when it is.
            let excused = line.contains("://") || (file.is_test() && line.contains('"'));
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX && !excused {
                wide.push(format!("{}:{number}: {columns} columns", file.path));
            }
        }
    }
    report("a line has at most 100 columns", wide);
}

#[test]
fn every_file_is_named_for_what_is_in_it() {
    const EMPTY_NAMES: [&str; 8] =
        ["utils", "util", "helpers", "helper", "common", "manager", "service", "misc"];
    let named = |part: &str| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part));
    let bad = files().iter().filter(|file| file.path.split('/').any(named));
    report("a name says what is inside", bad.map(|file| format!("{}:1", file.path)).collect());
}

#[test]
fn every_heavy_dependency_stays_in_the_module_that_owns_it() {
    let mut found = Vec::new();
    for (name, owners) in OWNERS {
        let foreign = rust().filter(|file| !file.is_test());
        let foreign =
            foreign.filter(|file| file.module().is_some_and(|own| !owners.contains(&own)));
        let path = format!("{name}::");
        let uses = |line: &str| {
            line.match_indices(&path).any(|(at, _)| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            })
        };
        found.extend(places(foreign, uses));
    }
    report("a heavy dependency has one owner", found);
}

#[test]
fn modules_import_only_from_the_layers_below_them() {
    let mut found = Vec::new();
    for file in rust().filter(|file| !file.is_test()) {
        let Some(own) = file.module().filter(|own| layer(own).is_some()) else { continue };
        let lines = file.code();
        let code: Vec<&str> = lines.iter().map(|(_, line)| *line).collect();
        for (row, other) in imports(&code.join("\n")) {
            if !may_import(own, &other) {
                found.push(format!("{}:{}: {own} imports {other}", file.path, lines[row].0));
            }
        }
    }
    report("imports point downwards", found);
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn may_import(own: &str, other: &str) -> bool {
    let (Some(from), Some(to)) = (layer(own), layer(other)) else { return true };
    match (own, other) {
        _ if own == other => true,
        ("manifest", "artifact") => true,
        // The command line shows what the other layers know; it owns nothing but clap.
        ("cli", _) => true,
        _ => to < from || (from == 0 && to == 0),
    }
}

/// The modules named by `crate::x` and `crate::{x, y::z}`, with the row each stands in.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let start = at + path.len();
        let mut depth = 0;
        let mut word = String::new();
        let mut first = true;
        for (offset, c) in code[start..].char_indices() {
            let row = code[..start + offset].matches('\n').count();
            if c.is_alphanumeric() || c == '_' {
                word.push(c);
                continue;
            }
            if first && depth < 2 && !word.is_empty() {
                found.push((row, word.clone()));
                first = false;
            }
            word.clear();
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => first = true,
                _ => {}
            }
            if depth <= 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn the_import_reader_understands_groups() {
    let check = |code: &str, expected: &[&str]| {
        let names: Vec<String> = imports(code).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, expected, "{code}");
    };
    check("use crate::model::Id;", &["model"]);
    check("use crate::{model::{Id, Name}, error::Error,\n store};", &["model", "error", "store"]);
    check("let a: crate::sink::Point = crate::env::now();", &["sink", "env"]);
}

#[test]
fn a_failure_is_an_error_and_no_panic_outside_tests() {
    let call = concat!(".unwrap", "()");
    let shipped = rust().filter(|file| !file.is_test());
    report("no unwrap outside tests", places(shipped, |line| line.contains(call)));
}

#[test]
fn every_unsafe_says_why_it_is_sound() {
    let mut found = Vec::new();
    for file in rust() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in file.code() {
            let code = line.split("//").next().unwrap_or(line);
            let block = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait"];
            let above = &lines[number.saturating_sub(SAFETY_LINES_MAX)..number];
            let said = |line: &&str| line.contains("SAFETY:") || line.contains("# Safety");
            let here = block.iter().any(|start| has_word(code, start)) && !code.contains('"');
            if here && !above.iter().any(said) {
                found.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    report("unsafe has a `// SAFETY:` above it", found);
}

#[test]
fn no_file_knows_where_somebody_s_home_is() {
    let homes = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
    let mut found = Vec::new();
    for file in files() {
        for (number, line) in (1..).zip(file.text.lines()) {
            let named = |home: &&str| {
                line.match_indices(*home).any(|(at, home)| {
                    let before = line[..at].chars().next_back();
                    let after = line[at + home.len()..].chars().next();
                    !before.is_some_and(|c| c.is_alphanumeric() || "_-.}/$~".contains(c))
                        && after.is_some_and(|c| c.is_alphanumeric() || c == '.')
                })
            };
            if homes.iter().any(named) {
                found.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    report("no absolute home paths", found);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let macros = [concat!("to", "do!("), concat!("unimple", "mented!(")];
    let mut found = Vec::new();
    for file in files().iter().filter(|file| !file.path.ends_with(".lock")) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let marked = marks.iter().any(|mark| has_word(line, mark));
            if marked || (file.is_rust() && macros.iter().any(|mark| line.contains(mark))) {
                found.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    report("finish it or file an issue", found);
}

#[test]
fn every_hostile_guest_is_met_by_a_test() {
    let guests: BTreeSet<&str> = files()
        .iter()
        .filter_map(|file| file.path.strip_prefix("tests/guests/")?.split_once('/'))
        .map(|(guest, _)| guest)
        .collect();
    let tests: Vec<&File> = rust().filter(|file| file.path.starts_with("tests/it/")).collect();
    let unused = guests.into_iter().filter(|guest| {
        let name = format!("\"{guest}\"");
        !tests.iter().any(|test| test.text.contains(&name))
    });
    let unused = unused.map(|guest| format!("tests/guests/{guest}/Cargo.toml:1"));
    report("a test under tests/it names every guest, as a string", unused.collect());
}

#[test]
fn the_architecture_fits_in_one_sitting() {
    let page = files().iter().find(|file| file.path == "ARCHITECTURE.md");
    let lines = page.map_or(0, |page| page.text.lines().count());
    let long = (lines > ARCHITECTURE_LINES_MAX).then(|| format!("ARCHITECTURE.md:{lines}"));
    report("ARCHITECTURE.md has at most 150 lines", long.into_iter().collect());
}
