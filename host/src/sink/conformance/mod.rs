//! What every [`VectorSink`] has to do, as cases that any backend can run against itself.
//!
//! Each case works in a namespace of its own and removes it at the end. Vectors are compared bit by
//! bit under the distance `dot`: under `cosine` an engine may store the normalised vector.

mod documents;
mod filters;
mod namespaces;
mod searches;

use super::{
    Hit, IndexKind, IndexSpec, Layout, PAYLOAD_DEPTH_MAX, Scroll, Search, VectorKind, VectorSink,
    VectorSpec,
};
use crate::error::{Code, Error, Result};
use crate::model::{
    BatchId, Condition, Distance, Document, DocumentId, Filter, Name, Operator, SparseVector,
    Vector,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Opens the backend under test; called again by the cases about persistence, after the first one
/// was dropped.
pub type Open<'a> = &'a dyn Fn() -> Result<Box<dyn VectorSink>>;

pub struct Case {
    pub name: &'static str,
    run: fn(&mut Stage) -> Outcome,
}

/// What the backend did wrong, as a sentence.
#[derive(Debug)]
pub struct Failure(pub String);

pub type Outcome = std::result::Result<(), Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(error.chain())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! ensure {
    ($holds:expr, $($sentence:tt)+) => {
        let holds: bool = $holds;
        if !holds {
            return Err(Failure(format!($($sentence)+)));
        }
    };
}
use ensure;

macro_rules! cases {
    ($($module:ident: [$($name:ident)+])+) => {
        /// In the order of `run_all`.
        pub const CASES: &[Case] =
            &[$($(Case { name: stringify!($name), run: $module::$name }),+),+];
    };
}

cases! {
    namespaces: [
        preparing_twice_changes_nothing
        preparing_adds_what_is_missing_and_keeps_the_points
        preparing_refuses_a_vector_that_changed
        a_namespace_without_vectors_holds_documents
        an_unknown_namespace_is_not_found
        what_was_flushed_is_there_after_reopening
        removing_leaves_nothing_behind
    ]
    documents: [
        documents_come_back_as_they_were_written
        a_second_write_of_an_id_replaces_the_first
        a_repeated_write_does_not_double
        threads_write_side_by_side
        one_bad_document_keeps_all_out
        the_deepest_payload_comes_back_and_a_deeper_one_is_refused
        writing_nothing_is_fine
        five_thousand_documents_in_one_call_all_arrive
        a_vector_of_zeros_is_stored_and_scores_zero
        pages_come_in_order_and_lose_nothing
        stale_documents_of_the_named_objects_go_and_no_others
        the_documents_of_a_batch_go_and_no_others
        the_named_documents_go_and_no_others
        fields_are_set_and_taken_away_and_the_rest_stays
    ]
    filters: [
        counting_follows_the_filter
        every_filter_operator_selects_what_it_says
        filters_nest
    ]
    searches: [
        a_search_ranks_by_the_distance
        a_search_heeds_the_filter
        a_sparse_search_ranks_by_the_dot_product
        a_multi_vector_search_ranks_by_the_best_rows
        two_lists_are_fused_by_reciprocal_rank
        equal_scores_come_in_the_order_of_ids
        a_search_with_a_bad_query_is_refused
    ]
}

impl Case {
    /// Fails with a sentence that starts with the name of the case.
    pub fn run(&self, open: Open<'_>) -> Outcome {
        let label = self.name.replace('_', "-");
        let name = format!("{}-{}", &label[..label.len().min(27)], Uuid::new_v4().simple());
        let outcome = Name::parse(&name).map_err(Failure::from).and_then(|namespace| {
            let sink = Some(open()?);
            let mut stage = Stage { open, sink, namespace };
            let outcome = (self.run)(&mut stage);
            let removed = stage.sink().and_then(|sink| Ok(sink.remove(&stage.namespace)?));
            outcome.and(removed)
        });
        outcome.map_err(|Failure(sentence)| Failure(format!("{}: {sentence}", self.name)))
    }
}

/// Every case; the first failure ends it.
pub fn run_all(open: Open<'_>) -> Outcome {
    CASES.iter().try_for_each(|case| case.run(open))
}

struct Stage<'a> {
    open: Open<'a>,
    sink: Option<Box<dyn VectorSink>>,
    namespace: Name,
}

