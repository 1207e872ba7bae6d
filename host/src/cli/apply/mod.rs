//! `quarry apply`: a pipeline file becomes the namespace, buckets and collections of a catalog.

mod catalog;
mod collection;
mod limits;
pub mod plan;
mod step;

pub use catalog::Catalog;
pub use step::{Action, Difference, Noun, Step};

use super::options::{GlobalOptions, Output};
use super::reach::Server;
use super::{DONE, Done, printer};
use crate::config::Pipeline;
use crate::error::{Error, Result};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Makes the namespace, buckets and collections of a pipeline file, and changes those that differ
/// from it. What is there and not in the file is left alone.
#[derive(Args)]
#[command(before_help = "Example: quarry apply pipeline.toml --dry-run")]
pub(super) struct Arguments {
    /// Pipeline file
    pipeline: PathBuf,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let (pipeline, text) = Pipeline::read(&arguments.pipeline)?;
    let explain = |error: Error| Pipeline::explain(error, &arguments.pipeline, &text);
    let reach = arguments.server.reach(options, true)?;
    let pinned = catalog::check(&reach, &limits::carried(&pipeline)).map_err(explain)?;
    let namespace = pipeline.namespace.as_str();
    let mut steps = plan::compare(&pipeline, &pinned, &Catalog::read(&reach, namespace)?);
    if options.output == Output::Table {
        steps.iter().for_each(|step| printer::text(&step.line()));
    }
    let refused = steps.iter().filter(|step| !step.refusals().is_empty()).count();
    let mut done = vec![false; steps.len()];
    let mut failed = None;
    if refused == 0 && !arguments.dry_run {
        failed = act(&mut done, &steps, |step| catalog::perform(&reach, namespace, step)).err();
    }
    report(options, arguments, &steps, &done);
    if let Some(error) = failed {
        return Err(explain(error));
    }
    if refused == 0 {
        return Ok(DONE);
    }
    Err(refusal(options, &mut steps, refused, explain))
}

/// Until the first that fails: what depends on it would fail as well.
fn act(done: &mut [bool], steps: &[Step], mut act: impl FnMut(&Step) -> Result<()>) -> Result<()> {
    for (done, step) in done.iter_mut().zip(steps) {
        act(step)?;
        *done = matches!(step.action, Action::Create(_) | Action::Change { .. });
    }
    Ok(())
}

fn report(options: &GlobalOptions, arguments: &Arguments, steps: &[Step], done: &[bool]) {
    let applied = done.iter().filter(|done| **done).count();
    match options.output {
        Output::Table => {
            let count = |word: &str| steps.iter().filter(|step| step.word() == word).count();
            let verb = if arguments.dry_run { "would be applied" } else { "applied" };
            let open = count("create") + count("change");
            let told = if arguments.dry_run { open } else { applied };
            let (unchanged, refused) = (count("unchanged"), count("refused"));
            printer::text(&format!(
                "{told} of {open} changes {verb}, {unchanged} unchanged, {refused} refused"
            ));
        }
        Output::Json | Output::Ndjson => {
            let told: Vec<Value> =
                steps.iter().zip(done).map(|(step, done)| step.json(*done)).collect();
            if options.output == Output::Ndjson {
                return told.iter().for_each(|step| printer::text(&step.to_string()));
            }
            let value = json!({ "dry_run": arguments.dry_run, "applied": applied, "steps": told });
            printer::text(&value.to_string());
        }
    }
}

/// Each reason with its line of the file, for people; the error is what they come to.
fn refusal(
    options: &GlobalOptions,
    steps: &mut [Step],
    count: usize,
    explain: impl Fn(Error) -> Error,
) -> Error {
    let mut code = None;
    for step in steps {
        let Action::Refused(errors) = &mut step.action else { continue };
        for error in errors.drain(..) {
            code.get_or_insert(error.code());
            if options.output == Output::Table {
                printer::report(options, &explain(error));
            }
        }
    }
    let message = match count {
        1 => "one thing of the file is refused, so nothing was applied".to_string(),
        _ => format!("{count} things of the file are refused, so nothing was applied"),
    };
    Error::new(code.unwrap_or(crate::error::Code::Unsupported), message)
}
