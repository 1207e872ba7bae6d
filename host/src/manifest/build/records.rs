//! JSON lines and CSV files, one record after the other.

use super::column::{Cell, OBJECT_ID};
use crate::error::{Code, Context, Error, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::Cell as Counter;
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// One record. Longer JSON lines are skipped; in a CSV it is an error, since no later row is sure.
const RECORD_BYTES_MAX: usize = 64 << 20;
const BUFFER_BYTES: usize = 128 << 10;

pub(super) struct RecordFile {
    pub(super) path: PathBuf,
    pub(super) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    JsonLines,
    Csv { delimiter: u8 },
}

impl Format {
    /// By the extension; `None` for any other file.
    pub(super) fn of(path: &Path) -> Result<Option<Self>> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
        let name = name.unwrap_or_default();
        let compressed = ["gz", "zst", "bz2", "xz"].iter().find_map(|extension| {
            name.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.'))
        });
        let extension = |name: &str| name.rsplit_once('.').map(|(_, end)| end.to_string());
        let format = |extension: Option<String>| match extension.as_deref() {
            Some("jsonl" | "ndjson") => Some(Format::JsonLines),
            Some("csv") => Some(Format::Csv { delimiter: b',' }),
            Some("tsv") => Some(Format::Csv { delimiter: b'\t' }),
            _ => None,
        };
        if compressed.is_some_and(|stem| format(extension(stem)).is_some()) {
            let message = format!("{} is compressed", path.display());
            return Err(Error::invalid(message).hint("decompress it first"));
        }
        Ok(format(extension(&name)))
    }
}

pub(super) enum RecordOrFault<'a> {
    Record(Record<'a>),
    /// Something that is no record; reading goes on behind it.
    Fault {
        line: u64,
        reason: String,
    },
}

pub(super) struct Record<'a> {
    /// Where it starts, from 1.
    pub(super) line: u64,
    /// Each name once.
    pub(super) fields: Vec<(&'a str, Cell<'a>)>,
    content: Cow<'a, [u8]>,
}

impl Record<'_> {
    pub(super) fn bytes(&self) -> u64 {
        self.content.len() as u64
    }

    /// The value of field `id`; without, 128 bits of the hash of the record's bytes. The error says
    /// why the record can't have an id.
    pub(super) fn object_id(&self, id: Option<&str>) -> std::result::Result<String, String> {
        let Some(id) = id else {
            let hash = blake3::hash(&self.content).to_hex();
            return Ok(format!("obj_{}", &hash[..32]));
        };
        let text = match self.fields.iter().find(|(name, _)| *name == id) {
            Some((_, Cell::Csv(text) | Cell::Text(text))) => text.to_string(),
            Some((_, Cell::Int(value))) => value.to_string(),
            Some((_, Cell::Json(Value::String(text)))) => text.clone(),
            Some((_, Cell::Json(Value::Number(number)))) if !number.is_f64() => number.to_string(),
            Some((_, Cell::Json(Value::Null))) | None => String::new(),
            Some((_, Cell::Json(_))) => {
                return Err(format!("the id in `{id}` is neither text nor an integer"));
            }
        };
        if text.is_empty() { Err(format!("no id in `{id}`")) } else { Ok(text) }
    }
}

/// The field with the ids of this file: the wanted one, else `object_id`, else `id`, else none.
pub(super) fn id_field<'a>(
    file: &RecordFile,
    wanted: Option<&'a str>,
    names: &HashSet<String>,
) -> Result<Option<&'a str>> {
    let id = match wanted {
        Some(wanted) if names.contains(wanted) || names.is_empty() => Some(wanted),
        Some(wanted) => {
            let mut names: Vec<_> = names.iter().map(String::as_str).collect();
            names.sort_unstable();
            names.truncate(20);
            let message = format!("no record of {} has a field `{wanted}`", file.path.display());
            let hint = format!("its fields are {}", names.join(", "));
            return Err(Error::invalid(message).field("--id").hint(hint));
        }
        None => [OBJECT_ID, "id"].into_iter().find(|name| names.contains(*name)),
    };
    if id != Some(OBJECT_ID) && names.contains(OBJECT_ID) {
        let message = format!("{} has a field `{OBJECT_ID}` beside its ids", file.path.display());
        let hint = format!("rename it, or take the ids from it with `--id {OBJECT_ID}`");
        return Err(Error::invalid(message).field("--id").hint(hint));
    }
    Ok(id)
}

