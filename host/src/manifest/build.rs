//! `quarry manifest build`: directories, globs, JSON lines and CSV files become a Parquet manifest.
//!
//! Files become rows of `object_id`, `uri`, `size`, `media_type`, `sha256`, `metadata` and, when
//! asked for, `text`. Records become one column a field. Record files are read twice: the first
//! pass finds the columns and their types, the second writes. The same input gives the same rows on
//! every machine. **Invariant:** memory is bounded by one row group, one directory listing and the
//! largest row, never by the number of rows; the manifest appears whole or not at all.

mod column;
mod file;
mod output;
mod records;
mod source;

use self::column::Columns;
use self::output::Output;
use self::records::{RecordFile, RecordOrFault};
use self::source::{Found, Source, Tree};
use super::duplicates::DuplicateCheck;
use crate::error::{Code, Error, Result};
use crate::model::FieldKind;
use serde::Serialize;
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

/// Skipped things that a report names; the rest is only counted.
pub const SKIPPED_NAMED_MAX: usize = 1_000;
/// Largest file whose content is inlined when nothing else is said.
pub const TEXT_BYTES_MAX: u64 = 8 << 20;

/// Bits of a position that number a row within its source; the bits above number the source.
const NUMBER_BITS: u32 = 40;

#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// Each a directory, a glob, a `.jsonl`/`.ndjson` or `.csv`/`.tsv` file, or any other file.
    pub sources: Vec<String>,
    /// Where the manifest goes; an existing file is replaced.
    pub output: PathBuf,
    /// Field that holds the id of records. Without: `object_id`, else `id`, else a hash of the
    /// record.
    pub id: Option<String>,
    /// Inlines the content of files that are UTF-8 text as column `text`.
    pub text: bool,
    /// Larger files are not inlined.
    pub text_bytes_max: u64,
    /// Takes files and directories whose name starts with a dot as well.
    pub hidden: bool,
    /// Fails at the first thing that would be skipped.
    pub strict: bool,
}

impl BuildRequest {
    pub fn new(sources: Vec<String>, output: impl Into<PathBuf>) -> Self {
        BuildRequest {
            sources,
            output: output.into(),
            id: None,
            text: false,
            text_bytes_max: TEXT_BYTES_MAX,
            hidden: false,
            strict: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub phase: Phase,
    /// Rows of this phase so far.
    pub rows: u64,
    /// Bytes read from the sources in this phase so far.
    pub bytes: u64,
    pub skipped: u64,
    /// The file that was read last.
    pub current: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Finding the columns of record files.
    Inspecting,
    Writing,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BuildReport {
    pub output: PathBuf,
    pub rows: u64,
    /// Bytes of the files and records behind the rows.
    pub source_bytes: u64,
    /// Bytes of the manifest.
    pub bytes: u64,
    pub row_groups: usize,
    pub columns: Vec<ReportedColumn>,
    /// How many files and records were left out.
    pub skipped_count: u64,
    /// The first [`SKIPPED_NAMED_MAX`] of them.
    pub skipped: Vec<Skipped>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: FieldKind,
}

/// A file or record that is not in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub path: String,
    /// Counting from 1; absent for a whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    pub reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.reason),
            None => write!(f, "{}: {}", self.path, self.reason),
        }
    }
}

/// Builds the manifest. `progress` is called often and has to be quick.
pub fn build(request: &BuildRequest, progress: &mut dyn FnMut(&Progress)) -> Result<BuildReport> {
    let target = output::Target::resolve(&request.output)?;
    let sources = source::resolve(request)?;
    let mut run = Run {
        request,
        target: &target,
        duplicates: DuplicateCheck::new(target.directory())?,
        skipped: Vec::new(),
        progress,
        state: Progress {
            phase: Phase::Inspecting,
            rows: 0,
            bytes: 0,
            skipped: 0,
            current: PathBuf::new(),
        },
    };
    let mut columns = Columns::default();
    let mut ids = Vec::with_capacity(sources.len());
    for source in &sources {
        ids.push(run.inspect(source, &mut columns)?);
    }
    run.state = Progress { phase: Phase::Writing, rows: 0, bytes: 0, ..run.state };
    let mut output = Output::create(&target, &columns)?;
    for (number, (source, id)) in sources.iter().zip(&ids).enumerate() {
        match source {
            Source::Tree(tree) => run.write_tree(number, tree, &mut output)?,
            Source::Records(file) => run.write_records(number, file, id.as_deref(), &mut output)?,
        }
    }
    run.finish(&sources, &ids, &columns, output)
}

struct Run<'a> {
    request: &'a BuildRequest,
    target: &'a output::Target,
    duplicates: DuplicateCheck,
    skipped: Vec<Skipped>,
    progress: &'a mut dyn FnMut(&Progress),
    state: Progress,
}

