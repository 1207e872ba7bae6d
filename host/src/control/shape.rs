//! Whether a collection fits what it reads, and what its documents will hold: the engine plans it
//! together with everything above it.

use super::Control;
use super::collections::readers;
use super::pipeline::{assemble, target, upstream};
use crate::config::FieldType;
use crate::engine::plan::{FieldRef, Plan, PlannedCollection, RowKind, Source as Planned};
use crate::error::{Code, Error, Result};
use crate::model::{CollectionId, ExtractorRef, FieldKind, LINEAGE_FIELD, Name};
use crate::sink::{Layout, VectorKind, VectorSpec};
use crate::store::catalog::{
    Bucket, Collection, Namespace, Shape, ShapeField, ShapeVector, Source,
};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a field's description that are kept.
const DESCRIPTION_CHARS_MAX: usize = 100;
/// Other names that are tried for a vector.
const NAMES_MAX: usize = 1_000;

impl Control {
    /// Finds and loads the extractor while no lock is held: the first time it is compiled.
    pub(super) fn load_extractor(&self, extractor: &ExtractorRef) -> Result<()> {
        let engine = &self.engine;
        let resolved = engine.registry.resolve(extractor, &engine.store, &engine.env);
        resolved.map(drop).map_err(|error| error.field("/extractor"))
    }

    /// Adds the collection's vectors to the sink, which a batch would do as well: for documents
    /// that come another way.
    pub fn prepare_vectors(&self, namespace: &Namespace, collection: &Collection) -> Result<()> {
        let Some(sink) = &self.engine.sink else { return Ok(()) };
        let vectors = vectors_of(&collection.shape).map(|(name, kind)| VectorSpec { name, kind });
        sink.prepare(&namespace.key, &Layout::new(vectors.collect(), Vec::new())?)
    }

    /// Plans the collection and keeps what its documents hold. Errors point into the collection.
    pub(super) fn fit(
        &self,
        namespace: &Namespace,
        all: &mut [Collection],
        at: usize,
    ) -> Result<()> {
        let buckets = self.buckets(namespace)?;
        self.fit_among(namespace, &buckets, all, at)
    }

    /// The same for those that read it, which a change must not break.
    pub(super) fn fit_readers(
        &self,
        namespace: &Namespace,
        all: &mut [Collection],
        at: usize,
    ) -> Result<()> {
        let buckets = self.buckets(namespace)?;
        for id in readers(all, &all[at].id) {
            let Some(reader) = all.iter().position(|collection| collection.id == id) else {
                continue;
            };
            self.fit_among(namespace, &buckets, all, reader).map_err(|error| {
                let name = &all[reader].name;
                let message = format!("collection `{name}` reads it and would no longer fit");
                Error::new(Code::Conflict, message).source(error)
            })?;
        }
        Ok(())
    }

    fn fit_among(
        &self,
        namespace: &Namespace,
        buckets: &[Bucket],
        all: &mut [Collection],
        at: usize,
    ) -> Result<()> {
        check_sources(buckets, all, at)?;
        let everything: BTreeSet<CollectionId> =
            all.iter().map(|collection| collection.id.clone()).collect();
        let wanted = upstream(all, std::slice::from_ref(&all[at].id), &everything);
        let key = all[at].key.clone();
        let plan_of = |all: &[Collection]| -> Result<Plan> {
            let pipeline = assemble(namespace, buckets, all, &wanted)?;
            self.engine.plan(&pipeline).map_err(|error| below(error, &key, all))
        };
        // What was passed through before says nothing of the sources as they are now, and vectors
        // are named anew: all of them under the names of the outputs first, apart from each other.
        let before = std::mem::take(&mut all[at].vectors);
        all[at].shape.fields.retain(|field| !field.passed);
        let outputs = self.outputs_of(&all[at])?;
        all[at].vectors = self.vector_names(namespace, all, at, &before, &outputs)?;
        let mut plan = plan_of(all)?;
        if all[at].all_fields {
            let fields = passable(planned(&plan, &key)?, &plan, &all[at]);
            all[at].shape.fields.extend(fields);
            plan = plan_of(all)?;
        }
        all[at].shape = shape(&plan, planned(&plan, &key)?, all);
        Ok(())
    }