impl Stage<'_> {
    fn sink(&self) -> std::result::Result<&dyn VectorSink, Failure> {
        self.sink.as_deref().ok_or_else(|| Failure("the sink could not be reopened".into()))
    }

    fn reopen(&mut self) -> Outcome {
        self.sink = None;
        self.sink = Some((self.open)()?);
        Ok(())
    }

    fn prepare(&self) -> Outcome {
        Ok(self.sink()?.prepare(&self.namespace, &layout()?)?)
    }

    fn write(&self, documents: Vec<Document>) -> Outcome {
        Ok(self.sink()?.upsert(&self.namespace, documents)?)
    }

    fn count(&self, filter: Option<&Filter>) -> std::result::Result<u64, Failure> {
        Ok(self.sink()?.count(&self.namespace, filter)?)
    }

    fn get(&self, ids: &[DocumentId]) -> std::result::Result<Vec<Document>, Failure> {
        Ok(self.sink()?.get(&self.namespace, ids, true)?)
    }

    fn search(&self, search: Search) -> std::result::Result<Vec<Hit>, Failure> {
        Ok(self.sink()?.search(&self.namespace, &search)?)
    }
}

const FOUR: VectorKind = VectorKind::Dense { dimension: 4, distance: Distance::Dot };

fn layout() -> Result<Layout> {
    let spec = |name: &str, kind| VectorSpec { name: name.into(), kind };
    let index = |path: &str, kind| IndexSpec { path: path.into(), kind };
    Layout::new(
        vec![
            spec("dense", FOUR),
            spec("angle", VectorKind::Dense { dimension: 4, distance: Distance::Cosine }),
            spec("far", VectorKind::Dense { dimension: 4, distance: Distance::Euclid }),
            spec("rows", VectorKind::Multi { dimension: 2, distance: Distance::Dot }),
            spec("words", VectorKind::Sparse),
        ],
        vec![index("kind", IndexKind::Keyword), index("title", IndexKind::Text)],
    )
}

fn id(number: u64) -> DocumentId {
    DocumentId(Uuid::from_u128(0x5eed_0000_0000_8000_8000_0000_0000_0000 | u128::from(number)))
}

/// What [`id`] was made from.
fn number(document: &Document) -> u64 {
    document.id.0.as_u128() as u64 & u64::from(u32::MAX)
}

fn document(number: u64, payload: Value) -> Document {
    let Value::Object(mut fields) = payload else { panic!("a payload is an object") };
    let lineage = json!({ "collection": "chunks", "object": format!("obj_{number}"), "run": 1 });
    fields.insert("_quarry".into(), lineage);
    let vectors = vec![("dense".into(), dense(&[number as f32, 1.0, 0.0, 0.0]))];
    Document { id: id(number), payload: fields, vectors }
}

fn dense(values: &[f32]) -> Vector {
    Vector::Dense(values.to_vec())
}

fn sparse(pairs: &[(u32, f32)]) -> Vector {
    let (indices, values) = pairs.iter().copied().unzip();
    Vector::Sparse(SparseVector { indices, values })
}

fn with(mut document: Document, name: &str, vector: Vector) -> Document {
    document.vectors.push((name.into(), vector));
    document.vectors.sort_by(|(a, _), (b, _)| a.cmp(b));
    document
}

fn only(number: u64, name: &str, vector: Vector) -> Document {
    Document { vectors: vec![(name.into(), vector)], ..document(number, json!({})) }
}

fn field(field: &str, operator: Operator, value: Value) -> Condition {
    Condition::Field { field: field.into(), operator, value }
}

fn all(and: Vec<Condition>) -> Filter {
    Filter { and, case_sensitive: true, ..Filter::default() }
}

fn search(name: &str, vector: Vector, limit: usize) -> Search {
    Search { vectors: vec![(name.into(), vector)], filter: None, limit }
}

fn numbers(hits: &[Hit]) -> Vec<u64> {
    hits.iter().map(|hit| number(&hit.document)).collect()
}

fn refused<T>(result: Result<T>, code: Code, what: &str) -> Outcome {
    match result {
        Err(error) if error.code() == code => Ok(()),
        Err(error) => {
            let (found, code) = (error.code().as_str(), code.as_str());
            Err(Failure(format!("{what} failed with {found}, not {code}: {}", error.chain())))
        }
        Ok(_) => Err(Failure(format!("{what} was accepted"))),
    }
}

fn matching(stage: &Stage, filter: Filter) -> std::result::Result<Vec<u64>, Failure> {
    let scroll = Scroll { filter: Some(filter), limit: 100, ..Scroll::default() };
    let page = stage.sink()?.scroll(&stage.namespace, &scroll)?;
    Ok(page.documents.iter().map(number).collect())
}
