//! `quarry extractor test`.

use super::super::options::{GlobalOptions, Output};
use super::super::{DONE, Done, printer};
use super::subject::{CallLimits, Granting, Subject, bytes, failure, host, name_of, nanos, told};
use super::{again, roots, watched};
use crate::engine::trial::{self, Difference, Fixture, Outcome, Project, Trial, differences};
use crate::error::{Error, Result};
use crate::plugin::rows::{self, Row};
use crate::plugin::{Component, Extractor, Instance};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const FAILED: u8 = 1;
/// Differences of a fixture that are shown.
const SHOWN: usize = 20;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor test my-extractor/")]
/// Runs fixtures/*.json through the real host with its limits on and compares what comes out with
/// expected/*.json, once in one call and once row by row.
pub(in crate::cli) struct Arguments {
    /// Project folder, component file or name@version
    extractor: String,
    /// Folder with fixtures/ and expected/ [default: the project folder, else the current one]
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Write what comes out to expected/
    #[arg(long)]
    update: bool,
    /// Test again whenever a source or a fixture changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    granting: Granting,
    #[command(flatten)]
    limits: CallLimits,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let named = Path::new(&arguments.extractor);
    let project = match (&arguments.project, named.is_dir()) {
        (Some(folder), _) => Project::of(folder),
        (None, true) => Project::of(named),
        (None, false) => Project::of("."),
    };
    let mut watched = watched(&arguments.extractor);
    watched.extend([project.folder.join("fixtures"), project.folder.join("expected")]);
    let roots = roots(options, watched, &[])?;
    again(options, arguments.watch, &roots, &mut || once(options, arguments, &project))
}

fn once(options: &GlobalOptions, arguments: &Arguments, project: &Project) -> Done {
    let config = arguments.limits.settled(options)?;
    let subject = Subject::find(options, &config, &arguments.extractor)?;
    let component = subject.load(&host(&config)?)?;
    arguments.granting.apply(&component);
    let extractor = name_of(&component);
    let fixtures = project.fixtures()?;
    let mut tested = Vec::new();
    for fixture in &fixtures {
        tested.push(test(&component, project, fixture, arguments.update)?);
    }
    let unused = project.unused(&fixtures)?;
    let failed = tested.iter().filter(|tested| tested.verdict == "failed").count();
    let shown: Vec<Value> = tested.iter().map(|tested| tested.value(&extractor)).collect();
    match options.output {
        Output::Table => {
            let rows: Vec<Value> = shown.into_iter().map(readable).collect();
            printer::list(options, &rows, &TESTED);
            tested.iter().for_each(|tested| tested.explain(&extractor));
        }
        Output::Json | Output::Ndjson => {
            let value = json!({
                "extractor": extractor,
                "digest": component.digest(),
                "passed": tested.len() - failed,
                "failed": failed,
                "fixtures": shown,
                "unused": unused,
            });
            printer::one(options, &value, &[]);
        }
    }
    for path in &unused {
        printer::note(options, &format!("{} belongs to no fixture", path.display()));
    }
    if failed > 0 {
        printer::note(options, "hint: --update writes what came out to expected/");
    }
    Ok(if failed > 0 { FAILED } else { DONE })
}

/// How a fixture went.
struct Tested<'a> {
    fixture: &'a Fixture,
    verdict: &'static str,
    trial: Trial,
    differences: Vec<Difference>,
    /// What is wrong besides.
    wrong: Vec<String>,
}