    /// The vector outputs of the collection's extractor with its parameters.
    pub(super) fn outputs_of(&self, collection: &Collection) -> Result<Vec<(String, VectorKind)>> {
        let engine = &self.engine;
        let (_, extractor) =
            engine.registry.resolve(&collection.extractor, &engine.store, &engine.env)?;
        let parameters = collection.parameters.clone().into();
        let instance = extractor.instantiate(&parameters).map_err(|error| {
            let pointer = error.field_name().unwrap_or_default().trim_end_matches('/').to_string();
            error.field(format!("/parameters{pointer}"))
        })?;
        let outputs = instance.description().outputs.iter();
        let kinds = outputs.filter_map(|field| {
            let dimension = field.dimension.unwrap_or(0);
            let distance = field.distance.unwrap_or(crate::model::Distance::Dot);
            let kind = match field.kind {
                FieldKind::Dense => VectorKind::Dense { dimension, distance },
                FieldKind::Multi => VectorKind::Multi { dimension, distance },
                FieldKind::Sparse => VectorKind::Sparse,
                FieldKind::Utf8
                | FieldKind::Json
                | FieldKind::I64
                | FieldKind::F64
                | FieldKind::Bool
                | FieldKind::Blob => return None,
            };
            Some((field.name.clone(), kind))
        });
        Ok(kinds.collect())
    }

    /// One namespace is one space of vector names. A feature is called as its output, unless that
    /// name already means another kind or dimension there.
    fn vector_names(
        &self,
        namespace: &Namespace,
        all: &[Collection],
        at: usize,
        before: &BTreeMap<String, Name>,
        outputs: &[(String, VectorKind)],
    ) -> Result<BTreeMap<String, Name>> {
        let layout = match &self.engine.sink {
            Some(sink) => sink.layout(&namespace.key)?.unwrap_or_default(),
            None => Layout::default(),
        };
        let mut known: BTreeMap<String, VectorKind> =
            layout.vectors.into_iter().map(|spec| (spec.name, spec.kind)).collect();
        for (other, collection) in all.iter().enumerate() {
            if other != at {
                known.extend(vectors_of(&collection.shape));
            }
        }
        let mut names = BTreeMap::new();
        for (output, kind) in outputs {
            let kept = before.get(output).map(Name::to_string);
            let own = [kept.unwrap_or_else(|| output.clone()), output.clone()];
            let more = (1..NAMES_MAX).map(|number| other_name(output, &all[at].key, number));
            let fits = |name: &String| known.get(name).is_none_or(|known| known == kind);
            let name = own.into_iter().chain(more).find(fits).ok_or_else(|| {
                Error::new(Code::Conflict, format!("there is no name left for vector `{output}`"))
            })?;
            known.insert(name.clone(), *kind);
            if name != *output {
                names.insert(output.clone(), Name::parse(&name)?);
            }
        }
        Ok(names)
    }
}

/// `embedding_passages`, `embedding_passages_2`, …
fn other_name(output: &str, collection: &Name, number: usize) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '-') => c,
        _ => '_',
    };
    let suffix = if number == 1 { String::new() } else { format!("_{number}") };
    let name: String = format!("{output}_{collection}").chars().map(plain).collect();
    let name = name.trim_start_matches(['_', '-']);
    format!("{}{suffix}", &name[..name.len().min(64 - suffix.len())])
}

fn vectors_of(shape: &Shape) -> impl Iterator<Item = (String, VectorKind)> + '_ {
    shape.fields.iter().filter_map(|field| {
        let vector = field.vector.as_ref()?;
        let dimension = vector.dimension.unwrap_or(0);
        let distance = vector.distance.unwrap_or(crate::model::Distance::Dot);
        let kind = match vector.kind {
            FieldKind::Sparse => VectorKind::Sparse,
            FieldKind::Multi => VectorKind::Multi { dimension, distance },
            _ => VectorKind::Dense { dimension, distance },
        };
        Some((vector.name.clone(), kind))
    })
}

fn check_sources(buckets: &[Bucket], all: &[Collection], at: usize) -> Result<()> {
    let missing = match &all[at].source {
        Source::Buckets(ids) => {
            let known = |id| buckets.iter().any(|bucket| bucket.id == id);
            ids.iter().find(|id| !known((*id).clone())).map(|id| format!("bucket `{id}`"))
        }
        Source::Collections(ids) => {
            let known = |id| all.iter().any(|collection| collection.id == id);
            ids.iter().find(|id| !known((*id).clone())).map(|id| format!("collection `{id}`"))
        }
    };
    match missing {
        Some(what) => Err(Error::invalid(format!("there is no {what}")).field("/source")),
        None => Ok(()),
    }
}

fn planned<'a>(plan: &'a Plan, key: &Name) -> Result<&'a PlannedCollection> {
    let at = plan.collection(key.as_str());
    at.map(|at| &plan.collections[at])
        .ok_or_else(|| Error::internal("a collection was not planned"))
}

