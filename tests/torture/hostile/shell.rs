//! Components out of small texts: `tests/guests/wat/NAME.wat` says only what is odd about one, the
//! rest is a shell around it.
//!
//! A text has sections, each begun by a line `;; @SECTION`:
//! `description` JSON in place of the usual one; `realloc` the function of that name; `memory` more
//! fields of the module that owns the memory; `main` fields of the module with the exports, of
//! which `describe`, `configure`, `run` and `embed-query` replace the usual ones; `component` more
//! fields of the component, `given` and `imports` what the main module gets of them; `http` and the
//! like (empty) an interface that is imported, too.

use super::super::fuzz::guest::EXPORTED;
use std::fmt::Write;

/// What an extractor of the shell says of itself; a text may say otherwise.
pub(crate) const DESCRIPTION: &str = r#"{"name": "NAME", "version": "1.0.0", "queries": true,
"inputs": [{"name": "text", "type": "utf8"}, {"name": "data", "type": "blob"}],
"outputs": [{"name": "text", "type": "utf8"},
{"name": "vector", "type": "dense", "dimension": 4, "distance": "dot"},
{"name": "meta", "type": "json"}], "capabilities": [ASKS]}"#;

/// Functions of the host: interface, name, type in the component, results that need memory and
/// realloc, and type in the core module.
const FUNCTIONS: &[(&str, &str, &str, &str)] = &[
    (
        "input",
        "[method]batch.rows",
        "(param \"self\" (borrow $batch)) (result u32)",
        "(param i32) (result i32)",
    ),
    (
        "input",
        "[method]batch.varlen",
        "(param \"self\" (borrow $batch)) (param \"col\" u32) \
        (param \"from\" u32) (param \"to\" u32) (result $column)",
        "(param i32 i32 i32 i32 i32)",
    ),
    (
        "input",
        "[method]batch.cell-len",
        "(param \"self\" (borrow $batch)) (param \"col\" u32) \
        (param \"row\" u32) (result (result u64 (error string)))",
        "(param i32 i32 i32 i32)",
    ),
    (
        "input",
        "[method]batch.cell-read",
        "(param \"self\" (borrow $batch)) (param \"col\" u32) \
        (param \"row\" u32) (param \"offset\" u64) (param \"len\" u32) \
        (result (result (list u8) (error string)))",
        "(param i32 i32 i32 i64 i32 i32)",
    ),
    (
        "output",
        "[method]sink.documents",
        "(param \"self\" (borrow $sink)) (param \"row\" u32) \
        (param \"counts\" (list u32)) (result u32)",
        "(param i32 i32 i32 i32) (result i32)",
    ),
    (
        "output",
        "[method]sink.vectors",
        "(param \"self\" (borrow $sink)) (param \"field\" u32) \
        (param \"first\" u32) (param \"data\" (list u8))",
        "(param i32 i32 i32 i32 i32)",
    ),
    (
        "output",
        "[method]sink.varlen",
        "(param \"self\" (borrow $sink)) (param \"field\" u32) \
        (param \"first\" u32) (param \"validity\" (list u8)) (param \"offsets\" (list u32)) \
        (param \"data\" (list u8))",
        "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)",
    ),
    (
        "output",
        "[method]sink.reject",
        "(param \"self\" (borrow $sink)) (param \"row\" u32) \
        (param \"code\" string) (param \"message\" string)",
        "(param i32 i32 i32 i32 i32 i32)",
    ),
    ("log", "write", "(param \"level\" u32) (param \"message\" string)", "(param i32 i32 i32)"),
    (
        "http",
        "send",
        "(param \"request\" $request) (result (result $response (error $refusal)))",
        "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
    ),
    ("clock", "now", "(result u64)", "(result i64)"),
    ("random", "bytes", "(param \"len\" u32) (result (list u8))", "(param i32 i32)"),
    (
        "environment",
        "get",
        "(param \"name\" string) (result (option string))",
        "(param i32 i32 i32)",
    ),
    (
        "assets",
        "size",
        "(param \"name\" string) (result (result u64 (error string)))",
        "(param i32 i32 i32)",
    ),
];

