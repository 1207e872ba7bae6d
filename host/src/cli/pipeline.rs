//! `quarry pipeline`.

use super::options::GlobalOptions;
use super::{DONE, Done, printer};
use crate::app::App;
use crate::config::Pipeline;
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum Command {
    #[command(before_help = "Example: quarry pipeline check pipeline.toml")]
    /// Plans a pipeline without running it: tiers, pinned extractors, vectors.
    Check { pipeline: PathBuf },
    #[command(before_help = "Example: quarry pipeline schema > pipeline.schema.json")]
    /// The JSON Schema of pipeline files.
    Schema,
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::Schema => printer::text(&format!("{:#}", Pipeline::json_schema())),
        Command::Check { pipeline: path } => {
            let (pipeline, text) = Pipeline::read(path)?;
            let app = App::open(&options.settings()?)?;
            let plan = app
                .engine
                .plan(&pipeline)
                .map_err(|error| Pipeline::explain(error, path, &text))?;
            let rows: Vec<Value> = plan
                .collections
                .iter()
                .map(|c| {
                    let vectors: Vec<&str> = c.vectors.iter().map(|v| v.name.as_str()).collect();
                    json!({
                        "tier": c.tier,
                        "collection": c.name,
                        "extractor": c.extractor.to_string(),
                        "digest": c.extractor.digest,
                        "vectors": vectors,
                    })
                })
                .collect();
            printer::list(options, &rows, &COLUMNS);
        }
    }
    Ok(DONE)
}

const COLUMNS: [printer::Column; 5] = [
    ("tier", "/tier"),
    ("collection", "/collection"),
    ("extractor", "/extractor"),
    ("digest", "/digest"),
    ("vectors", "/vectors"),
];