/// An error of the plan as one of this collection. One above it was right when it was made: what is
/// wrong now has to be looked for there.
fn below(error: Error, key: &Name, all: &[Collection]) -> Error {
    let Some(field) = error.field_name().map(str::to_string) else { return error };
    let Some(rest) = field.strip_prefix("/collections/") else { return error };
    let (name, pointer) = rest.split_once('/').unwrap_or((rest, ""));
    if name == key.as_str() {
        return error.field(format!("/{pointer}"));
    }
    // A cycle is nobody's alone.
    if pointer == "source" {
        return error.field("/source");
    }
    let other = all.iter().find(|other| other.key.as_str() == name);
    let name = other.map_or(name, |other| other.name.as_str());
    Error::new(Code::Conflict, format!("its source `{name}` does not fit any more")).source(error)
}

/// Fields of the sources that can be passed through under their own names.
fn passable(planned: &PlannedCollection, plan: &Plan, own: &Collection) -> Vec<ShapeField> {
    let mut common: Option<Vec<(String, RowKind)>> = None;
    for source in &planned.sources {
        let fields: Vec<(String, RowKind)> = match source {
            Planned::Bucket(at) => {
                let columns = plan.buckets[*at].columns.iter();
                columns.map(|column| (column.field.name.clone(), column.field.kind)).collect()
            }
            Planned::Collection(at) => {
                let fields = plan.collections[*at].fields();
                fields.into_iter().map(|field| (field.name, field.kind)).collect()
            }
        };
        common = Some(match common {
            None => fields,
            Some(known) => known.into_iter().filter(|field| fields.contains(field)).collect(),
        });
    }
    let named: Vec<String> = own.passthrough.iter().map(target).collect();
    let taken = |name: &String| {
        named.contains(name) || planned.outputs.iter().any(|output| output.name == *name)
    };
    let common = common.unwrap_or_default().into_iter();
    common
        .filter(|(name, kind)| !kind.is_vector() && !taken(name) && name != LINEAGE_FIELD)
        .map(|(name, kind)| passed(name, word(kind)))
        .collect()
}

fn passed(name: String, kind: FieldType) -> ShapeField {
    ShapeField { name, kind, description: String::new(), passed: true, vector: None }
}

fn shape(plan: &Plan, planned: &PlannedCollection, all: &[Collection]) -> Shape {
    let outputs = planned.description.outputs.iter().enumerate().map(|(at, output)| {
        let named = planned.vectors.iter().find(|vector| vector.output == at);
        ShapeField {
            name: planned.outputs[at].name.clone(),
            kind: match output.kind {
                // A document holds where it is.
                FieldKind::Blob => FieldType::String,
                _ => word(planned.outputs[at].kind),
            },
            description: output.description.chars().take(DESCRIPTION_CHARS_MAX).collect(),
            passed: false,
            vector: named.map(|vector| ShapeVector {
                name: vector.name.clone(),
                kind: output.kind,
                dimension: output.dimension,
                distance: output.distance,
            }),
        }
    });
    let through = planned.passthrough.iter().map(|entry| {
        let kind = origin(plan, planned, &entry.source, all);
        passed(entry.target.name.clone(), kind.unwrap_or_else(|| word(entry.target.kind)))
    });
    Shape {
        digest: planned.extractor.digest.clone(),
        fields: outputs.chain(through).collect(),
        queries: planned.description.queries,
    }
}

/// What the source itself calls the type of a field.
fn origin(
    plan: &Plan,
    planned: &PlannedCollection,
    field: &FieldRef,
    all: &[Collection],
) -> Option<FieldType> {
    if !field.path.is_empty() {
        return None;
    }
    match planned.sources.first()? {
        Planned::Bucket(at) => {
            let mut columns = plan.buckets[*at].columns.iter();
            columns.find(|column| column.field.name == field.root).map(|column| column.kind)
        }
        Planned::Collection(at) => {
            let key = &plan.collections[*at].name;
            let source = all.iter().find(|collection| collection.key == *key)?;
            let mut fields = source.shape.fields.iter();
            fields.find(|known| known.name == field.root).map(|known| known.kind)
        }
    }
}

fn word(kind: RowKind) -> FieldType {
    match kind {
        RowKind::Utf8 | RowKind::Reference | RowKind::Blob => FieldType::String,
        RowKind::Json => FieldType::Object,
        RowKind::I64 => FieldType::Integer,
        RowKind::F64 => FieldType::Float,
        RowKind::Bool => FieldType::Boolean,
        RowKind::Dense { .. } | RowKind::Sparse | RowKind::Multi { .. } => FieldType::Array,
    }
}