/// The id of the record that starts at `line`.
pub(super) fn id_at(file: &RecordFile, line: u64, id: Option<&str>) -> Result<Option<String>> {
    let mut found = None;
    read(file, &mut |next| {
        if let RecordOrFault::Record(record) = next
            && record.line == line
        {
            found = record.object_id(id).ok();
        }
        Ok(())
    })?;
    Ok(found)
}

type Act<'a> = dyn FnMut(RecordOrFault<'_>) -> Result<()> + 'a;

/// Calls `act` for every record and every fault, in order.
pub(super) fn read(file: &RecordFile, act: &mut Act<'_>) -> Result<()> {
    let unreadable = || format!("cannot read {}", file.path.display());
    let opened = File::open(&file.path).context(Code::Unavailable, unreadable)?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, opened);
    let start = reader.fill_buf().context(Code::Unavailable, unreadable)?;
    if start.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    match file.format {
        Format::JsonLines => read_json_lines(file, reader, act),
        Format::Csv { delimiter } => read_csv(file, delimiter, reader, act),
    }
}

fn read_json_lines(file: &RecordFile, mut reader: impl BufRead, act: &mut Act<'_>) -> Result<()> {
    let mut buffer = Vec::new();
    let mut line = 0;
    let mut first = true;
    loop {
        line += 1;
        let end = read_line(&mut reader, &mut buffer)
            .context(Code::Unavailable, || format!("cannot read {}", file.path.display()))?;
        let fault = |reason: String| RecordOrFault::Fault { line, reason };
        match end {
            LineEnd::File => return Ok(()),
            LineEnd::TooLong => {
                act(fault(format!("longer than {} MiB", RECORD_BYTES_MAX >> 20)))?;
                continue;
            }
            LineEnd::Line => {}
        }
        let content = buffer.trim_ascii();
        if content.is_empty() {
            continue;
        }
        if std::mem::take(&mut first) && content.starts_with(b"[") {
            // Line by line, the last element of an array could pass for a record.
            let message = format!("{} is one JSON array", file.path.display());
            let hint = "one object a line is wanted; `jq -c '.[]'` makes that";
            return Err(Error::invalid(message).hint(hint));
        }
        match serde_json::from_slice::<JsonRecord>(content) {
            Ok(record) => {
                let fields =
                    record.0.iter().map(|(name, value)| (name.as_str(), Cell::Json(value)));
                let fields = fields.collect();
                act(RecordOrFault::Record(Record { line, fields, content: content.into() }))?;
            }
            Err(error) => act(fault(json_fault(&error)))?,
        }
    }
}

fn json_fault(error: &serde_json::Error) -> String {
    if error.is_data() {
        return "not a JSON object with named fields".to_string();
    }
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    format!("not JSON: {reason} at column {}", error.column())
}

enum LineEnd {
    Line,
    TooLong,
    File,
}

/// Fills `buffer` with the next line. One that is too long is read to its end and not kept.
fn read_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<LineEnd> {
    buffer.clear();
    let (mut any, mut too_long) = (false, false);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() && !any {
            return Ok(LineEnd::File);
        }
        any = true;
        let newline = bytes.iter().position(|byte| *byte == b'\n');
        let piece = &bytes[..newline.unwrap_or(bytes.len())];
        too_long |= buffer.len() + piece.len() > RECORD_BYTES_MAX;
        if !too_long {
            buffer.extend_from_slice(piece);
        }
        let (used, ended) = (piece.len(), newline.is_some() || bytes.is_empty());
        reader.consume(used + usize::from(newline.is_some()));
        if ended {
            return Ok(if too_long { LineEnd::TooLong } else { LineEnd::Line });
        }
    }
}

