//! `extractor.toml`: what an extractor that is no cargo package says about itself.
//!
//! ```toml
//! name = "word-count"
//! version = "1.0.0"
//! language = "c"          # c, python or javascript
//! quarry = "."            # the folder that holds sdk/<language> and wit/; "." when left out
//! # What else there is belongs to the language.
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use crate::component::Identity;
use crate::language::Language;

pub(crate) const FILE: &str = "extractor.toml";
/// The contract, below the folder `quarry` names.
const CONTRACT: &str = "wit/since-v0.1.0";

/// One extractor that is no cargo package.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) language: Language,
    /// The folder of its `extractor.toml`, canonical.
    pub(crate) directory: PathBuf,
    /// The folder with the language's SDK, `<quarry>/sdk/<language>`.
    pub(crate) sdk: PathBuf,
    /// The folder with the contract's WIT.
    pub(crate) contract: PathBuf,
    settings: Table,
}

impl Project {
    /// # Errors
    /// When there is no `extractor.toml`, it lacks a field, or a field has a wrong form.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let directory = directory
            .canonicalize()
            .with_context(|| format!("cannot open `{}`", directory.display()))?;
        let path = directory.join(FILE);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        let settings: Table =
            text.parse().with_context(|| format!("cannot parse `{}`", path.display()))?;
        Self::parse(directory, settings).with_context(|| format!("in `{}`", path.display()))
    }

    fn parse(directory: PathBuf, settings: Table) -> Result<Self> {
        let field = |name: &str| match settings.get(name) {
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(_) => bail!("`{name}` must be a text"),
            None => bail!("`{name}` is missing"),
        };
        let (name, version) = (field("name")?.to_owned(), field("version")?.to_owned());
        check_name(&name)?;
        let numbers = version.split(['-', '+']).next().unwrap_or_default();
        let parts: Vec<_> = numbers.split('.').collect();
        if parts.len() != 3 || parts.iter().any(|part| part.parse::<u64>().is_err()) {
            bail!("`version` must be a semantic version such as 1.0.0, not `{version}`");
        }
        let language: Language = field("language")?.parse()?;
        if language == Language::Rust {
            bail!("`language`: a Rust extractor is a cargo package and has no {FILE}");
        }
        let quarry = settings.get("quarry").map_or(Ok("."), |_| field("quarry"))?;
        let quarry = directory.join(quarry);
        let sdk = quarry.join("sdk").join(language.name());
        if !sdk.is_dir() {
            bail!(
                "`quarry`: there is no SDK in `{}`\n\
                 hint: `quarry extractor new` puts one into the project",
                sdk.display()
            );
        }
        let contract = quarry.join(CONTRACT);
        Ok(Self { name, version, language, directory, sdk, contract, settings })
    }

    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity { name: &self.name, version: &self.version }
    }

    /// A text among the language's own settings.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.settings.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => bail!("`{name}` in {FILE} must be a text"),
        }
    }

    /// A list of texts among the language's own settings; empty when it is not there.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let wrong = || format!("`{name}` in {FILE} must be a list of texts");
        let Some(value) = self.settings.get(name) else {
            return Ok(Vec::new());
        };
        let values = value.as_array().with_context(wrong)?;
        values.iter().map(|value| value.as_str().map(str::to_owned).with_context(wrong)).collect()
    }
}

/// The names that the contract allows.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let good = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty() && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let letter = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !letter || !name.split('-').all(good) || name.len() > 64 {
        bail!(
            "`{name}` is no name for an extractor: it has at most 64 lower-case letters, digits \
             and single dashes between them, and starts with a letter"
        );
    }
    Ok(())
}
