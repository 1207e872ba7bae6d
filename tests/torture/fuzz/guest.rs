//! Components in WebAssembly text: one that does whatever a script says, and what they share.

use quarry::plugin::Limits;

/// A script is the number of its steps, the steps and data; a step is its number and this many
/// arguments, all little-endian u32.
pub(crate) const ARGUMENTS: usize = 8;
pub(crate) const STEP_BYTES: usize = 4 * (1 + ARGUMENTS);

/// Numbers of the steps, and which arguments are places: bytes from the start of the script.
pub(crate) const DOCUMENTS: u32 = 0;
pub(crate) const VECTORS: u32 = 1;
pub(crate) const SPARSE: u32 = 2;
pub(crate) const FIXED: u32 = 3;
pub(crate) const VARLEN: u32 = 4;
pub(crate) const REJECT: u32 = 5;
pub(crate) const LOG: u32 = 6;
pub(crate) const PLACES: [&[usize]; 7] =
    [&[1], &[2], &[2, 4, 6], &[2, 4], &[2, 4, 6], &[1, 3], &[1]];

/// Small, so that inputs of some KiB reach them.
pub(crate) fn limits() -> Limits {
    Limits {
        memory_bytes_max: 8 << 20,
        call_ms_max: 5_000,
        output_bytes_max: 1 << 20,
        documents_per_row_max: 50,
        log_lines_max: 10,
        log_line_bytes_max: 100,
        component_bytes_max: 1 << 20,
        ..Limits::default()
    }
}

/// What `configure` answers.
pub(crate) enum Configure {
    /// What `describe` does.
    Description,
    /// The parameters it got.
    Parameters,
}

