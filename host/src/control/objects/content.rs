//! What one field holds: a value, a reference, or bytes that are put into the object store.

use super::super::Control;
use super::schema::{Field, is_file};
use crate::artifact::Location;
use crate::config::FieldType;
use crate::error::{Code, Error, Result};
use crate::model::UploadId;
use crate::store::catalog::{Bucket, Content, Namespace, Upload, UploadStatus};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Text up to here is kept in the object's record, longer text in the object store.
const TEXT_INLINE_BYTES_MAX: usize = 4 << 10;
/// Bytes that may come in the request itself; an upload takes more.
pub const DATA_BYTES_MAX: usize = 16 << 20;
const SCHEMES: [&str; 9] = ["https", "http", "s3", "s3a", "gs", "az", "azure", "abfs", "file"];

pub(super) struct Filling {
    pub(super) content: Content,
    pub(super) bytes: Option<u64>,
    pub(super) sha256: Option<String>,
    pub(super) filename: Option<String>,
    pub(super) mime_type: Option<String>,
    pub(super) stored: Option<String>,
    pub(super) upload: Option<UploadId>,
}

impl From<Content> for Filling {
    fn from(content: Content) -> Filling {
        Filling {
            content,
            bytes: None,
            sha256: None,
            filename: None,
            mime_type: None,
            stored: None,
            upload: None,
        }
    }
}

