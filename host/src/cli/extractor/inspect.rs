//! `quarry extractor inspect`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use super::subject::{Subject, host};
use crate::plugin::{self, Extractor};
use clap::Args;
use serde_json::json;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor inspect extractors/my-extractor.wasm")]
/// Digest, size, API version, imports, exports, capabilities, inputs, outputs and parameters of a
/// component, and the limits it would run under.
pub(in crate::cli) struct Arguments {
    /// Component file, project folder or name@version
    component: String,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let config = options.settled()?;
    let subject = Subject::find(options, &config, &arguments.component)?;
    let inspection = plugin::inspect(&subject.wasm)?;
    let host = host(&config)?;
    let component = subject.load(&host)?;
    let description = component.description();
    let limits = host.limits();
    let value = json!({
        "name": description.name,
        "version": description.version,
        "summary": description.summary,
        "path": subject.path,
        "digest": inspection.digest,
        "bytes": subject.wasm.len(),
        "api": inspection.api,
        "imports": inspection.imports,
        "exports": inspection.exports,
        "inputs": description.inputs,
        "outputs": description.outputs,
        "position": description.position,
        "queries": description.queries,
        "capabilities": description.capabilities,
        "memory_bytes": description.memory_bytes,
        "limits": {
            "memory_bytes": limits.memory_bytes_max,
            "table_elements": limits.table_elements_max,
            "call_ms": limits.call_ms_max,
            "output_bytes": limits.output_bytes_max,
            "documents_per_row": limits.documents_per_row_max,
            "log_lines": limits.log_lines_max,
            "log_line_bytes": limits.log_line_bytes_max,
            "component_bytes": limits.component_bytes_max,
            "cell_bytes": limits.cell_bytes_max,
        },
        "parameters": description.parameters,
    });
    printer::one(options, &value, &INSPECTED);
    Ok(DONE)
}

const INSPECTED: [printer::Column; 17] = [
    ("name", "/name"),
    ("version", "/version"),
    ("summary", "/summary"),
    ("path", "/path"),
    ("digest", "/digest"),
    ("bytes", "/bytes"),
    ("api", "/api"),
    ("imports", "/imports"),
    ("exports", "/exports"),
    ("capabilities", "/capabilities"),
    ("inputs", "/inputs"),
    ("outputs", "/outputs"),
    ("position", "/position"),
    ("queries", "/queries"),
    ("memory", "/memory_bytes"),
    ("limits", "/limits"),
    ("parameters", "/parameters"),
];