/// Types that an interface exports before its functions.
fn types(interface: &str) -> &'static str {
    match interface {
        "input" => {
            r#"(export "batch" (type $batch (sub resource)))
            (type $record (record (field "validity" (list u8)) (field "offsets" (list u32))
                (field "data" (list u8))))
            (export "varlen-column" (type $column (eq $record)))"#
        }
        "output" => r#"(export "sink" (type $sink (sub resource)))"#,
        "http" => {
            r#"(type $pair (tuple string string))
            (type $asked (record (field "method" string) (field "url" string)
                (field "headers" (list $pair)) (field "body" (list u8)) (field "timeout-ms" u32)))
            (export "request" (type $request (eq $asked)))
            (type $answered (record (field "status" u32) (field "headers" (list $pair))
                (field "body" (list u8))))
            (export "response" (type $response (eq $answered)))
            (type $refused (record (field "code" string) (field "message" string)))
            (export "error" (type $refusal (eq $refused)))"#
        }
        _ => "",
    }
}

const CAPABILITIES: [&str; 5] = ["http", "clock", "random", "environment", "assets"];
const EXPORTS: [(&str, &str); 4] = [
    ("describe", "(result i32) (call $reset) (i32.const 4)"),
    ("configure", "(param i32 i32) (result i32) (call $reset) (i32.const 0)"),
    ("embed-query", "(param i32 i32) (result i32) (call $reset) (i32.const 0)"),
    (
        "run",
        "(param $batch i32) (param $sink i32) (result i32) (local $rows i32)
        (local.set $rows (call $rows (local.get $batch)))
        (memory.fill (i32.const 0x100000) (i32.const 0)
            (i32.mul (local.get $rows) (i32.const 4)))
        (drop (call $documents (local.get $sink) (i32.const 0) (i32.const 0x100000)
            (local.get $rows)))
        (call $end (local.get $batch) (local.get $sink))",
    ),
];

/// What a text says.
#[derive(Default)]
struct Sections<'a> {
    sections: Vec<(&'a str, &'a str)>,
}

impl<'a> Sections<'a> {
    fn of(text: &'a str) -> Self {
        let mut sections = Vec::new();
        for part in text.split(";; @").skip(1) {
            let (name, body) = part.split_once('\n').unwrap_or((part, ""));
            sections.push((name.trim(), body));
        }
        Sections { sections }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.sections.iter().find(|(section, _)| *section == name).map(|(_, body)| *body)
    }
}

