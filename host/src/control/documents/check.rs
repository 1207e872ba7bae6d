//! Whether a document would be taken, without writing it.

use super::change::check_names;
use super::{Control, or_empty};
use crate::error::{Error, Result};
use crate::model::{FieldKind, Vector};
use crate::sink::check_field;
use crate::store::catalog::{Collection, Namespace};
use serde_json::{Map, Value};

/// What is wrong with a document that was not written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// Whose fields it was compared with; none while no batch has used the extractor.
    pub extractor: Option<String>,
    /// JSON pointer and reason.
    pub violations: Vec<(String, String)>,
}

impl Control {
    /// Fields have to be storable, and those that the extractor makes have to be of their types.
    pub fn check_document(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        given: &Map<String, Value>,
    ) -> Result<Checked> {
        let mut fields = given.clone();
        let vectors = fields.remove("vectors");
        fields.remove("document_id");
        fields.remove("collection_id");
        let mut violations: Vec<(String, String)> = Vec::new();
        let mut wrong = |error: Error| {
            violations.push((error.field_name().unwrap_or_default().to_string(), error.chain()));
        };
        for name in fields.keys() {
            check_names(std::iter::once(name), "").unwrap_or_else(&mut wrong);
        }
        for (name, value) in &fields {
            if let Err(reason) = check_field(value) {
                wrong(Error::invalid(reason).field(format!("/{name}")));
            }
        }
        let records = self.engine.store.extractors()?;
        let record = records.into_iter().find(|record| {
            record.name == collection.extractor.name
                && collection.extractor.version.as_ref().is_none_or(|it| *it == record.version)
        });
        if let Some(record) = &record {
            let extractor = self.engine.registry.by_digest(&record.digest)?;
            let parameters = Value::Object(collection.parameters.clone());
            let instance = extractor.instantiate(&parameters)?;
            for output in &instance.description().outputs {
                let value = fields.get(&output.name).unwrap_or(&Value::Null);
                if !value.is_null() && !fits(output.kind, value) {
                    let message = format!("the extractor makes {} here", output.kind.as_str());
                    wrong(Error::invalid(message).field(format!("/{}", output.name)));
                }
            }
        }
        if let Some(Value::Object(vectors)) = &vectors {
            let layout = or_empty(self.documents_sink()?.layout(&namespace.key))?;
            let layout = layout.unwrap_or_default();
            for (name, value) in vectors {
                // Sparse ones and rows are checked when they are written.
                let Ok(values) = serde_json::from_value::<Vec<f32>>(value.clone()) else {
                    continue;
                };
                layout.check_vector(name, &Vector::Dense(values)).unwrap_or_else(&mut wrong);
            }
        }
        let extractor = record.map(|record| format!("{}@{}", record.name, record.version));
        Ok(Checked { extractor, violations })
    }
}

fn fits(kind: FieldKind, value: &Value) -> bool {
    match kind {
        FieldKind::Utf8 => value.is_string(),
        FieldKind::Json => true,
        FieldKind::I64 => value.is_i64(),
        FieldKind::F64 => value.is_number(),
        FieldKind::Bool => value.is_boolean(),
        FieldKind::Blob => super::blob_digest(Some(value)).is_some(),
        // Under `vectors`, by another name.
        FieldKind::Dense | FieldKind::Sparse | FieldKind::Multi => false,
    }
}