/// A component that describes itself by `description`, answers a query with the query and runs the
/// script in the first row of its first input.
pub(crate) fn scripted(description: &str, configure: &Configure) -> Vec<u8> {
    let length = escape(&(description.len() as u32).to_le_bytes());
    let bytes = escape(description.as_bytes());
    let argument = |n: usize| format!("(i32.load offset={} (local.get $at))", 4 + 4 * n);
    let step = |number: u32, name: &str, count: usize| {
        let places = PLACES[number as usize];
        let arguments: String = (0..count)
            .map(|n| match places.contains(&n) {
                true => format!("(i32.add {} (local.get $base))", argument(n)),
                false => argument(n),
            })
            .collect();
        let first = if number == LOG { "" } else { "(local.get $sink)" };
        let call = format!("(call ${name} {first} {arguments})");
        let call = if number == DOCUMENTS { format!("(drop {call})") } else { call };
        format!("(if (i32.eq (local.get $op) (i32.const {number})) (then {call}))\n")
    };
    let steps = [
        step(DOCUMENTS, "documents", 3),
        step(VECTORS, "vectors", 4),
        step(SPARSE, "sparse", 8),
        step(FIXED, "fixed", 6),
        step(VARLEN, "push", 8),
        step(REJECT, "reject", 5),
        step(LOG, "write", 3),
    ]
    .concat();
    let echo = "(i32.store (i32.const 20) (local.get 0)) (i32.store (i32.const 24) (local.get 1))
        (call $reset) (i32.const 16)";
    let configure = match configure {
        Configure::Description => "(call $reset) (i32.const 0)",
        Configure::Parameters => echo,
    };
    let text = format!("{TEMPLATE}{EXPORTED}")
        .replace("LENGTH", &length)
        .replace("BYTES", &bytes)
        .replace("STEPS", &steps)
        .replace("CONFIGURE", configure)
        .replace("ECHO", echo);
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn escape(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// At 0 is the result `ok(description)`, at 4 the string, at 32 its bytes; at 16 the answer to a
/// query. Whatever the host passes in lies from 1 MiB on, until the call ends.
const TEMPLATE: &str = r#"(component
(import "quarry:extractor/input@0.1.0" (instance $input
    (export "batch" (type $batch (sub resource)))
    (type $record (record
        (field "validity" (list u8)) (field "offsets" (list u32)) (field "data" (list u8))))
    (export "varlen-column" (type $column (eq $record)))
    (export "[method]batch.varlen" (func (param "self" (borrow $batch)) (param "col" u32)
        (param "from" u32) (param "to" u32) (result $column)))))
(import "quarry:extractor/output@0.1.0" (instance $output
    (export "sink" (type $sink (sub resource)))
    (export "[method]sink.documents" (func (param "self" (borrow $sink)) (param "row" u32)
        (param "counts" (list u32)) (result u32)))
    (export "[method]sink.vectors" (func (param "self" (borrow $sink)) (param "field" u32)
        (param "first" u32) (param "data" (list u8))))
    (export "[method]sink.sparse" (func (param "self" (borrow $sink)) (param "field" u32)
        (param "first" u32) (param "offsets" (list u32)) (param "indices" (list u32))
        (param "values" (list u8))))
    (export "[method]sink.fixed" (func (param "self" (borrow $sink)) (param "field" u32)
        (param "first" u32) (param "validity" (list u8)) (param "data" (list u8))))
    (export "[method]sink.varlen" (func (param "self" (borrow $sink)) (param "field" u32)
        (param "first" u32) (param "validity" (list u8)) (param "offsets" (list u32))
        (param "data" (list u8))))
    (export "[method]sink.reject" (func (param "self" (borrow $sink)) (param "row" u32)
        (param "code" string) (param "message" string)))))
(import "quarry:extractor/log@0.1.0" (instance $log
    (export "write" (func (param "level" u32) (param "message" string)))))
(alias export $input "batch" (type $batch))
(alias export $output "sink" (type $sink))
(core module $memory
    (memory (export "memory") 80)
    (global $next (mut i32) (i32.const 0x100000))
    (func (export "reset") (global.set $next (i32.const 0x100000)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
        (global.set $next (i32.add (local.get $at) (local.get 3)))
        (local.get $at))
    (data (i32.const 4) "\20\00\00\00LENGTH")
    (data (i32.const 32) "BYTES"))
(core instance $m (instantiate $memory))
(alias core export $m "memory" (core memory $bytes))
(alias core export $m "realloc" (core func $realloc))
(core func $pull (canon lower (func $input "[method]batch.varlen")
    (memory $bytes) (realloc $realloc)))
(core func $drop-batch (canon resource.drop $batch))
(core func $drop-sink (canon resource.drop $sink))
(core func $documents (canon lower (func $output "[method]sink.documents") (memory $bytes)))
(core func $vectors (canon lower (func $output "[method]sink.vectors") (memory $bytes)))
(core func $sparse (canon lower (func $output "[method]sink.sparse") (memory $bytes)))
(core func $fixed (canon lower (func $output "[method]sink.fixed") (memory $bytes)))
(core func $push (canon lower (func $output "[method]sink.varlen") (memory $bytes)))
(core func $reject (canon lower (func $output "[method]sink.reject") (memory $bytes)))
(core func $write (canon lower (func $log "write") (memory $bytes)))
(core module $main
    (import "m" "memory" (memory 80))
    (import "m" "reset" (func $reset))
    (import "h" "pull" (func $pull (param i32 i32 i32 i32 i32)))
    (import "h" "drop-batch" (func $drop-batch (param i32)))
    (import "h" "drop-sink" (func $drop-sink (param i32)))
    (import "h" "documents" (func $documents (param i32 i32 i32 i32) (result i32)))
    (import "h" "vectors" (func $vectors (param i32 i32 i32 i32 i32)))
    (import "h" "sparse"
        (func $sparse (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "h" "fixed" (func $fixed (param i32 i32 i32 i32 i32 i32 i32)))
    (import "h" "push" (func $push (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "h" "reject" (func $reject (param i32 i32 i32 i32 i32 i32)))
    (import "h" "write" (func $write (param i32 i32 i32)))
    (func (export "describe") (result i32) (call $reset) (i32.const 4))
    (func (export "configure") (param i32 i32) (result i32) CONFIGURE)
    (func (export "embed-query") (param i32 i32) (result i32) ECHO)
    (func (export "run") (param $batch i32) (param $sink i32) (result i32)
        (local $base i32) (local $at i32) (local $left i32) (local $op i32)
        (call $pull (local.get $batch) (i32.const 0) (i32.const 0) (i32.const 1)
            (i32.const 65504))
        (local.set $base (i32.load (i32.const 65520)))
        (local.set $left (i32.load (local.get $base)))
        (local.set $at (i32.add (local.get $base) (i32.const 4)))
        (block $done (loop $next
            (br_if $done (i32.eqz (local.get $left)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (local.set $op (i32.load (local.get $at)))
            STEPS
            (local.set $at (i32.add (local.get $at) (i32.const 36)))
            (br $next)))
        (call $drop-batch (local.get $batch))
        (call $drop-sink (local.get $sink))
        (call $reset)
        (i32.const 0)))
(core instance $i (instantiate $main
    (with "m" (instance $m))
    (with "h" (instance
        (export "pull" (func $pull))
        (export "drop-batch" (func $drop-batch))
        (export "drop-sink" (func $drop-sink))
        (export "documents" (func $documents))
        (export "vectors" (func $vectors))
        (export "sparse" (func $sparse))
        (export "fixed" (func $fixed))
        (export "push" (func $push))
        (export "reject" (func $reject))
        (export "write" (func $write))))))"#;

/// The end of a component's text: the functions of its core instance `$i` as the contract has them.
pub(crate) const EXPORTED: &str = r#"
(func $describe (result string) (canon lift (core func $i "describe") (memory $bytes)))
(func $configure (param "parameters" string) (result (result string (error string)))
    (canon lift (core func $i "configure") (memory $bytes) (realloc $realloc)))
(func $run (param "input" (borrow $batch)) (param "output" (borrow $sink))
    (result (result (error string)))
    (canon lift (core func $i "run") (memory $bytes) (realloc $realloc)))
(func $embed-query (param "text" string) (result (result string (error string)))
    (canon lift (core func $i "embed-query") (memory $bytes) (realloc $realloc)))
(instance $extractor
    (export "describe" (func $describe))
    (export "configure" (func $configure))
    (export "run" (func $run))
    (export "embed-query" (func $embed-query)))
(export "quarry:extractor/extractor@0.1.0" (instance $extractor)))"#;
