//! What a collection is made of and by, on the wire.

use crate::api::call::Call;
use crate::config::{Passthrough, PassthroughFull};
use crate::error::{Code, Error, Result};
use crate::model::{ExtractorRef, Filter, Name};
use crate::store::catalog::{Collection, Namespace, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const SOURCES_MAX: usize = 64;

/// Where rows come from: buckets, or other collections.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct SourceConfig {
    #[serde(rename = "type")]
    pub(super) kind: SourceKind,
    /// Ids or names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = SOURCES_MAX))]
    pub(super) bucket_ids: Option<Vec<String>>,
    /// The same for one bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bucket_id: Option<String>,
    /// For one collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) collection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = SOURCES_MAX))]
    pub(super) collection_ids: Option<Vec<String>>,
    /// Buckets that the source collections come from. Found, not taken: what is given is ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inherited_bucket_ids: Option<Vec<String>>,
    /// Rows that fit are extracted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_filters: Option<SourceFilters>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SourceKind {
    #[default]
    Bucket,
    Collection,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct SourceFilters {
    pub(super) filters: Option<Filter>,
}

/// An extractor with its parameters, and which fields it reads.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct ExtractorConfig {
    #[schemars(length(min = 1, max = 64))]
    feature_extractor_name: String,
    /// As it stands, or `v1` for the highest that begins with `1.`.
    #[schemars(length(min = 1, max = 64))]
    version: String,
    /// As the extractor's JSON Schema says.
    params: Option<Map<String, Value>>,
    /// The same as `params`; `extractor_type` in it is passed over.
    parameters: Option<Map<String, Value>>,
    /// Source path by input; an input that is not named reads the field of its own name.
    input_mappings: Option<InputMappings>,
    #[schemars(length(max = 256))]
    field_passthrough: Option<Vec<FieldPassthrough>>,
    /// Pass through every field of the source.
    include_all_source_fields: Option<bool>,
    /// Name in the vector sink by output; the output's own where it is free, if absent.
    #[schemars(length(max = 64))]
    vector_names: Option<BTreeMap<String, Name>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
enum InputMappings {
    Paths(BTreeMap<String, MappedInput>),
    List(Vec<InputMapping>),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
enum MappedInput {
    Path(String),
    Full {
        #[allow(dead_code, reason = "both mean a field of the row")]
        source_type: Option<InputSource>,
        path: String,
    },
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct InputMapping {
    input_key: String,
    #[allow(dead_code, reason = "both mean a field of the row")]
    source_type: Option<InputSource>,
    path: String,
}

/// A field of the row, with a value or with bytes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum InputSource {
    Payload,
    Blob,
}

/// A field that every document carries along.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct FieldPassthrough {
    /// Dotted path in the source.
    #[schemars(length(min = 1, max = 512))]
    source_path: String,
    /// Name in the document; the last word of the path if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    target_path: Option<String>,
    /// Where the source has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<Value>,
    /// A row without it is left out.
    #[serde(default)]
    required: Option<bool>,
}

/// An extractor as a collection has it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct CollectionExtractor {
    feature_extractor_name: String,
    version: String,
    feature_extractor_id: String,
    params: Map<String, Value>,
    /// `params` with `extractor_type`, as some clients read them.
    parameters: Map<String, Value>,
    input_mappings: BTreeMap<String, String>,
    field_passthrough: Vec<FieldPassthrough>,
    include_all_source_fields: bool,
}

/// An extractor config in the engine's terms.
pub(super) struct Configured {
    pub(super) extractor: ExtractorRef,
    pub(super) parameters: Map<String, Value>,
    pub(super) inputs: BTreeMap<String, String>,
    pub(super) passthrough: Vec<Passthrough>,
    pub(super) all_fields: bool,
    /// Those that were asked for.
    pub(super) vectors: BTreeMap<String, Name>,
}

impl SourceConfig {
    /// Names and ids as ids that exist.
    pub(super) fn parse(&self, call: &Call, namespace: &Namespace) -> Result<Source> {
        let given = |many: &Option<Vec<String>>, one: &Option<String>| {
            let mut all: Vec<String> = many.iter().flatten().cloned().collect();
            all.extend(one.clone());
            all
        };
        let buckets = given(&self.bucket_ids, &self.bucket_id);
        let collections = given(&self.collection_ids, &self.collection_id);
        let missing = |error: Error, at: String| match error.code() {
            Code::NotFound => Error::invalid(error.to_string()).field(at),
            _ => error,
        };
        match self.kind {
            SourceKind::Bucket => {
                check_given(&buckets, &collections, "bucket_ids")?;
                let mut ids = Vec::new();
                for (at, bucket) in buckets.iter().enumerate() {
                    let found = call.control.bucket(namespace, bucket);
                    let at = format!("/source/bucket_ids/{at}");
                    ids.push(found.map_err(|error| missing(error, at))?.id);
                }
                ids.dedup();
                Ok(Source::Buckets(ids))
            }
            SourceKind::Collection => {
                check_given(&collections, &buckets, "collection_ids")?;
                let mut ids = Vec::new();
                for (at, collection) in collections.iter().enumerate() {
                    let found = call.control.collection(namespace, collection);
                    let at = format!("/source/collection_ids/{at}");
                    ids.push(found.map_err(|error| missing(error, at))?.id);
                }
                ids.dedup();
                Ok(Source::Collections(ids))
            }
        }
    }