/// Makes contents of fields, and remembers what it wrote for that.
pub(super) struct Contents<'a> {
    pub(super) control: &'a Control,
    pub(super) namespace: &'a Namespace,
    pub(super) bucket: &'a Bucket,
    /// Whether who asks may name files of this machine.
    pub(super) local_files: bool,
    /// Whether an upload may be named before it is confirmed.
    pub(super) unconfirmed: bool,
    /// Names in the object store.
    pub(super) written: Vec<String>,
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Contents<'_> {
    pub(super) fn fill(&mut self, field: &Field, data: Value, pointer: &str) -> Result<Filling> {
        if !is_file(field.kind) {
            field.check(&data, pointer)?;
            return Ok(inline(data));
        }
        match data {
            Value::String(text) => self.take_text(field, text, pointer),
            Value::Object(map) => self.take_map(field, map, pointer),
            _ => {
                let message = format!("the value is no {}", super::schema::type_word(field.kind));
                Err(Error::invalid(message).field(pointer).hint(HINT))
            }
        }
    }

    fn take_text(&mut self, field: &Field, text: String, pointer: &str) -> Result<Filling> {
        if let Some(rest) = text.strip_prefix("data:") {
            return self.take_data_url(field.kind, rest, pointer);
        }
        if is_reference(&text) {
            return self.refer(&text, pointer);
        }
        match field.kind {
            FieldType::Text => {
                field.check(&Value::from(text.as_str()), pointer)?;
                self.keep_text(text, pointer)
            }
            _ => Err(Error::invalid("the text is neither a URL nor a data: URL")
                .field(pointer)
                .hint(HINT)),
        }
    }

    fn take_map(
        &mut self,
        field: &Field,
        map: Map<String, Value>,
        pointer: &str,
    ) -> Result<Filling> {
        const SOURCES: [&str; 4] = ["url", "base64", "text", "upload_id"];
        let mut source = None;
        let (mut filename, mut mime_type) = (None, None);
        for (name, value) in map {
            let at = format!("{pointer}/{}", super::fields::escaped(&name));
            let Value::String(text) = value else {
                return Err(Error::invalid(format!("`{name}` is no text")).field(at).hint(HINT));
            };
            match name.as_str() {
                "filename" => filename = Some(text),
                "mime_type" => mime_type = Some(text),
                known if SOURCES.contains(&known) && source.is_none() => {
                    source = Some((name, text, at));
                }
                known if SOURCES.contains(&known) => {
                    let message = "the content is given twice";
                    return Err(Error::invalid(message).field(at).hint(HINT));
                }
                _ => {
                    let message = format!("`{name}` means nothing here");
                    return Err(Error::invalid(message).field(at).hint(HINT));
                }
            }
        }
        let Some((name, text, at)) = source else {
            return Err(Error::invalid("there is no content").field(pointer).hint(HINT));
        };
        let mut filling = match name.as_str() {
            "url" => self.refer(&text, &at)?,
            "base64" => self.keep_bytes(field.kind, decode(&text, &at)?, &at)?,
            "upload_id" => self.take_upload(field.kind, &text, &at)?,
            _ if field.kind == FieldType::Text => self.keep_text(text, &at)?,
            _ => {
                let message = "only a field of type text takes text";
                return Err(Error::invalid(message).field(at).hint(HINT));
            }
        };
        filling.filename = filename.or(filling.filename);
        filling.mime_type = mime_type.or(filling.mime_type);
        Ok(filling)
    }

    /// `[<mime type>][;base64],<content>`
    fn take_data_url(&mut self, kind: FieldType, rest: &str, pointer: &str) -> Result<Filling> {
        let wrong = || Error::invalid("the data: URL can not be read").field(pointer).hint(HINT);
        let (head, content) = rest.split_once(',').ok_or_else(wrong)?;
        let bytes = match head.strip_suffix(";base64") {
            Some(_) => decode(content, pointer)?,
            None => {
                let pair = format!("x={}", content.replace('+', "%2B"));
                let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
                pairs.next().map(|(_, text)| text.into_owned().into_bytes()).ok_or_else(wrong)?
            }
        };
        let mime_type = head.split(';').next().filter(|word| word.contains('/'));
        let mut filling = self.keep_bytes(kind, bytes, pointer)?;
        filling.mime_type = mime_type.map(str::to_string).or(filling.mime_type);
        Ok(filling)
    }

    fn keep_bytes(&mut self, kind: FieldType, bytes: Vec<u8>, pointer: &str) -> Result<Filling> {
        if kind == FieldType::Text {
            return match String::from_utf8(bytes) {
                Ok(text) => self.keep_text(text, pointer),
                Err(_) => Err(Error::invalid("the text is not UTF-8").field(pointer)),
            };
        }
        self.store(bytes, pointer)
    }

    fn keep_text(&mut self, text: String, pointer: &str) -> Result<Filling> {
        if text.len() <= TEXT_INLINE_BYTES_MAX {
            return Ok(inline(Value::from(text)));
        }
        let mut filling = self.store(text.into_bytes(), pointer)?;
        filling.mime_type = Some("text/plain".to_string());
        Ok(filling)
    }

    fn store(&mut self, bytes: Vec<u8>, pointer: &str) -> Result<Filling> {
        if bytes.len() > DATA_BYTES_MAX {
            let message = format!("the content has more than {DATA_BYTES_MAX} bytes");
            return Err(Error::new(Code::TooLarge, message)
                .field(pointer)
                .hint("upload the file and give its upload_id"));
        }
        let id = UploadId::from_uuid(self.control.engine.env.uuid());
        let name = super::stored_name(self.namespace, &id);
        let (size, digest) = (bytes.len() as u64, sha256(&bytes));
        let artifacts = &self.control.engine.artifacts;
        self.written.push(name.clone());
        artifacts.put(&name, bytes.into())?;
        Ok(Filling {
            bytes: Some(size),
            sha256: Some(digest),
            stored: Some(name.clone()),
            ..Filling::from(Content::Reference(artifacts.name_of(&name)))
        })
    }

    pub(super) fn take_upload(&self, kind: FieldType, id: &str, pointer: &str) -> Result<Filling> {
        if !is_file(kind) {
            let message = "a field of this type takes a value, not an upload";
            return Err(Error::invalid(message).field(pointer));
        }
        let upload: Upload =
            self.control.upload(self.bucket, id).map_err(|error| error.field(pointer))?;
        let usable = match upload.status {
            UploadStatus::Confirmed => true,
            UploadStatus::Received => self.unconfirmed,
            UploadStatus::Pending | UploadStatus::Canceled => false,
        };
        if !usable {
            return Err(Error::new(Code::Conflict, format!("upload {id} is not confirmed"))
                .field(pointer)
                .hint("send its bytes to its URL and confirm it"));
        }
        let place = self.control.engine.artifacts.name_of(&upload.stored);
        Ok(Filling {
            content: Content::Reference(place),
            bytes: upload.bytes,
            sha256: upload.sha256,
            filename: Some(upload.filename),
            mime_type: Some(upload.content_type),
            stored: Some(upload.stored),
            upload: Some(upload.id),
        })
    }

    fn refer(&self, text: &str, pointer: &str) -> Result<Filling> {
        let at = |error: Error| error.field(pointer);
        if !is_reference(text) {
            let message = "the reference is no absolute URL of a known kind";
            return Err(Error::invalid(message).field(pointer).hint(HINT));
        }
        let location = Location::parse(text).map_err(at)?;
        if let Location::Local(path) = &location {
            self.check_local(path).map_err(at)?;
        }
        let url = location.to_string();
        let own = format!("{}/", self.control.engine.artifacts.url().trim_end_matches('/'));
        if url.starts_with(&own) {
            return Err(at(Error::new(Code::Forbidden, "this is the engine's own object store")
                .hint("give the upload_id instead")));
        }
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let filename = path.rsplit('/').next().filter(|name| !name.is_empty());
        let mime_type = filename.and_then(|name| mime_guess::from_path(name).first_raw());
        Ok(Filling {
            filename: filename.map(str::to_string),
            mime_type: mime_type.map(str::to_string),
            ..Filling::from(Content::Reference(url))
        })
    }

    /// Files of this machine are open to those who may see all namespaces, and those of the engine
    /// itself to nobody.
    fn check_local(&self, path: &Path) -> Result<()> {
        if !self.local_files {
            return Err(Error::new(Code::Forbidden, "the key may not name files of this machine")
                .hint("upload the file, or use a key that is not bound to a namespace"));
        }
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let own = std::fs::canonicalize(&self.control.data_dir)
            .unwrap_or_else(|_| self.control.data_dir.clone());
        match real.starts_with(&own) {
            true => Err(Error::new(Code::Forbidden, "the file belongs to the engine itself")
                .hint("give a copy of it outside of the data directory")),
            false => Ok(()),
        }
    }
}

const HINT: &str = "give a URL (https:, s3:, gs:, az:, file:), a data: URL, {\"url\"}, \
    {\"base64\"}, {\"text\"} or {\"upload_id\"}, with filename and mime_type if you like";

fn inline(value: Value) -> Filling {
    let (bytes, digest) = match &value {
        Value::String(text) => (text.len(), Some(sha256(text.as_bytes()))),
        other => (other.to_string().len(), None),
    };
    Filling { bytes: Some(bytes as u64), sha256: digest, ..Filling::from(Content::Value(value)) }
}

fn decode(text: &str, pointer: &str) -> Result<Vec<u8>> {
    if text.len() / 4 * 3 > DATA_BYTES_MAX + 3 {
        let message = format!("the content has more than {DATA_BYTES_MAX} bytes");
        return Err(Error::new(Code::TooLarge, message)
            .field(pointer)
            .hint("upload the file and give its upload_id"));
    }
    STANDARD
        .decode(text.trim())
        .map_err(|error| Error::invalid("this is not base64").field(pointer).source(error))
}

/// Text that is a URL and nothing else.
fn is_reference(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let slashes = if scheme == "file" { "/" } else { "//" };
    SCHEMES.contains(&scheme)
        && rest.starts_with(slashes)
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}
