//! `quarry extractor list`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use crate::app::App;
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
#[command(before_help = "Example: quarry extractor list")]
/// Extractors that pipelines can name: registered ones and those in the extractor folders.
pub(in crate::cli) struct Arguments {}

pub(super) fn run(options: &GlobalOptions, _: &Arguments) -> Done {
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

const LIST: [printer::Column; 5] = [
    ("name", "/name"),
    ("version", "/version"),
    ("state", "/state"),
    ("digest", "/digest"),
    ("path", "/path"),
];
