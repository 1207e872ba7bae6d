//! From a pipeline to a plan: tiers, pinned extractors, bound fields, named vectors. Pure: the same
//! pipeline and the same descriptions give the same plan, and everything that can be refused is
//! refused here and not in row 40,000.

mod bind;
mod field;
mod graph;
mod vectors;

pub use bind::regex;
pub use field::{FieldRef, RowField, RowKind};
pub use vectors::VectorName;

use crate::config::{Bucket, BucketField, COLLECTIONS_MAX, Collection, FieldType, Pipeline};
use crate::error::{Error, Result};
use crate::model::{Description, ExtractorRef, Filter, Name};
use crate::sink::{IndexSpec, Layout};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a batch runs; stored with it as `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub namespace: Name,
    pub buckets: Vec<PlannedBucket>,
    /// By tier, then by name: a source comes before what reads it.
    pub collections: Vec<PlannedCollection>,
    /// Documents say when and how long they were made, which is different in every run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub history: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedBucket {
    pub name: Name,
    pub id_column: String,
    pub columns: Vec<BucketColumn>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BucketColumn {
    pub field: RowField,
    /// What the schema calls the type.
    pub kind: FieldType,
    /// Column of the manifest.
    pub column: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedCollection {
    pub name: Name,
    /// Longest way from a bucket; 0 reads buckets only.
    pub tier: usize,
    pub sources: Vec<Source>,
    pub extractor: Pinned,
    pub parameters: Value,
    /// For these parameters.
    pub description: Description,
    /// Source field of each of the description's inputs; `None` for an optional one nobody mapped.
    pub inputs: Vec<Option<FieldRef>>,
    /// Field of the document for each of the description's outputs.
    pub outputs: Vec<RowField>,
    pub passthrough: Vec<PlannedPassthrough>,
    pub filter: Option<Filter>,
    /// Named vectors of the sink.
    pub vectors: Vec<VectorName>,
    pub indexes: Vec<IndexSpec>,
    pub searchable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Index into [`Plan::buckets`].
    Bucket(usize),
    /// Index into [`Plan::collections`].
    Collection(usize),
}

/// One exact component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    pub name: String,
    pub version: String,
    /// SHA-256 in hex.
    pub digest: String,
}

impl std::fmt::Display for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedPassthrough {
    pub source: FieldRef,
    pub target: RowField,
    pub default: Option<Value>,
    pub required: bool,
}

impl PlannedCollection {
    /// The fields that a collection reading this one sees.
    pub fn fields(&self) -> Vec<RowField> {
        let passthrough = self.passthrough.iter().map(|p| p.target.clone());
        self.outputs.iter().cloned().chain(passthrough).collect()
    }

    /// Root fields of the source that this collection needs, sorted, each once.
    pub fn needs(&self) -> Vec<String> {
        let mut roots: Vec<String> = self.inputs.iter().flatten().map(|f| f.root.clone()).collect();
        roots.extend(self.passthrough.iter().map(|p| p.source.root.clone()));
        if let Some(filter) = &self.filter {
            bind::filter_roots(filter, &mut roots);
        }
        roots.sort();
        roots.dedup();
        roots
    }

    pub fn path(&self, source_path: &str) -> String {
        format!("{source_path}/{}", self.name)
    }
}

impl Plan {
    /// What the vector sink has to hold; an error names the two features that clash.
    pub fn layout(&self) -> Result<Layout> {
        vectors::layout(&self.collections)
    }

    pub fn collection(&self, name: &str) -> Option<usize> {
        self.collections.iter().position(|c| c.name.as_str() == name)
    }

    /// Indexes of the collections that read collection `index`.
    pub fn readers(&self, index: usize) -> Vec<usize> {
        let reads = |c: &PlannedCollection| c.sources.contains(&Source::Collection(index));
        (0..self.collections.len()).filter(|&at| reads(&self.collections[at])).collect()
    }

    /// Refuses one that there is not.
    pub fn check_tier(&self, tier: usize) -> Result<()> {
        let tiers = self.tiers();
        if tier < tiers {
            return Ok(());
        }
        let last = tiers.saturating_sub(1);
        let message = format!("there is no tier {tier}, the last one is {last}");
        Err(Error::invalid(message).field("from-tier"))
    }

    pub fn tiers(&self) -> usize {
        self.collections.iter().map(|c| c.tier + 1).max().unwrap_or(0)
    }

    /// Whether the collection waits until all its sources are complete. One with a single source
    /// follows it partition by partition.
    pub fn waits(&self, index: usize) -> bool {
        self.collections[index].sources.len() > 1
    }
}

/// Finds an extractor and asks it for its description with the given parameters.
pub type Describe<'a> = dyn FnMut(&ExtractorRef, &Value) -> Result<(Pinned, Description)> + 'a;

/// Errors carry the JSON pointer into the pipeline as their field.
pub fn plan(pipeline: &Pipeline, describe: &mut Describe<'_>) -> Result<Plan> {
    if pipeline.collections.is_empty() {
        let hint = "add a table like [collections.chunks]";
        return Err(Error::invalid("the pipeline has no collections")
            .field("/collections")
            .hint(hint));
    }
    if pipeline.collections.len() > COLLECTIONS_MAX {
        let message = format!("the pipeline has more than {COLLECTIONS_MAX} collections");
        return Err(Error::invalid(message).field("/collections"));
    }
    let buckets: Vec<PlannedBucket> = pipeline
        .buckets
        .iter()
        .map(|(name, bucket)| plan_bucket(name, bucket))
        .collect::<Result<_>>()?;
    let order = graph::order(pipeline)?;
    let namespace = pipeline.namespace.clone();
    let mut plan = Plan { namespace, buckets, collections: Vec::new(), history: false };
    for (name, tier) in &order {
        let collection =
            plan_collection(&plan, name, *tier, &pipeline.collections[name], describe)?;
        plan.collections.push(collection);
    }
    plan.layout()?;
    Ok(plan)
}

fn plan_bucket(name: &Name, bucket: &Bucket) -> Result<PlannedBucket> {
    let mut columns = Vec::new();
    for (field, declared) in &bucket.schema {
        let at = format!("/buckets/{name}/schema/{field}");
        let kind = declared.kind();
        let (column, reference) = match declared {
            BucketField::Type(_) => (field.clone(), false),
            BucketField::Column { column: Some(_), uri: Some(_), .. } => {
                let message = format!("field `{field}` has both a column and a uri");
                return Err(Error::invalid(message).field(at).hint("keep the one that applies"));
            }
            BucketField::Column { column, uri: None, .. } => {
                (column.clone().unwrap_or_else(|| field.clone()), false)
            }
            BucketField::Column { uri: Some(uri), .. } => (uri.clone(), true),
        };
        field::check_name(field).map_err(|error| error.field(at.clone()))?;
        let row_kind = field::of_type(kind, reference).map_err(|error| error.field(at))?;
        columns.push(BucketColumn {
            field: RowField { name: field.clone(), kind: row_kind },
            kind,
            column,
        });
    }
    if columns.is_empty() {
        let message = format!("bucket `{name}` declares no fields");
        return Err(Error::invalid(message).field(format!("/buckets/{name}/schema")));
    }
    Ok(PlannedBucket { name: name.clone(), id_column: bucket.id.clone(), columns })
}

fn plan_collection(
    plan: &Plan,
    name: &Name,
    tier: usize,
    collection: &Collection,
    describe: &mut Describe<'_>,
) -> Result<PlannedCollection> {
    let at = format!("/collections/{name}");
    let sources = graph::sources(plan, name, collection)?;
    let parameters = Value::Object(collection.parameters.clone());
    let (extractor, description) =
        describe(&collection.extractor, &parameters).map_err(|error| {
            // An error in the parameters points below them, everything else is about the extractor.
            match error.field_name().map(str::to_string) {
                Some(pointer) if pointer.starts_with('/') => {
                    error.field(format!("{at}/parameters{}", pointer.trim_end_matches('/')))
                }
                Some(_) => error,
                None => error.field(format!("{at}/extractor")),
            }
        })?;
    let fields = bind::source_fields(plan, &sources, &at)?;
    let inputs = bind::inputs(&description, collection, &fields, &at)?;
    let outputs = bind::outputs(&description, collection, &at)?;
    let passthrough = bind::passthrough(&outputs, collection, &fields, &at)?;
    if let Some(filter) = &collection.filter {
        bind::check_filter(filter, &fields, &format!("{at}/filter"))?;
    }
    let vectors = vectors::names(&description, &outputs, collection, &at)?;
    let mut planned = PlannedCollection {
        name: name.clone(),
        tier,
        sources,
        extractor,
        parameters,
        description,
        inputs,
        outputs,
        passthrough,
        filter: collection.filter.clone(),
        vectors,
        indexes: Vec::new(),
        searchable: collection.searchable,
    };
    planned.indexes = bind::indexes(collection, &planned.fields(), &at)?;
    Ok(planned)
}