impl Run<'_> {
    /// First pass over one source: its columns. Returns the name of its id field, if it has one.
    fn inspect(&mut self, source: &Source, columns: &mut Columns) -> Result<Option<String>> {
        let file = match source {
            Source::Tree(_) => {
                file::declare(columns, self.request.text)?;
                return Ok(None);
            }
            Source::Records(file) => file,
        };
        self.state.current = file.path.clone();
        let mut names = HashSet::new();
        records::read(file, &mut |next| {
            // What is wrong with a record is told by the second pass.
            let RecordOrFault::Record(record) = next else { return Ok(()) };
            for (name, cell) in &record.fields {
                if !names.contains(*name) {
                    names.insert(name.to_string());
                }
                columns.observe(name, cell)?;
            }
            self.state.bytes += record.bytes();
            self.advance();
            Ok(())
        })?;
        let id = records::id_field(file, self.request.id.as_deref(), &names)?;
        Ok(id.map(str::to_string))
    }

    fn write_tree(&mut self, source: usize, tree: &Tree, output: &mut Output) -> Result<()> {
        let mut number = 0;
        tree.each(self.target, &mut |found| {
            number += 1;
            match found {
                Found::File(entry) => {
                    self.state.current = entry.path.clone();
                    let limit = self.request.text.then_some(self.request.text_bytes_max);
                    match file::read(&entry, self.target.directory(), limit) {
                        Ok(row) => {
                            self.state.bytes += row.size;
                            self.push(output, source, number, &row.object_id, &row.fields())?;
                        }
                        Err(reason) => self.skip(&entry.path, None, reason.to_string())?,
                    }
                }
                Found::Unreadable { path, reason } => self.skip(&path, None, reason)?,
            }
            Ok(())
        })?;
        if number == 0 {
            return Err(tree.nothing_found(self.request.hidden));
        }
        Ok(())
    }

    fn write_records(
        &mut self,
        source: usize,
        file: &RecordFile,
        id: Option<&str>,
        output: &mut Output,
    ) -> Result<()> {
        self.state.current = file.path.clone();
        records::read(file, &mut |next| {
            let (line, fault) = match next {
                RecordOrFault::Record(record) => {
                    self.state.bytes += record.bytes();
                    match record.object_id(id) {
                        Ok(object_id) => {
                            let line = record.line;
                            return self.push(output, source, line, &object_id, &record.fields);
                        }
                        Err(fault) => (record.line, fault),
                    }
                }
                RecordOrFault::Fault { line, reason } => (line, reason),
            };
            self.skip(&file.path, Some(line), fault)
        })
    }

    fn push(
        &mut self,
        output: &mut Output,
        source: usize,
        number: u64,
        object_id: &str,
        fields: &[(&str, column::Cell<'_>)],
    ) -> Result<()> {
        self.duplicates.push(object_id, (source as u64) << NUMBER_BITS | number)?;
        output.push(object_id, fields)?;
        self.advance();
        Ok(())
    }

    fn advance(&mut self) {
        self.state.rows += 1;
        (self.progress)(&self.state);
    }

    fn skip(&mut self, path: &std::path::Path, line: Option<u64>, reason: String) -> Result<()> {
        let skipped = Skipped { path: path.display().to_string(), line, reason };
        if self.request.strict {
            let hint = "repair it, or build without `--strict` to skip and report it";
            return Err(Error::invalid(skipped.to_string()).hint(hint));
        }
        self.state.skipped += 1;
        if self.skipped.len() < SKIPPED_NAMED_MAX {
            self.skipped.push(skipped);
        }
        Ok(())
    }

    fn finish(
        self,
        sources: &[Source],
        ids: &[Option<String>],
        columns: &Columns,
        output: Output,
    ) -> Result<BuildReport> {
        if self.state.rows == 0 {
            return Err(match self.skipped.first() {
                Some(first) => Error::invalid(format!("nothing could be read: {first}")),
                None => {
                    Error::invalid(format!("no records in {}", self.request.sources.join(", ")))
                        .hint("a record is one JSON object a line, or a CSV row below the header")
                }
            });
        }
        if let Some(positions) = self.duplicates.finish()? {
            return Err(duplicate_error(sources, ids, self.target, positions)?);
        }
        let published = output.publish()?;
        Ok(BuildReport {
            output: self.request.output.clone(),
            rows: self.state.rows,
            source_bytes: self.state.bytes,
            bytes: published.bytes,
            row_groups: published.row_groups,
            columns: columns.report(),
            skipped_count: self.state.skipped,
            skipped: self.skipped,
        })
    }
}

/// The sources are read once more up to the two places: remembering the names of all rows would
/// need memory for all rows.
fn duplicate_error(
    sources: &[Source],
    ids: &[Option<String>],
    target: &output::Target,
    (first, second): (u64, u64),
) -> Result<Error> {
    let place = |position: u64| -> Result<(String, String)> {
        let (source, number) = (position >> NUMBER_BITS, position & ((1 << NUMBER_BITS) - 1));
        let found = match &sources[source as usize] {
            Source::Tree(tree) => tree.nth(target, number)?,
            Source::Records(file) => records::id_at(file, number, ids[source as usize].as_deref())?
                .map(|id| (id, format!("{}:{number}", file.path.display()))),
        };
        found.ok_or_else(|| {
            Error::new(Code::Conflict, "the sources changed while the manifest was built")
        })
    };
    let hint = match &sources[(second >> NUMBER_BITS) as usize] {
        Source::Tree(_) => "name a directory above both as the source, or build two manifests",
        Source::Records(_) => "remove one, or name a field with unique values with `--id FIELD`",
    };
    let (id, first) = place(first)?;
    let (_, second) = place(second)?;
    let message = format!("two objects have the id `{id}`: {first} and {second}");
    Ok(Error::new(Code::Invalid, message).field("object_id").hint(hint))
}
