//! From what a user gives to the fields of an object: values that fit the bucket's schema, and
//! references to bytes.

use super::content::{Contents, Filling};
use super::schema::{Schema, is_file, type_word};
use crate::config::FieldType;
use crate::error::{Error, Result};
use crate::store::catalog::{Blob, Content};
use serde_json::{Map, Value};

/// What an object is made or changed from.
#[derive(Debug, Clone, Default)]
pub struct ObjectDraft {
    pub key_prefix: Option<String>,
    pub blobs: Vec<BlobDraft>,
    /// Fields of the schema by name; null empties one.
    pub fields: Map<String, Value>,
    /// What is kept and is no field; null removes an entry.
    pub metadata: Map<String, Value>,
    pub edges: Option<Vec<Value>>,
    pub idempotency_key: Option<String>,
    /// Answer with the object that has the same content, where there is one.
    pub skip_duplicates: bool,
}

#[derive(Debug, Clone)]
pub struct BlobDraft {
    pub property: String,
    /// The schema's, if absent.
    pub kind: Option<FieldType>,
    pub key_prefix: Option<String>,
    pub data: Option<Value>,
    pub upload: Option<String>,
    pub checksum: Option<String>,
    pub metadata: Map<String, Value>,
}

/// A draft that was checked.
pub(super) struct Filled {
    pub(super) draft: ObjectDraft,
    pub(super) blobs: Vec<Blob>,
    /// Fields that are to be empty.
    pub(super) emptied: Vec<String>,
}

/// Checks a draft field by field; what it needs from all fields together comes with
/// [`complete`].
pub(super) fn fill(
    schema: &Schema,
    contents: &mut Contents,
    mut draft: ObjectDraft,
) -> Result<Filled> {
    let mut filled = Filled { draft: ObjectDraft::default(), blobs: Vec::new(), emptied: vec![] };
    for (at, blob) in std::mem::take(&mut draft.blobs).into_iter().enumerate() {
        let pointer = format!("/blobs/{at}");
        let field = schema.field(&blob.property, || format!("{pointer}/property"))?;
        if let Some(kind) = blob.kind
            && kind != field.kind
        {
            let (given, known) = (type_word(kind), type_word(field.kind));
            let message = format!("field `{}` is {known}, not {given}", blob.property);
            return Err(Error::invalid(message).field(format!("{pointer}/type")));
        }
        if filled.has(&blob.property) {
            let message = format!("field `{}` is filled twice", blob.property);
            return Err(Error::invalid(message).field(format!("{pointer}/property")));
        }
        let filling = match (&blob.data, &blob.upload) {
            (Some(data), None) => contents.fill(field, data.clone(), &format!("{pointer}/data"))?,
            (None, Some(upload)) => {
                contents.take_upload(field.kind, upload, &format!("{pointer}/upload_id"))?
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(Error::invalid("a blob has either data or upload_id")
                    .field(pointer)
                    .hint("give one of the two"));
            }
        };
        let mut made = made(&blob.property, field.kind, filling);
        made.sha256 = checksum(made.sha256, blob.checksum.as_deref(), &pointer)?;
        made.key_prefix = blob.key_prefix;
        made.metadata = blob.metadata;
        filled.blobs.push(made);
    }
    for (name, value) in std::mem::take(&mut draft.fields) {
        let pointer = format!("/{}", escaped(&name));
        let field = schema.field(&name, || pointer.clone())?;
        if filled.has(&name) {
            let message = format!("field `{name}` is filled twice");
            return Err(Error::invalid(message).field(pointer));
        }
        if value.is_null() {
            filled.emptied.push(name);
            continue;
        }
        let filling = contents.fill(field, value, &pointer)?;
        filled.blobs.push(Blob { root: true, ..made(&name, field.kind, filling) });
    }
    promote(schema, contents, &mut filled)?;
    filled.draft = draft;
    Ok(filled)
}

/// Metadata of a blob that is called like a field fills it, if nothing else does.
fn promote(schema: &Schema, contents: &mut Contents, filled: &mut Filled) -> Result<()> {
    let mut more: Vec<Blob> = Vec::new();
    for (at, blob) in filled.blobs.iter().enumerate() {
        for (name, value) in &blob.metadata {
            let Some(field) = schema.properties.get(name) else { continue };
            let taken = filled.has(name) || more.iter().any(|other| other.property == *name);
            if taken || value.is_null() || is_file(field.kind) {
                continue;
            }
            let pointer = format!("/blobs/{at}/metadata/{}", escaped(name));
            let filling = contents.fill(field, value.clone(), &pointer)?;
            more.push(Blob { root: true, ..made(name, field.kind, filling) });
        }
    }
    filled.blobs.extend(more);
    Ok(())
}

/// Fills in the defaults and refuses an object that lacks a field.
pub(super) fn complete(
    schema: &Schema,
    contents: &mut Contents,
    blobs: &mut Vec<Blob>,
) -> Result<()> {
    for (name, field) in &schema.properties {
        if blobs.iter().any(|blob| blob.property == *name) {
            continue;
        }
        let pointer = format!("/{}", escaped(name));
        match &field.default {
            Some(value) if !value.is_null() => {
                let filling = contents.fill(field, value.clone(), &pointer)?;
                blobs.push(Blob { root: true, ..made(name, field.kind, filling) });
            }
            _ if field.required == Some(true) => {
                return Err(Error::invalid(format!("the field `{name}` is missing"))
                    .field(pointer)
                    .hint("the bucket's schema requires it: give a blob with this property"));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Filled {
    fn has(&self, name: &str) -> bool {
        self.blobs.iter().any(|blob| blob.property == name)
            || self.emptied.iter().any(|other| other == name)
    }
}

fn made(property: &str, kind: FieldType, filling: Filling) -> Blob {
    Blob {
        id: format!("blob_{}", uuid::Uuid::now_v7().simple()),
        property: property.to_string(),
        kind: type_word(kind).to_string(),
        content: filling.content,
        metadata: Map::new(),
        bytes: filling.bytes,
        sha256: filling.sha256,
        root: false,
        key_prefix: None,
        filename: filling.filename,
        mime_type: filling.mime_type,
        stored: filling.stored,
        upload: filling.upload,
    }
}

/// What the bytes have to hash to, against what they do where they are known.
fn checksum(found: Option<String>, wanted: Option<&str>, pointer: &str) -> Result<Option<String>> {
    let Some(wanted) = wanted else { return Ok(found) };
    let wrong = |message: &str, hint: &str| {
        Err(Error::invalid(message).field(format!("{pointer}/checksum")).hint(hint))
    };
    let digest = wanted.strip_prefix("sha256:").unwrap_or(wanted).to_ascii_lowercase();
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return wrong("the checksum can not be read", "write sha256:, and 64 hex digits");
    }
    match found {
        Some(found) if found != digest => {
            wrong("the bytes do not have this checksum", "send them again")
        }
        _ => Ok(Some(digest)),
    }
}

/// A name as a part of a JSON pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What a field holds, to tell objects apart by.
pub(super) fn identity(blob: &Blob) -> Value {
    match (&blob.content, &blob.sha256) {
        (Content::Value(value), _) => value.clone(),
        (Content::Reference(_), Some(digest)) => format!("sha256:{digest}").into(),
        (Content::Reference(url), None) => url.clone().into(),
    }
}