fn test<'a>(
    component: &Component,
    project: &Project,
    fixture: &'a Fixture,
    update: bool,
) -> Result<Tested<'a>> {
    let mut instance = component.instantiate(&fixture.parameters).map_err(|error| {
        let pointer = format!("/parameters{}", error.field_name().unwrap_or_default());
        let message = format!("{} does not fit", fixture.path.display());
        Error::new(error.code(), message).source(error).field(pointer)
    })?;
    let input = fixture.input(instance.description())?;
    let trial = trial::run(instance.as_mut(), &input);
    let mut wrong = Vec::new();
    let queries = answers(instance.as_mut(), fixture, &mut wrong);
    let outcome = Outcome::of(&trial, queries);
    let mut tested = Tested { fixture, verdict: "ok", trial, differences: Vec::new(), wrong };
    if tested.trial.failed.is_empty() && tested.wrong.is_empty() {
        let mut alone = component.instantiate(&fixture.parameters)?;
        let other = Outcome { queries: outcome.queries.clone(), ..each(alone.as_mut(), &input) };
        if let Some(first) = differences(&outcome, &other).first() {
            let hint = "the documents of a row depend on the rows beside it";
            tested.wrong.push(format!("{hint}: alone, {first}"));
        }
    }
    if !tested.trial.failed.is_empty() || !tested.wrong.is_empty() {
        tested.verdict = "failed";
        return Ok(tested);
    }
    let expected = project.expected(&fixture.name);
    if update {
        let same = expected.is_ok_and(|known| known.is_some_and(|known| known == outcome));
        if !same {
            project.update(&fixture.name, &outcome)?;
            tested.verdict = "updated";
        }
        return Ok(tested);
    }
    match expected? {
        None => {
            let path = project.expected_path(&fixture.name);
            tested.wrong.push(format!("there is no {}", path.display()));
        }
        Some(expected) => {
            let expected = expected.as_made(instance.description());
            tested.differences = differences(&expected, &outcome);
        }
    }
    if !tested.differences.is_empty() || !tested.wrong.is_empty() {
        tested.verdict = "failed";
    }
    Ok(tested)
}

fn answers(instance: &mut dyn Instance, fixture: &Fixture, wrong: &mut Vec<String>) -> Vec<Row> {
    let mut answers = Vec::new();
    for (at, query) in fixture.queries.iter().enumerate() {
        match instance.embed_query(query) {
            Ok(vectors) => answers.push(rows::vectors_of(&vectors)),
            Err(error) => wrong.push(format!("query {at}: {}", error.chain())),
        }
    }
    answers
}

/// What comes out when every row is a call of its own.
fn each(instance: &mut dyn Instance, input: &crate::plugin::Input) -> Outcome {
    let mut outcome = Outcome::default();
    for (row, trial) in trial::run_each(instance, input).into_iter().enumerate() {
        outcome.documents.extend(trial.documents.into_iter().map(|mut made| {
            made.row = row;
            made
        }));
        outcome.rejected.extend(trial.rejected.into_iter().map(|mut rejected| {
            rejected.row = row;
            rejected
        }));
    }
    outcome
}

impl Tested<'_> {
    fn value(&self, extractor: &str) -> Value {
        let rows = self.fixture.rows.len();
        let row_ns = self.trial.took.as_nanos() as f64 / rows as f64;
        let failed: Vec<Value> =
            self.trial.failed.iter().map(|failed| failure(extractor, failed)).collect();
        json!({
            "fixture": self.fixture.name,
            "verdict": self.verdict,
            "rows": rows,
            "documents": self.trial.documents.len(),
            "rejected": self.trial.rejected.len(),
            "row_ns": row_ns,
            "memory_bytes": self.trial.memory_bytes,
            "time a row": nanos(row_ns),
            "differences": self.differences,
            "failed": failed,
            "wrong": self.wrong,
            "log": self.trial.log,
        })
    }

    fn explain(&self, extractor: &str) {
        let name = &self.fixture.name;
        for failed in &self.trial.failed {
            let row = format!("{name}: row {}", failed.row);
            printer::text(&told(extractor, &row, failed));
        }
        self.wrong.iter().for_each(|wrong| printer::text(&format!("{name}: {wrong}")));
        for difference in self.differences.iter().take(SHOWN) {
            printer::text(&format!("{name}: {difference}"));
        }
        if self.differences.len() > SHOWN {
            printer::text(&format!("{name}: {} more", self.differences.len() - SHOWN));
        }
    }
}

/// With units, for people.
fn readable(mut tested: Value) -> Value {
    let number = |key: &str| tested[key].as_f64().unwrap_or_default();
    let (row_ns, memory_bytes) = (number("row_ns"), number("memory_bytes"));
    tested["row_time"] = nanos(row_ns).into();
    tested["memory"] = bytes(memory_bytes as u64).into();
    tested
}

const TESTED: [printer::Column; 7] = [
    ("verdict", "/verdict"),
    ("fixture", "/fixture"),
    ("rows", "/rows"),
    ("documents", "/documents"),
    ("rejected", "/rejected"),
    ("time a row", "/row_time"),
    ("memory", "/memory"),
];
