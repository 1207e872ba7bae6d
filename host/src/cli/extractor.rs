//! `quarry extractor`.

use super::options::GlobalOptions;
use super::{DONE, Done, printer};
use crate::app::App;
use crate::error::{Code, Context, Error};
use crate::plugin::{self, Extractor, Host, Limits};
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum Command {
    #[command(before_help = "Example: quarry extractor build my-extractor/")]
    /// Compiles a crate to a component: needs cargo; gets the wasm target when it is missing.
    Build {
        /// Folder of the crate
        directory: PathBuf,
        /// Where the component goes
        #[arg(short, long, value_name = "DIR", default_value = "extractors")]
        out: PathBuf,
    },
    #[command(before_help = "Example: quarry extractor inspect extractors/my-extractor.wasm")]
    /// Digest, API version, imports, inputs, outputs and parameters of a component.
    Inspect { component: PathBuf },
    #[command(before_help = "Example: quarry extractor list")]
    /// Extractors that pipelines can name: registered ones and those in the extractor folders.
    List,
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::Build { directory, out } => build(options, directory, out),
        Command::Inspect { component } => inspect(options, component),
        Command::List => list(options),
    }
}

fn build(options: &GlobalOptions, directory: &Path, out: &Path) -> Done {
    let request = quarry_build::Request {
        directory: directory.to_path_buf(),
        target: options.data_dir()?.join("build"),
        out: out.to_path_buf(),
    };
    let built = quarry_build::build(&request)
        .map_err(|error| Error::new(Code::Extractor, format!("{error:#}")))?;
    let value = json!({
        "name": built.name,
        "version": built.version,
        "digest": built.sha256,
        "path": built.path,
        "bytes": built.bytes.len(),
    });
    printer::one(options, &value, &BUILT);
    Ok(DONE)
}

fn inspect(options: &GlobalOptions, path: &Path) -> Done {
    let wasm = std::fs::read(path)
        .context(Code::NotFound, || format!("can not read {}", path.display()))?;
    let inspection = plugin::inspect(&wasm)?;
    let host = Host::new(None, Limits::default())?;
    let component = host.load(&wasm)?;
    let description = component.description();
    let value = json!({
        "name": description.name,
        "version": description.version,
        "summary": description.summary,
        "digest": inspection.digest,
        "bytes": wasm.len(),
        "api": inspection.api,
        "imports": inspection.imports,
        "exports": inspection.exports,
        "inputs": description.inputs,
        "outputs": description.outputs,
        "position": description.position,
        "queries": description.queries,
        "capabilities": description.capabilities,
        "parameters": description.parameters,
    });
    printer::one(options, &value, &INSPECTED);
    Ok(DONE)
}

fn list(options: &GlobalOptions) -> Done {
    let app = App::open(&options.settings()?)?;
    let registered = app.engine.store.extractors()?;
    let mut rows: Vec<Value> = registered
        .iter()
        .map(|r| {
            json!({ "name": r.name, "version": r.version, "digest": r.digest,
                    "state": "registered", "path": null })
        })
        .collect();
    for found in app.engine.registry.find()? {
        let known = registered.iter().any(|r| r.digest == found.digest);
        if !known {
            rows.push(json!({ "name": found.name, "version": found.version,
                "digest": found.digest, "state": "found", "path": found.path }));
        }
    }
    printer::list(options, &rows, &LIST);
    Ok(DONE)
}

const BUILT: [printer::Column; 5] = [
    ("name", "/name"),
    ("version", "/version"),
    ("digest", "/digest"),
    ("component", "/path"),
    ("bytes", "/bytes"),
];

const INSPECTED: [printer::Column; 12] = [
    ("name", "/name"),
    ("version", "/version"),
    ("summary", "/summary"),
    ("digest", "/digest"),
    ("bytes", "/bytes"),
    ("api", "/api"),
    ("imports", "/imports"),
    ("inputs", "/inputs"),
    ("outputs", "/outputs"),
    ("position", "/position"),
    ("queries", "/queries"),
    ("parameters", "/parameters"),
];

const LIST: [printer::Column; 5] = [
    ("name", "/name"),
    ("version", "/version"),
    ("state", "/state"),
    ("digest", "/digest"),
    ("path", "/path"),
];
