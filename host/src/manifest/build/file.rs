//! One file becomes one row.

use super::column::{Cell, Columns};
use crate::error::Result;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Bytes at the start of a file that its type is told from.
const HEAD_BYTES: usize = 1_024;
const READ_BYTES: usize = 128 << 10;
const UNKNOWN: &str = "application/octet-stream";

/// A file that was found.
pub(super) struct Entry {
    /// Absolute.
    pub(super) path: PathBuf,
    /// Below the directory of its source.
    pub(super) relative: PathBuf,
}

impl Entry {
    pub(super) fn object_id(&self) -> String {
        unicode_path(&self.relative)
    }
}

pub(super) struct Row {
    pub(super) object_id: String,
    pub(super) size: u64,
    uri: String,
    media_type: String,
    sha256: String,
    metadata: String,
    text: Option<String>,
}

impl Row {
    pub(super) fn fields(&self) -> Vec<(&str, Cell<'_>)> {
        let mut fields = vec![
            ("uri", Cell::Text(&self.uri)),
            ("size", Cell::Int(self.size as i64)),
            ("media_type", Cell::Text(&self.media_type)),
            ("sha256", Cell::Text(&self.sha256)),
            ("metadata", Cell::Text(&self.metadata)),
        ];
        fields.extend(self.text.as_deref().map(|text| ("text", Cell::Text(text))));
        fields
    }
}

/// The columns of files, whether or not there will be any.
pub(super) fn declare(columns: &mut Columns, text: bool) -> Result<()> {
    let mut fields = vec![
        ("uri", Cell::Text("")),
        ("size", Cell::Int(0)),
        ("media_type", Cell::Text("")),
        ("sha256", Cell::Text("")),
        ("metadata", Cell::Text("")),
    ];
    fields.extend(text.then_some(("text", Cell::Text(""))));
    fields.iter().try_for_each(|(name, cell)| columns.observe(name, cell))
}

/// Reads the file once. With `text_bytes_max` the content of UTF-8 text up to that size is kept.
pub(super) fn read(
    entry: &Entry,
    manifest_directory: &Path,
    text_bytes_max: Option<u64>,
) -> io::Result<Row> {
    let content = Content::read(File::open(&entry.path)?, text_bytes_max)?;
    let name = entry.relative.file_name().map(Path::new).unwrap_or(&entry.relative);
    let extension = name.extension().map(|extension| unicode_path(Path::new(extension)));
    let directory = entry.relative.parent().unwrap_or(Path::new(""));
    let metadata = serde_json::json!({
        "directory": unicode_path(directory),
        "extension": extension.unwrap_or_default().to_lowercase(),
        "name": unicode_path(name),
    });
    Ok(Row {
        object_id: entry.object_id(),
        uri: uri(&entry.path, manifest_directory)?,
        size: content.size,
        media_type: media_type(name, &content.head),
        sha256: content.sha256,
        metadata: metadata.to_string(),
        text: content.text,
    })
}

struct Content {
    size: u64,
    sha256: String,
    head: Vec<u8>,
    text: Option<String>,
}

impl Content {
    fn read(mut file: File, text_bytes_max: Option<u64>) -> io::Result<Self> {
        let mut sha256 = Sha256::new();
        let mut size = 0;
        let mut head = Vec::new();
        let mut text = text_bytes_max.map(|_| Vec::new());
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let len = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &buffer[..len];
            sha256.update(bytes);
            size += len as u64;
            head.extend_from_slice(&bytes[..len.min(HEAD_BYTES - head.len())]);
            text = text.filter(|_| size <= text_bytes_max.unwrap_or(0) && !bytes.contains(&0));
            if let Some(text) = &mut text {
                text.extend_from_slice(bytes);
            }
        }
        let sha256 = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok()).map(|text| {
            // The mark says how the file is encoded, it is no part of the text.
            text.strip_prefix('\u{feff}').map(str::to_string).unwrap_or(text)
        });
        Ok(Content { size, sha256, head, text })
    }
}

/// A file below the manifest's directory is named by its path from there, plain and with `/`, so
/// that both can be moved together; any other by its `file://` URL. So are paths that are not
/// UTF-8.
fn uri(path: &Path, manifest_directory: &Path) -> io::Result<String> {
    let below = path.strip_prefix(manifest_directory).ok();
    if let Some(relative) = below.filter(|relative| relative.to_str().is_some()) {
        let relative = unicode_path(relative);
        // `a:b/c` would read like a URL.
        let scheme = relative.split('/').next().is_some_and(|first| first.contains(':'));
        return Ok(if scheme { format!("./{relative}") } else { relative });
    }
    url::Url::from_file_path(path)
        .map(String::from)
        .map_err(|()| io::Error::new(ErrorKind::InvalidInput, "has no file URL"))
}

/// The parts of a relative path joined with `/`; bytes that are not UTF-8 as `%` and two hex
/// digits.
pub(super) fn unicode_path(path: &Path) -> String {
    let mut text = String::new();
    for (number, part) in path.components().enumerate() {
        if number > 0 {
            text.push('/');
        }
        for chunk in part.as_os_str().as_encoded_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
        }
    }
    text
}

/// The first bytes decide where they are unmistakable, then the extension, then whether it is text.
fn media_type(name: &Path, head: &[u8]) -> String {
    let magic = [
        (&b"\x89PNG\r\n\x1a\n"[..], "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-", "application/pdf"),
    ];
    if let Some((_, known)) = magic.iter().find(|(start, _)| head.starts_with(start)) {
        return known.to_string();
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return "image/webp".to_string();
    }
    if let Some(guess) = mime_guess::from_path(name).first_raw() {
        return guess.to_string();
    }
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character that the end of the head cuts in two is no reason to doubt the rest.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or("")
        }
        Err(_) => return UNKNOWN.to_string(),
    };
    if valid.is_empty() || valid.contains('\0') {
        return UNKNOWN.to_string();
    }
    let start = valid.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    let html = ["<!doctype html", "<html"].iter().any(|tag| start.starts_with(tag));
    if html { "text/html" } else { "text/plain" }.to_string()
}
