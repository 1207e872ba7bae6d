//! `quarry extractor check`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use super::subject::{Subject, Trying, host};
use crate::plugin::audit::{Verdict, audit};
use clap::Args;
use serde_json::{Value, json};

const FAILED: u8 = 1;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor check my-extractor/")]
/// Checks everything a host asks of a component: size, API version, world, imports, description,
/// parameter schema and defaults.
pub(in crate::cli) struct Arguments {
    /// Project folder, component file or name@version
    extractor: String,
    #[command(flatten)]
    trying: Trying,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let config = arguments.trying.settled(options)?;
    let parameters = arguments.trying.parameters()?.unwrap_or(json!({}));
    let subject = Subject::find(options, &config, &arguments.extractor)?;
    let checks = audit(&host(&config)?, &subject.wasm, &parameters);
    let rows: Vec<Value> = checks.iter().map(|check| json!(check)).collect();
    printer::list(options, &rows, &CHECKED);
    for check in &checks {
        if let (Verdict::Failed, Some(hint)) = (check.verdict, &check.hint) {
            printer::note(options, &format!("hint: {}: {hint}", check.check));
        }
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Failed);
    Ok(if failed { FAILED } else { DONE })
}

const CHECKED: [printer::Column; 3] =
    [("check", "/check"), ("verdict", "/verdict"), ("detail", "/detail")];
