//! Fixtures of an extractor: rows in `fixtures/NAME.json`, what becomes of them in
//! `expected/NAME.json`. The format is described in sdk/README.md.

use super::{Made, Rejected, Trial};
use crate::durable;
use crate::error::{Code, Context, Error, Result};
use crate::model::Description;
use crate::plugin::Input;
use crate::plugin::rows::{self, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes of a fixture, of a snapshot, and of a file that a fixture refers to.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The folder with `fixtures/` and `expected/`.
#[derive(Debug, Clone)]
pub struct Project {
    pub folder: PathBuf,
}

/// Rows of one call.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// File name without `.json`.
    pub name: String,
    pub path: PathBuf,
    pub parameters: Value,
    pub rows: Vec<Row>,
    /// Texts for `embed-query`.
    pub queries: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    parameters: Value,
    rows: Vec<Row>,
    #[serde(default)]
    queries: Vec<String>,
}

/// What a snapshot holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// By row, then in the extractor's order.
    pub documents: Vec<Made>,
    /// By row.
    #[serde(default)]
    pub rejected: Vec<Rejected>,
    /// Vectors by field, for each query of the fixture.
    #[serde(default)]
    pub queries: Vec<Row>,
}

impl Project {
    pub fn of(folder: impl Into<PathBuf>) -> Project {
        Project { folder: folder.into() }
    }

    pub fn fixtures_folder(&self) -> PathBuf {
        self.folder.join("fixtures")
    }

    pub fn expected_path(&self, name: &str) -> PathBuf {
        self.folder.join("expected").join(format!("{name}.json"))
    }

    /// The fixtures by name. None at all is an error.
    pub fn fixtures(&self) -> Result<Vec<Fixture>> {
        let folder = self.fixtures_folder();
        let names = names(&folder)?;
        if names.is_empty() {
            let message = format!("there is no fixture in {}", folder.display());
            return Err(Error::new(Code::NotFound, message)
                .hint("write fixtures/NAME.json: {\"rows\": [{\"text\": \"…\"}]}"));
        }
        names.iter().map(|name| Fixture::read(&folder.join(format!("{name}.json")))).collect()
    }

    /// Snapshots that no fixture belongs to.
    pub fn unused(&self, fixtures: &[Fixture]) -> Result<Vec<PathBuf>> {
        let known = |name: &String| fixtures.iter().any(|fixture| fixture.name == *name);
        let names = names(&self.folder.join("expected"))?;
        let unused = names.into_iter().filter(|name| !known(name));
        Ok(unused.map(|name| self.expected_path(&name)).collect())
    }

    pub fn expected(&self, name: &str) -> Result<Option<Outcome>> {
        let path = self.expected_path(name);
        if !path.exists() {
            return Ok(None);
        }
        let hint = "run again with --update to write it anew";
        parse(&path).map(Some).map_err(|error| error.hint(hint))
    }

    /// The snapshot appears whole or not at all.
    pub fn update(&self, name: &str, outcome: &Outcome) -> Result<PathBuf> {
        let path = self.expected_path(name);
        let named = || format!("can not write {}", path.display());
        let folder = self.folder.join("expected");
        durable::create_directory(&folder).context(Code::Unavailable, named)?;
        let staged = folder.join(format!(".{name}.json.tmp-{}", std::process::id()));
        let written = (|| {
            let mut file = std::fs::File::create(&staged)?;
            file.write_all(outcome.render().as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&staged, &path)?;
            durable::sync_directory(&folder)
        })();
        if written.is_err() {
            // What is left of it says nothing.
            let _ = std::fs::remove_file(&staged);
        }
        written.context(Code::Unavailable, named)?;
        Ok(path)
    }
}

/// The names of the `.json` files in a folder, sorted; none where there is no folder.
fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => {
            let message = format!("can not read {}", folder.display());
            return Err(Error::new(Code::Unavailable, message).source(error));
        }
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry.context(Code::Unavailable, || format!("can not read {folder:?}"))?;
        let name = entry.file_name();
        if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".json"))
            && !name.starts_with('.')
        {
            names.insert(name.to_string());
        }
    }
    Ok(names)
}

impl Fixture {
    pub fn read(path: &Path) -> Result<Fixture> {
        let File { parameters, rows, queries } = parse(path)?;
        if rows.is_empty() {
            let message = format!("{} has no rows", path.display());
            return Err(Error::invalid(message).field("/rows").hint("give it one at least"));
        }
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        Ok(Fixture { name, path: path.to_path_buf(), parameters, rows, queries })
    }

