//! What the schema of a bucket allows in a field.

use crate::config::FieldType;
use crate::control::uploads::{UploadDraft, kind_of, takes};
use crate::error::{Error, Result};
use crate::store::catalog::Bucket;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Schema {
    #[serde(default)]
    pub(super) properties: BTreeMap<String, Field>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Field {
    #[serde(rename = "type")]
    pub(super) kind: FieldType,
    #[serde(default)]
    pub(super) required: Option<bool>,
    #[serde(default)]
    pub(super) default: Option<Value>,
    #[serde(default, rename = "enum")]
    values: Option<Vec<Value>>,
    #[serde(default)]
    items: Option<Box<Field>>,
    #[serde(default)]
    properties: Option<BTreeMap<String, Field>>,
}

impl Schema {
    pub(super) fn of(bucket: &Bucket) -> Result<Schema> {
        serde_json::from_value(bucket.schema.clone())
            .map_err(|error| Error::internal("a stored schema does not fit").source(error))
    }

    pub(super) fn field(&self, name: &str, pointer: impl FnOnce() -> String) -> Result<&Field> {
        self.properties.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.properties.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
            Error::invalid(format!("the bucket's schema has no field `{name}`"))
                .field(pointer())
                .hint(format!("its fields: {known}"))
        })
    }
}

/// Fields of the schema, and what is none.
pub(in crate::control) fn split(bucket: &Bucket, given: Map<String, Value>) -> Result<Split> {
    let schema = Schema::of(bucket)?;
    Ok(given.into_iter().partition(|(name, _)| schema.properties.contains_key(name)))
}

type Split = (Map<String, Value>, Map<String, Value>);

/// The field that an upload is for, and its type.
pub(in crate::control) fn file_field(
    bucket: &Bucket,
    draft: &UploadDraft,
) -> Result<(Option<String>, Option<FieldType>)> {
    let schema = Schema::of(bucket)?;
    let files: Vec<&String> = schema
        .properties
        .iter()
        .filter(|(_, field)| is_file(field.kind))
        .map(|(name, _)| name)
        .collect();
    let stem = draft.filename.rsplit_once('.').map_or(draft.filename.as_str(), |(stem, _)| stem);
    let property = match (&draft.property, &files[..]) {
        (Some(property), _) => property.clone(),
        (None, [only]) => only.to_string(),
        (None, _) => stem.to_string(),
    };
    if !draft.create_object {
        let kind = draft.kind.or(kind_of(&draft.content_type));
        return Ok((draft.property.clone(), kind));
    }
    let field = schema.field(&property, || "/blob_property".to_string())?;
    if !is_file(field.kind) {
        let message = format!("field `{property}` is {} and takes no file", type_word(field.kind));
        return Err(Error::invalid(message).field("/blob_property"));
    }
    if let Some(kind) = draft.kind
        && kind != field.kind
    {
        let (given, known) = (type_word(kind), type_word(field.kind));
        let message = format!("field `{property}` is {known}, not {given}");
        return Err(Error::invalid(message).field("/blob_type"));
    }
    if !takes(field.kind, &draft.content_type) {
        let message = format!("a file of type {} does not fit", draft.content_type);
        return Err(Error::invalid(message)
            .field("/content_type")
            .hint(format!("field `{property}` is {}", type_word(field.kind))));
    }
    Ok((Some(property), Some(field.kind)))
}

/// The word for it in schemas.
pub fn type_word(kind: FieldType) -> &'static str {
    match kind {
        FieldType::String => "string",
        FieldType::Number => "number",
        FieldType::Integer => "integer",
        FieldType::Float => "float",
        FieldType::Boolean => "boolean",
        FieldType::Object => "object",
        FieldType::Array => "array",
        FieldType::Date => "date",
        FieldType::Datetime => "datetime",
        FieldType::Json => "json",
        FieldType::Text => "text",
        FieldType::Image => "image",
        FieldType::Audio => "audio",
        FieldType::Video => "video",
        FieldType::Pdf => "pdf",
        FieldType::Excel => "excel",
        FieldType::Binary => "binary",
    }
}

/// Whether its content may be bytes somewhere instead of a value.
pub fn is_file(kind: FieldType) -> bool {
    match kind {
        FieldType::Text
        | FieldType::Image
        | FieldType::Audio
        | FieldType::Video
        | FieldType::Pdf
        | FieldType::Excel
        | FieldType::Binary => true,
        FieldType::String
        | FieldType::Number
        | FieldType::Integer
        | FieldType::Float
        | FieldType::Boolean
        | FieldType::Object
        | FieldType::Array
        | FieldType::Date
        | FieldType::Datetime
        | FieldType::Json => false,
    }
}

impl Field {
    /// Refuses a value that is not of the type, or not one of those the schema lists.
    pub(super) fn check(&self, value: &Value, pointer: &str) -> Result<()> {
        let fits = match self.kind {
            FieldType::String | FieldType::Text => value.is_string(),
            FieldType::Number | FieldType::Float => value.is_number(),
            FieldType::Integer => value.as_i64().is_some(),
            FieldType::Boolean => value.is_boolean(),
            FieldType::Object => value.is_object(),
            FieldType::Array => value.is_array(),
            FieldType::Date | FieldType::Datetime => value.as_str().is_some_and(is_time),
            FieldType::Json => true,
            FieldType::Image
            | FieldType::Audio
            | FieldType::Video
            | FieldType::Pdf
            | FieldType::Excel
            | FieldType::Binary => value.is_string() || value.is_object(),
        };
        if !fits {
            let message = format!("the value is no {}", type_word(self.kind));
            return Err(Error::invalid(message).field(pointer));
        }
        if let Some(values) = &self.values
            && !values.contains(value)
        {
            let known = Value::from(values.clone());
            return Err(Error::invalid("the value is none of those that the schema lists")
                .field(pointer)
                .hint(format!("one of {known}")));
        }
        if let (Some(items), Value::Array(list)) = (&self.items, value) {
            for (at, item) in list.iter().enumerate() {
                items.check(item, &format!("{pointer}/{at}"))?;
            }
        }
        if let (Some(fields), Value::Object(map)) = (&self.properties, value) {
            for (name, field) in fields {
                match map.get(name) {
                    Some(value) if !value.is_null() => {
                        field.check(value, &format!("{pointer}/{name}"))?;
                    }
                    _ if field.required == Some(true) => {
                        let message = format!("the field `{name}` is missing");
                        return Err(Error::invalid(message).field(format!("{pointer}/{name}")));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// ISO 8601: a date, or a date and a time with or without its zone.
fn is_time(text: &str) -> bool {
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
        || chrono::DateTime::parse_from_rfc3339(text).is_ok()
        || chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").is_ok()
}
