//! A document as the API shows it: its own fields at the root, the engine's under `_internal`.

use crate::api::call::Call;
use crate::control::{field_of, is_given, lineage_of};
use crate::error::{Error, Result};
use crate::model::{Document, DocumentId, LINEAGE_FIELD, Vector};
use crate::store::catalog::Namespace;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Documents that one request resolves for `expand`.
const EXPANDED_MAX: usize = 50;
/// Children that `expand=children` shows of each document.
const CHILDREN_MAX: usize = 100;

#[derive(Serialize, JsonSchema)]
pub(super) struct DocumentModel {
    pub(super) document_id: String,
    pub(super) collection_id: String,
    /// There when vectors were asked for, and false: what the store holds was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    vector_hydration_incomplete: Option<bool>,
    /// Fields that hold bytes, and where to get them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    document_blobs: Vec<DocumentBlob>,
    #[serde(rename = "_internal")]
    internal: Internal,
    /// Which run of which extractor made it.
    internal_metadata: InternalMetadata,
    /// By name: numbers, rows of numbers, or `{"indices", "values"}`.
    #[serde(rename = "_vectors", skip_serializing_if = "Option::is_none")]
    vectors: Option<Map<String, Value>>,
    /// What `expand` asked for, by field.
    #[serde(rename = "_expanded", skip_serializing_if = "Map::is_empty")]
    expanded: Map<String, Value>,
    /// Fields of the extractor, of the source, and of users.
    #[serde(flatten)]
    fields: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
struct DocumentBlob {
    field: String,
    role: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Path on this server.
    url: String,
    /// SHA-256.
    checksum: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    presigned_url: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Internal {
    internal_id: String,
    namespace_id: String,
    document_id: String,
    collection_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    lineage: InternalLineage,
    processing: Processing,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hash: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct InternalLineage {
    root_object_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_bucket_id: Option<String>,
    /// `bucket`, `collection` or `direct_upsert`.
    source_type: String,
    source_object_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_document_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_collection_id: Option<String>,
    /// Names of the bucket and the collections it went through.
    path: String,
    /// A step for each collection in the path.
    chain: Vec<Map<String, Value>>,
}

#[derive(Serialize, JsonSchema)]
struct Processing {
    history: Vec<Map<String, Value>>,
}

#[derive(Serialize, JsonSchema)]
struct InternalMetadata {
    root_object_id: String,
    source_object_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_document_id: Option<String>,
    path: String,
    /// Among the documents of its parent.
    position: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<String>,
    /// Number of the run in the namespace; absent for what a user gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    /// `name@version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    feature_extractor_id: Option<String>,
    /// SHA-256 of the extractor.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// A step for each extractor it went through, where the batch was asked to record that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    processing_history: Vec<Map<String, Value>>,
}

/// Which vectors an answer has.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Vectors {
    #[default]
    None,
    All,
    Named(Vec<String>),
}

impl Vectors {
    pub(super) fn new(all: Option<bool>, named: Option<Vec<String>>) -> Vectors {
        match (named, all) {
            (Some(names), _) => Vectors::Named(names),
            (None, Some(true)) => Vectors::All,
            (None, Some(false) | None) => Vectors::None,
        }
    }

    pub(super) fn wanted(&self) -> bool {
        *self != Vectors::None
    }
}

/// How documents are to be shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    pub(super) vectors: Vectors,
    pub(super) presigned: bool,
    /// Only these fields, by dotted path.
    pub(super) select: Option<Vec<String>>,
    /// Fields that hold ids of documents; `children` for those made from it.
    pub(super) expand: Vec<String>,
}

/// Shows documents of one namespace.
pub(super) struct Shower<'a> {
    call: &'a Call<'a>,
    namespace: &'a Namespace,
    /// Ids by what the engine calls them.
    collections: BTreeMap<String, String>,
    buckets: BTreeMap<String, String>,
    pub(super) shape: Shape,
}