    /// A new fixture; an existing file stays as it is.
    pub fn write(path: &Path, parameters: &Value, rows: &[Row]) -> Result<()> {
        let named = || format!("can not write {}", path.display());
        let shown = |row: &Row| format!("    {}", object(row, 6));
        let rows: Vec<String> = rows.iter().map(shown).collect();
        let rows = rows.join(",\n");
        let text = format!("{{\n  \"parameters\": {parameters},\n  \"rows\": [\n{rows}\n  ]\n}}\n");
        let mut file = std::fs::File::create_new(path).context(Code::Conflict, named)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .context(Code::Unavailable, named)
    }

    /// The rows as an extractor of this description takes them. Files are relative to the fixture.
    pub fn input(&self, description: &Description) -> Result<Input> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let input = rows::input(&description.inputs, &self.rows, &|name| read(&folder.join(name)));
        input.map_err(|error| {
            let pointer = format!("/rows{}", error.field_name().unwrap_or_default());
            let hint = error.hint_text().map(str::to_string);
            let message = format!("{} does not fit", self.path.display());
            let error = Error::invalid(message).field(pointer).source(error);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let named = || format!("can not read {}", path.display());
    let size = std::fs::metadata(path).context(Code::NotFound, named)?.len();
    if size > FILE_BYTES_MAX {
        let message = format!("{} has {size} bytes, at most {FILE_BYTES_MAX}", path.display());
        return Err(Error::new(Code::TooLarge, message));
    }
    std::fs::read(path).context(Code::NotFound, named)
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = read(path)?;
    let mut parser = serde_json::Deserializer::from_slice(&text);
    let parsed = serde_path_to_error::deserialize(&mut parser);
    let parsed = parsed.map_err(|error| {
        let pointer = error.path().to_string();
        let message = format!("{} does not fit", path.display());
        Error::invalid(message).field(pointer).source(error.into_inner())
    })?;
    parser.end().context(Code::Invalid, || format!("{} does not fit", path.display()))?;
    Ok(parsed)
}

impl Outcome {
    pub fn of(trial: &Trial, queries: Vec<Row>) -> Outcome {
        let (documents, rejected) = (trial.documents.clone(), trial.rejected.clone());
        Outcome { documents, rejected, queries }
    }

    /// With vectors as an extractor of this description makes them: `0.10000000149` is `0.1`.
    pub fn as_made(mut self, description: &Description) -> Outcome {
        let vectors = description.outputs.iter().filter(|output| output.kind.is_vector());
        let documents = self.documents.iter_mut().map(|made| &mut made.fields);
        for fields in documents.chain(&mut self.queries) {
            for output in vectors.clone() {
                if let Some(value) = fields.get_mut(&output.name) {
                    *value = rows::as_f32(value);
                }
            }
        }
        self
    }

    /// As JSON with a line for each field, so that a change of one field is a change of one line.
    pub fn render(&self) -> String {
        let documents = self.documents.iter().map(|document| {
            let fields = object(&document.fields, 8);
            format!("    {{\n      \"row\": {},\n      \"fields\": {fields}\n    }}", document.row)
        });
        let rejected = self.rejected.iter().map(|rejected| {
            let (code, message) = (rejected.code.as_str(), rejected.message.as_str());
            let (code, message) = (Value::from(code), Value::from(message));
            let row = rejected.row;
            format!("    {{ \"row\": {row}, \"code\": {code}, \"message\": {message} }}")
        });
        let list = |items: Vec<String>| match items.is_empty() {
            true => "[]".to_string(),
            false => format!("[\n{}\n  ]", items.join(",\n")),
        };
        let (documents, rejected) = (list(documents.collect()), list(rejected.collect()));
        let queries = self.queries.iter().map(|query| format!("    {}", object(query, 6)));
        let queries = match self.queries.is_empty() {
            true => String::new(),
            false => format!(",\n  \"queries\": {}", list(queries.collect())),
        };
        format!("{{\n  \"documents\": {documents},\n  \"rejected\": {rejected}{queries}\n}}\n")
    }
}

/// A line for each entry, indented by `spaces`.
fn object(fields: &Row, spaces: usize) -> String {
    let entry = |(name, value): (&String, &Value)| {
        format!("{:spaces$}{}: {value}", "", Value::from(name.as_str()))
    };
    let entries: Vec<String> = fields.iter().map(entry).collect();
    match entries.is_empty() {
        true => "{}".to_string(),
        false => format!("{{\n{}\n{:2$}}}", entries.join(",\n"), "", spaces - 2),
    }
}