pub(crate) fn escape(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// The component `name` that `text` describes, in binary.
pub(crate) fn component(name: &str, text: &str) -> anyhow::Result<Vec<u8>> {
    let whole = wrapped(name, text);
    wat::parse_str(&whole).map_err(|error| anyhow::anyhow!("{name}: {error}"))
}

fn wrapped(name: &str, text: &str) -> String {
    let sections = Sections::of(text);
    let capabilities: Vec<&str> =
        CAPABILITIES.into_iter().filter(|one| sections.get(one).is_some()).collect();
    let interfaces = || ["input", "output", "log"].into_iter().chain(capabilities.iter().copied());
    let asks: Vec<String> = capabilities
        .iter()
        .map(|one| match *one {
            "environment" => "\"env:QUARRY_PROBE\"".to_string(),
            one => format!("\"{one}\""),
        })
        .collect();
    let description = sections.get("description").unwrap_or(DESCRIPTION).trim();
    let description = description.replace("NAME", name).replace("ASKS", &asks.join(", "));
    let main = sections.get("main").unwrap_or("");
    let mut whole = "(component\n".to_string();
    for interface in interfaces() {
        let _ = write!(
            whole,
            "(import \"quarry:extractor/{interface}@0.1.0\" (instance ${interface} {}",
            types(interface)
        );
        for (_, function, kind, _) in functions(interface) {
            let _ = write!(whole, "\n(export \"{function}\" (func {kind}))");
        }
        whole.push_str("))\n");
    }
    whole.push_str("(alias export $input \"batch\" (type $batch))\n");
    whole.push_str("(alias export $output \"sink\" (type $sink))\n");
    let _ = write!(whole, "{}", memory(&description, &sections));
    let mut imports = String::new();
    let mut given = String::new();
    for interface in interfaces() {
        for (_, function, _, core) in functions(interface) {
            let short = short(interface, function);
            let _ = writeln!(
                whole,
                "(core func ${short} (canon lower (func ${interface} \"{function}\") \
                 (memory $bytes) (realloc $realloc)))"
            );
            let _ = writeln!(imports, "(import \"h\" \"{short}\" (func ${short} {core}))");
            let _ = writeln!(given, "(export \"{short}\" (func ${short}))");
        }
    }
    for resource in ["batch", "sink"] {
        let _ = writeln!(whole, "(core func $drop-{resource} (canon resource.drop ${resource}))");
        let _ = writeln!(
            imports,
            "(import \"h\" \"drop-{resource}\" (func $drop-{resource} (param i32)))"
        );
        let _ = writeln!(given, "(export \"drop-{resource}\" (func $drop-{resource}))");
    }
    whole.push_str(sections.get("component").unwrap_or(""));
    let more = sections.get("given").unwrap_or("");
    let own = sections.get("imports").unwrap_or("");
    let _ = write!(
        whole,
        "(core module $main (import \"m\" \"memory\" (memory 80))
        (import \"m\" \"reset\" (func $reset))\n{imports}{own}
        (func $end (param $batch i32) (param $sink i32) (result i32)
            (call $drop-batch (local.get $batch)) (call $drop-sink (local.get $sink))
            (call $reset) (i32.const 0))\n{main}\n"
    );
    for (export, usual) in EXPORTS {
        if !main.contains(&format!("(export \"{export}\")")) {
            let _ = writeln!(whole, "(func (export \"{export}\") {usual})");
        }
    }
    let _ = write!(
        whole,
        ")\n(core instance $i (instantiate $main (with \"m\" (instance $m))
        (with \"h\" (instance {given} {more}))))\n{EXPORTED}"
    );
    whole
}

/// At 0 is the result `ok(description)`, at 4 the string, at 32 its bytes. What the host passes in
/// lies from 2 MiB on, until the call ends.
fn memory(description: &str, sections: &Sections<'_>) -> String {
    let usual = "(func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
        (global.set $next (i32.add (local.get $at) (local.get 3)))
        (local.get $at))";
    format!(
        "(core module $memory
        (memory (export \"memory\") 80)
        (global $next (mut i32) (i32.const 0x200000))
        (func (export \"reset\") (global.set $next (i32.const 0x200000)))
        {realloc}\n{more}
        (data (i32.const 4) \"\\20\\00\\00\\00{length}\")
        (data (i32.const 32) \"{bytes}\"))
        (core instance $m (instantiate $memory))
        (alias core export $m \"memory\" (core memory $bytes))
        (alias core export $m \"realloc\" (core func $realloc))\n",
        realloc = sections.get("realloc").unwrap_or(usual),
        more = sections.get("memory").unwrap_or(""),
        length = escape(&(description.len() as u32).to_le_bytes()),
        bytes = escape(description.as_bytes()),
    )
}

fn functions(
    interface: &str,
) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str, &'static str)> {
    let interface = interface.to_string();
    FUNCTIONS.iter().filter(move |(of, ..)| *of == interface)
}

/// `rows` for `[method]batch.rows`, `pull` for its `varlen`, `clock-now` for `now` of `clock`.
fn short(interface: &str, function: &str) -> String {
    match (interface, function.rsplit_once('.')) {
        ("input", Some((_, "varlen"))) => "pull".to_string(),
        (_, Some((_, method))) => method.to_string(),
        ("log", None) => function.to_string(),
        (_, None) => format!("{interface}-{function}"),
    }
}