/// The fields of an object in their order, the last one of a name.
struct JsonRecord(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for JsonRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = JsonRecord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<JsonRecord, A::Error> {
                let mut fields: Vec<(String, Value)> = Vec::new();
                let mut numbers = std::collections::HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if name.is_empty() {
                        return Err(serde::de::Error::custom("a field without a name"));
                    }
                    match numbers.get(&name) {
                        Some(number) => fields[*number] = (name, value),
                        None => {
                            numbers.insert(name.clone(), fields.len());
                            fields.push((name, value));
                        }
                    }
                }
                Ok(JsonRecord(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Stops a reader that goes on for too long without a record: a quote that is never closed would
/// take the rest of the file into memory.
struct Budget<R> {
    reader: R,
    left: Rc<Counter<usize>>,
}

impl<R: Read> Read for Budget<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let len = self.reader.read(buffer)?;
        self.left.set(self.left.get().saturating_sub(len));
        Ok(len)
    }
}

fn read_csv(file: &RecordFile, delimiter: u8, reader: impl Read, act: &mut Act<'_>) -> Result<()> {
    let left = Rc::new(Counter::new(RECORD_BYTES_MAX));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(Budget { reader, left: left.clone() });
    let mut record = csv::ByteRecord::new();
    let mut next = move |record: &mut csv::ByteRecord| {
        left.set(RECORD_BYTES_MAX);
        let line = reader.position().line();
        reader.read_byte_record(record).map_err(|error| csv_error(file, line, error))
    };
    if !next(&mut record)? {
        return Ok(());
    }
    let names = header(file, &record)?;
    while next(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        act(match csv_fields(&names, &record) {
            Ok(fields) => {
                let content = record.iter().collect::<Vec<_>>().join(&b"\x1f"[..]);
                RecordOrFault::Record(Record { line, fields, content: content.into() })
            }
            Err(reason) => RecordOrFault::Fault { line, reason },
        })?;
    }
    Ok(())
}

fn header(file: &RecordFile, record: &csv::ByteRecord) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    let wrong = |message: String| {
        let message = format!("{}:1: {message}", file.path.display());
        Error::invalid(message).hint("the first row names the columns, each once")
    };
    for (number, name) in record.iter().enumerate() {
        let column = number + 1;
        let name = std::str::from_utf8(name)
            .map_err(|_| wrong(format!("the name of column {column} is not UTF-8")))?
            .trim();
        if name.is_empty() {
            return Err(wrong(format!("column {column} has no name")));
        }
        if let Some(other) = names.iter().position(|other| other == name) {
            let message = format!("columns {} and {column} are both named `{name}`", other + 1);
            return Err(wrong(message));
        }
        names.push(name.to_string());
    }
    Ok(names)
}

fn csv_fields<'a>(
    names: &'a [String],
    record: &'a csv::ByteRecord,
) -> std::result::Result<Vec<(&'a str, Cell<'a>)>, String> {
    if record.len() != names.len() {
        return Err(format!("{} fields where the header has {}", record.len(), names.len()));
    }
    names
        .iter()
        .zip(record)
        .map(|(name, field)| match std::str::from_utf8(field) {
            Ok(text) => Ok((name.as_str(), Cell::Csv(text))),
            Err(_) => Err(format!("`{name}` is not UTF-8")),
        })
        .collect()
}

fn csv_error(file: &RecordFile, line: u64, error: csv::Error) -> Error {
    let path = file.path.display();
    match error.kind() {
        csv::ErrorKind::Io(source) if source.kind() == io::ErrorKind::FileTooLarge => {
            let limit = RECORD_BYTES_MAX >> 20;
            let message = format!("{path}:{line}: the row is longer than {limit} MiB");
            Error::invalid(message).hint("is a quote never closed?")
        }
        _ => Error::new(Code::Unavailable, format!("cannot read {path}")).source(error),
    }
}