    pub(super) fn filter(&self) -> Option<Filter> {
        self.source_filters.as_ref().and_then(|given| given.filters.clone())
    }

    pub(super) fn of(collection: &Collection, all: &[Collection]) -> SourceConfig {
        let text = |id: &crate::model::CollectionId| id.to_string();
        let source_filters =
            collection.filter.clone().map(|filter| SourceFilters { filters: Some(filter) });
        match &collection.source {
            Source::Buckets(ids) => SourceConfig {
                kind: SourceKind::Bucket,
                bucket_ids: Some(ids.iter().map(|id| id.to_string()).collect()),
                source_filters,
                ..SourceConfig::default()
            },
            Source::Collections(ids) => SourceConfig {
                kind: SourceKind::Collection,
                collection_id: (ids.len() == 1).then(|| ids.iter().map(text).collect()),
                collection_ids: Some(ids.iter().map(text).collect()),
                inherited_bucket_ids: Some(roots(collection, all)),
                source_filters,
                ..SourceConfig::default()
            },
        }
    }
}

fn check_given(wanted: &[String], others: &[String], field: &str) -> Result<()> {
    let at = format!("/source/{field}");
    if wanted.is_empty() {
        return Err(Error::invalid(format!("the source needs `{field}`")).field(at));
    }
    if !others.is_empty() {
        let message = "a source has buckets or collections, not both";
        return Err(Error::invalid(message).field(at));
    }
    Ok(())
}

/// Ids of the buckets that a collection comes from in the end.
pub(super) fn roots(collection: &Collection, all: &[Collection]) -> Vec<String> {
    let mut buckets = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![collection];
    while let Some(next) = open.pop() {
        match &next.source {
            Source::Buckets(ids) => buckets.extend(ids.iter().map(|id| id.to_string())),
            Source::Collections(ids) => {
                let sources = all.iter().filter(|source| ids.contains(&source.id));
                open.extend(sources.filter(|source| seen.insert(source.id.clone())));
            }
        }
    }
    buckets.into_iter().collect()
}

impl ExtractorConfig {
    pub(super) fn parse(self, call: &Call) -> Result<Configured> {
        let extractor =
            call.control.extractor_reference(&self.feature_extractor_name, &self.version)?;
        let mut parameters = self.params.unwrap_or_default();
        for (name, value) in self.parameters.unwrap_or_default() {
            if name != "extractor_type" {
                parameters.entry(name).or_insert(value);
            }
        }
        let mut inputs = BTreeMap::new();
        match self.input_mappings {
            None => {}
            Some(InputMappings::Paths(paths)) => {
                for (input, mapped) in paths {
                    let (MappedInput::Path(path) | MappedInput::Full { path, .. }) = mapped;
                    inputs.insert(input, path);
                }
            }
            Some(InputMappings::List(list)) => {
                inputs.extend(list.into_iter().map(|mapping| (mapping.input_key, mapping.path)));
            }
        }
        let passthrough = self.field_passthrough.unwrap_or_default().into_iter();
        Ok(Configured {
            extractor,
            parameters,
            inputs,
            passthrough: passthrough.map(FieldPassthrough::into_config).collect(),
            all_fields: self.include_all_source_fields.unwrap_or(false),
            vectors: self.vector_names.unwrap_or_default(),
        })
    }
}

impl FieldPassthrough {
    fn into_config(self) -> Passthrough {
        Passthrough::Full(PassthroughFull {
            source: self.source_path,
            target: self.target_path,
            default: self.default,
            required: self.required.unwrap_or(false),
        })
    }

    fn of(passthrough: &Passthrough) -> FieldPassthrough {
        match passthrough {
            Passthrough::Path(path) => FieldPassthrough {
                source_path: path.clone(),
                target_path: None,
                default: None,
                required: Some(false),
            },
            Passthrough::Full(full) => FieldPassthrough {
                source_path: full.source.clone(),
                target_path: full.target.clone(),
                default: full.default.clone(),
                required: Some(full.required),
            },
        }
    }
}

impl CollectionExtractor {
    pub(super) fn of(collection: &Collection) -> CollectionExtractor {
        let mut parameters = collection.parameters.clone();
        parameters.insert("extractor_type".to_string(), collection.extractor.name.clone().into());
        CollectionExtractor {
            feature_extractor_name: collection.extractor.name.clone(),
            version: collection.extractor.version.clone().unwrap_or_default(),
            feature_extractor_id: collection.extractor.to_string(),
            params: collection.parameters.clone(),
            parameters,
            input_mappings: collection.inputs.clone(),
            field_passthrough: collection.passthrough.iter().map(FieldPassthrough::of).collect(),
            include_all_source_fields: collection.all_fields,
        }
    }
}

/// A pointer into the collection of a pipeline file as one into the request.
pub(super) fn in_request(error: Error) -> Error {
    let Some(field) = error.field_name().map(str::to_string) else { return error };
    let places = [
        ("/extractor", "/feature_extractor/feature_extractor_name"),
        ("/parameters", "/feature_extractor/params"),
        ("/inputs", "/feature_extractor/input_mappings"),
        ("/passthrough", "/feature_extractor/field_passthrough"),
        ("/vectors", "/feature_extractor/vector_names"),
        ("/filter", "/source/source_filters/filters"),
    ];
    let place = places.iter().find_map(|(from, to)| {
        let rest = field.strip_prefix(from)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
    });
    match place {
        Some(place) => error.field(place),
        None => error,
    }
}
