//! `quarry extractor new`.

use super::super::options::GlobalOptions;
use super::super::{DONE, Done, printer};
use crate::error::Error;
use clap::Args;
use quarry_build::{Language, NewProject};
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
#[command(before_help = "Example: quarry extractor new word-count --lang python")]
/// Lays out a project that builds, tests and runs as it is, with the SDK of its language in it.
pub(in crate::cli) struct Arguments {
    /// Name of the extractor: lower-case letters, digits and single dashes
    name: String,
    /// rust, python, javascript or c
    #[arg(long, value_name = "LANGUAGE", default_value = "rust", value_parser = language)]
    lang: Language,
    /// Folder to make [default: one of that name]
    directory: Option<PathBuf>,
}

fn language(name: &str) -> Result<Language, String> {
    name.parse().map_err(|error| format!("{error:#}"))
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let Arguments { name, lang: language, directory } = arguments;
    let directory = directory.clone().unwrap_or_else(|| PathBuf::from(name));
    let (name, language) = (name.clone(), *language);
    let project = NewProject { name, language, directory };
    let files = quarry_build::new(&project).map_err(|error| {
        let text = format!("{error:#}");
        match text.split_once("\nhint: ") {
            Some((message, hint)) => Error::invalid(message).hint(hint),
            None => Error::invalid(text),
        }
    })?;
    let value = json!({
        "name": project.name,
        "language": language.name(),
        "directory": project.directory,
        "files": files,
    });
    printer::one(options, &value, &MADE);
    let shown = project.directory.display();
    printer::note(options, &format!("next: quarry extractor build {shown}; see {shown}/README.md"));
    Ok(DONE)
}

const MADE: [printer::Column; 4] = [
    ("name", "/name"),
    ("language", "/language"),
    ("directory", "/directory"),
    ("files", "/files"),
];