impl<'a> Shower<'a> {
    pub(super) fn new(
        call: &'a Call<'a>,
        namespace: &'a Namespace,
        shape: Shape,
    ) -> Result<Shower<'a>> {
        let collections = call.control.collections(namespace)?.into_iter();
        let buckets = call.control.buckets(namespace)?.into_iter();
        Ok(Shower {
            call,
            namespace,
            collections: collections.map(|it| (it.key.to_string(), it.id.to_string())).collect(),
            buckets: buckets.map(|it| (it.key.to_string(), it.id.to_string())).collect(),
            shape,
        })
    }

    pub(super) fn all(&self, documents: Vec<Document>) -> Result<Vec<DocumentModel>> {
        let mut left = EXPANDED_MAX;
        documents.into_iter().map(|document| self.expanding(document, &mut left)).collect()
    }

    pub(super) fn one(&self, document: Document) -> Result<DocumentModel> {
        self.expanding(document, &mut EXPANDED_MAX.clone())
    }

    fn expanding(&self, document: Document, left: &mut usize) -> Result<DocumentModel> {
        let mut expanded = Map::new();
        for field in &self.shape.expand {
            let found = match field.as_str() {
                "children" => {
                    let children = self.call.control.descendants(
                        self.namespace,
                        &document,
                        1,
                        CHILDREN_MAX,
                    )?;
                    Value::Array(children.into_iter().map(|it| json!(self.plain(it))).collect())
                }
                field => self.referenced(&document, field, left)?,
            };
            expanded.insert(field.clone(), found);
        }
        Ok(DocumentModel { expanded, ..self.plain(document) })
    }

    /// The documents that a field names, in its form: one or a list.
    fn referenced(&self, document: &Document, field: &str, left: &mut usize) -> Result<Value> {
        let value = field_of(document, field);
        let named: Vec<DocumentId> = match &*value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            value => value.as_str().into_iter().collect::<Vec<_>>(),
        }
        .into_iter()
        .filter_map(|id| DocumentId::parse(id).ok())
        .collect();
        *left = left.checked_sub(named.len()).ok_or_else(|| {
            Error::invalid(format!("`expand` names more than {EXPANDED_MAX} documents"))
                .field("/expand")
                .hint("ask for fewer documents a page")
        })?;
        let found = self.call.control.documents_by_id(self.namespace, &named, false)?;
        let mut found = found.into_iter().map(|it| json!(self.plain(it)));
        Ok(match *value {
            Value::Array(_) => Value::Array(found.collect()),
            _ => found.next().unwrap_or(Value::Null),
        })
    }

    fn plain(&self, document: Document) -> DocumentModel {
        let text = |name: &str| {
            let found = lineage_of(&document, name).as_str().filter(|text| !text.is_empty());
            found.map(str::to_string)
        };
        let document_id = document.id.to_string();
        let key = text("collection").unwrap_or_default();
        let collection_id = self.collections.get(&key).cloned().unwrap_or(key);
        let object = text("object").unwrap_or_default();
        let parent = text("parent");
        let path = text("path").unwrap_or_default();
        let history: Vec<Map<String, Value>> = match lineage_of(&document, "history") {
            Value::Array(steps) => steps.iter().filter_map(|it| it.as_object().cloned()).collect(),
            _ => Vec::new(),
        };
        let given = is_given(&document);
        let source_type = text("source")
            .unwrap_or_else(|| if parent.is_some() { "collection" } else { "bucket" }.to_string());
        let words: Vec<&str> = path.split('/').collect();
        let before = words.len().checked_sub(2).map(|at| words[at]);
        let source_collection = match (&parent, before) {
            _ if given => text("source_collection"),
            (Some(_), Some(key)) => self.collections.get(key).cloned(),
            _ => None,
        };
        let root_bucket = match given {
            true => text("root_bucket"),
            false => words.first().and_then(|key| self.buckets.get(*key).cloned()),
        };
        let internal = Internal {
            internal_id: document_id.clone(),
            namespace_id: self.namespace.id.to_string(),
            document_id: document_id.clone(),
            collection_id: collection_id.clone(),
            created_at: text("created_at"),
            updated_at: text("updated_at"),
            lineage: InternalLineage {
                root_object_id: object.clone(),
                root_bucket_id: root_bucket,
                source_type,
                source_object_id: object.clone(),
                source_document_id: parent.clone(),
                source_collection_id: source_collection,
                path: path.clone(),
                chain: self.chain(&document, &words),
            },
            processing: Processing { history: history.clone() },
            content_hash: text("content_hash"),
        };
        let internal_metadata = InternalMetadata {
            root_object_id: object.clone(),
            source_object_id: object,
            source_document_id: parent,
            path,
            position: lineage_of(&document, "position").as_i64().unwrap_or(0),
            batch_id: text("batch"),
            run: lineage_of(&document, "run").as_u64().filter(|_| !given),
            feature_extractor_id: text("extractor"),
            digest: text("digest"),
            processing_history: history,
        };
        let document_blobs = self.blobs(&document, &collection_id);
        let Document { payload, vectors, .. } = document;
        DocumentModel {
            vector_hydration_incomplete: self.shape.vectors.wanted().then_some(false),
            document_blobs,
            internal,
            internal_metadata,
            vectors: self.vectors(vectors),
            expanded: Map::new(),
            fields: self.fields(payload),
            document_id,
            collection_id,
        }
    }

    fn chain(&self, document: &Document, words: &[&str]) -> Vec<Map<String, Value>> {
        if let Value::Array(steps) = lineage_of(document, "chain") {
            return steps.iter().filter_map(|step| step.as_object().cloned()).collect();
        }
        let own = lineage_of(document, "collection").as_str().unwrap_or_default();
        let steps = words.iter().filter_map(|key| {
            let mut step = Map::new();
            step.insert("collection_id".to_string(), self.collections.get(*key)?.clone().into());
            if *key == own {
                step.insert("document_id".to_string(), document.id.to_string().into());
                let extractor = lineage_of(document, "extractor").clone();
                step.insert("feature_extractor_id".to_string(), extractor);
            }
            Some(step)
        });
        steps.collect()
    }

    fn blobs(&self, document: &Document, collection_id: &str) -> Vec<DocumentBlob> {
        let held = document.payload.iter().filter_map(|(field, value)| {
            let digest = value.as_str()?.strip_prefix("blob:").filter(|it| it.len() == 64)?;
            let url = blob_url(collection_id, document.id, field);
            Some(DocumentBlob {
                field: field.clone(),
                role: "artifact",
                kind: "other",
                presigned_url: self.shape.presigned.then(|| url.clone()),
                url,
                checksum: digest.to_string(),
            })
        });
        held.collect()
    }

    fn vectors(&self, vectors: Vec<(String, Vector)>) -> Option<Map<String, Value>> {
        let shown = |name: &String| match &self.shape.vectors {
            Vectors::None => false,
            Vectors::All => true,
            Vectors::Named(names) => names.contains(name),
        };
        let values = vectors.into_iter().filter(|(name, _)| shown(name)).map(|(name, vector)| {
            let value = match vector {
                Vector::Dense(values) => json!(values),
                Vector::Multi(rows) => json!(rows),
                Vector::Sparse(sparse) => {
                    json!({ "indices": sparse.indices, "values": sparse.values })
                }
            };
            (name, value)
        });
        self.shape.vectors.wanted().then(|| values.collect())
    }

    /// Without what would hide a field of the answer itself.
    fn fields(&self, mut payload: Map<String, Value>) -> Map<String, Value> {
        let own = [
            LINEAGE_FIELD,
            "document_id",
            "collection_id",
            "vector_hydration_incomplete",
            "document_blobs",
            "searchable_at",
            "_internal",
            "internal_metadata",
            "_vectors",
            "_expanded",
        ];
        payload.retain(|name, _| !own.contains(&name.as_str()));
        match &self.shape.select {
            None => payload,
            Some(paths) => paths.iter().fold(Map::new(), |mut kept, path| {
                keep(&mut kept, &payload, path);
                kept
            }),
        }
    }
}

/// Copies what a dotted path leads to.
fn keep(into: &mut Map<String, Value>, from: &Map<String, Value>, path: &str) {
    if let Some(value) = from.get(path) {
        into.insert(path.to_string(), value.clone());
        return;
    }
    let Some((first, rest)) = path.split_once('.') else { return };
    let Some(Value::Object(inner)) = from.get(first) else { return };
    if let Value::Object(kept) = into.entry(first).or_insert_with(|| json!({})) {
        keep(kept, inner, rest);
    }
}

/// Path of the bytes behind a field.
pub(super) fn blob_url(collection_id: &str, id: DocumentId, field: &str) -> String {
    let mut word = String::new();
    for byte in field.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                word.push(byte.into());
            }
            // Writing to a String does not fail.
            _ => drop(write!(word, "%{byte:02X}")),
        }
    }
    format!("/v1/collections/{collection_id}/documents/{id}/blobs/{word}")
}
