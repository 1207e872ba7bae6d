//! What every [`VectorSink`] has to do, as cases that any backend can run against itself.
//!
//! Each case works in a namespace of its own and removes it at the end. Vectors are compared bit by
//! bit under the distance `dot`: under `cosine` an engine may store the normalised vector.

use super::{
    Hit, IndexKind, IndexSpec, Layout, PAYLOAD_DEPTH_MAX, Scroll, Search, VectorKind, VectorSink,
    VectorSpec,
};
use crate::error::{Code, Error, Result};
use crate::model::{
    Condition, Distance, Document, DocumentId, Filter, Name, Operator, SparseVector, Vector,
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
        if !$holds {
            return Err(Failure(format!($($sentence)+)));
        }
    };
}

macro_rules! cases {
    ($($name:ident)+) => {
        /// In the order of `run_all`.
        pub const CASES: &[Case] = &[$(Case { name: stringify!($name), run: $name }),+];
    };
}

cases! {
    preparing_twice_changes_nothing
    preparing_adds_what_is_missing_and_keeps_the_points
    preparing_refuses_a_vector_that_changed
    a_namespace_without_vectors_holds_documents
    an_unknown_namespace_is_not_found
    documents_come_back_as_they_were_written
    a_second_write_of_an_id_replaces_the_first
    a_repeated_write_does_not_double
    one_bad_document_keeps_all_out
    the_deepest_payload_comes_back_and_a_deeper_one_is_refused
    writing_nothing_is_fine
    five_thousand_documents_in_one_call_all_arrive
    a_vector_of_zeros_is_stored_and_scores_zero
    counting_follows_the_filter
    every_filter_operator_selects_what_it_says
    filters_nest
    pages_come_in_order_and_lose_nothing
    stale_documents_of_the_named_objects_go_and_no_others
    a_search_ranks_by_the_distance
    a_search_heeds_the_filter
    a_sparse_search_ranks_by_the_dot_product
    a_multi_vector_search_ranks_by_the_best_rows
    two_lists_are_fused_by_reciprocal_rank
    equal_scores_come_in_the_order_of_ids
    a_search_with_a_bad_query_is_refused
    what_was_flushed_is_there_after_reopening
    removing_leaves_nothing_behind
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

fn preparing_twice_changes_nothing(stage: &mut Stage) -> Outcome {
    let absent = stage.sink()?.layout(&stage.namespace)?;
    ensure!(absent.is_none(), "a namespace exists before it is prepared: {absent:?}");
    for round in 1..=2 {
        stage.prepare()?;
        let found = stage.sink()?.layout(&stage.namespace)?;
        ensure!(found == Some(layout()?), "after round {round} the layout is {found:?}");
        stage.write(vec![document(1, json!({}))])?;
    }
    ensure!(stage.count(None)? == 1, "the point is gone after preparing again");
    Ok(())
}

fn preparing_adds_what_is_missing_and_keeps_the_points(stage: &mut Stage) -> Outcome {
    let spec = |name: &str, kind| VectorSpec { name: name.into(), kind };
    let small = Layout::new(vec![spec("dense", FOUR)], Vec::new())?;
    stage.sink()?.prepare(&stage.namespace, &small)?;
    stage.write((1..=20).map(|n| document(n, json!({ "kind": "old" }))).collect())?;
    stage.prepare()?;
    let found = stage.sink()?.layout(&stage.namespace)?;
    ensure!(found == Some(layout()?), "the extended layout is {found:?}");
    ensure!(stage.count(None)? == 20, "points were lost by adding vectors");
    let added = with(document(21, json!({ "kind": "new" })), "words", sparse(&[(7, 2.0)]));
    let added = with(added, "rows", Vector::Multi(vec![vec![1.0, 2.0], vec![3.0, 4.0]]));
    stage.write(vec![with(added.clone(), "angle", dense(&[0.0, 0.6, 0.8, 0.0]))])?;
    let hits = stage.search(search("words", sparse(&[(7, 1.0)]), 10))?;
    ensure!(numbers(&hits) == [21], "the added vector finds {:?}", numbers(&hits));
    let old = stage.get(&[id(3)])?;
    ensure!(old == [document(3, json!({ "kind": "old" }))], "an old point became {old:?}");
    let filter = all(vec![field("kind", Operator::Eq, json!("old"))]);
    ensure!(stage.count(Some(&filter))? == 20, "the added index misses old points");
    stage.prepare()
}

fn preparing_refuses_a_vector_that_changed(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    for kind in [
        VectorKind::Dense { dimension: 5, distance: Distance::Dot },
        VectorKind::Dense { dimension: 4, distance: Distance::Cosine },
        VectorKind::Multi { dimension: 4, distance: Distance::Dot },
        VectorKind::Sparse,
    ] {
        let changed = Layout::new(vec![VectorSpec { name: "dense".into(), kind }], Vec::new())?;
        let result = stage.sink()?.prepare(&stage.namespace, &changed);
        refused(result, Code::Invalid, &format!("changing `dense` to {kind}"))?;
    }
    let found = stage.sink()?.layout(&stage.namespace)?;
    ensure!(found == Some(layout()?), "a refused layout left {found:?}");
    Ok(())
}

fn a_namespace_without_vectors_holds_documents(stage: &mut Stage) -> Outcome {
    stage.sink()?.prepare(&stage.namespace, &Layout::default())?;
    let bare = Document { vectors: Vec::new(), ..document(1, json!({ "a": 1 })) };
    stage.write(vec![bare.clone()])?;
    let found = stage.get(&[id(1)])?;
    ensure!(found == [bare], "a document without vectors became {found:?}");
    refused(
        stage.sink()?.upsert(&stage.namespace, vec![document(2, json!({}))]),
        Code::Invalid,
        "a vector in a namespace without vectors",
    )
}

fn an_unknown_namespace_is_not_found(stage: &mut Stage) -> Outcome {
    let (sink, namespace) = (stage.sink()?, &stage.namespace);
    refused(sink.upsert(namespace, vec![document(1, json!({}))]), Code::NotFound, "a write")?;
    refused(sink.flush(namespace), Code::NotFound, "a flush")?;
    refused(sink.optimize(namespace), Code::NotFound, "optimizing")?;
    refused(sink.count(namespace, None), Code::NotFound, "a count")?;
    refused(sink.get(namespace, &[id(1)], false), Code::NotFound, "a read")?;
    let scroll = Scroll { limit: 1, ..Scroll::default() };
    refused(sink.scroll(namespace, &scroll), Code::NotFound, "a page")?;
    let stale = sink.delete_stale(namespace, "chunks", &["obj_1".into()], 2);
    refused(stale, Code::NotFound, "deleting")?;
    let query = search("dense", dense(&[1.0; 4]), 1);
    refused(sink.search(namespace, &query), Code::NotFound, "a search")
}

fn documents_come_back_as_they_were_written(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let payload = json!({
        "text": "Grüße, 世界 \u{1F600}\u{0000}\"\\\n", "": "empty key", "a.b": "dot", "ключ": [],
        "big": i64::MAX, "small": i64::MIN, "over 2^53": 9_007_199_254_740_993_i64,
        "floats": [0.1, -0.0, 1.0, 1e300, 5e-324, 0.30000000000000004, 123456.78901234567],
        "nothing": null, "yes": true, "object": {}, "list": [[], {}, [null, 1, "x"]],
        "nested": { "a": { "b": [{ "c": 1 }, { "c": 2 }] } },
    });
    let values = [f32::MIN_POSITIVE, -1.0e-40, 0.1, 16_777_217.0];
    let full = with(document(1, payload), "words", sparse(&[(0, -1.5), (9, 0.1), (u32::MAX, 3.0)]));
    let full = with(full, "rows", Vector::Multi(vec![vec![0.1, 0.2], vec![-0.3, 1e-20]]));
    let full = with(full, "far", dense(&values));
    let mut plain = document(2, json!({}));
    plain.vectors = vec![("dense".into(), dense(&values)), ("words".into(), sparse(&[]))];
    stage.write(vec![full.clone(), plain.clone()])?;
    let found = stage.get(&[id(2), id(99), id(1)])?;
    ensure!(found.len() == 2, "two of three documents exist, {} came back", found.len());
    ensure!(found[1].payload == full.payload, "a payload became {:?}", found[1].payload);
    ensure!(found[1] == full, "vectors became {:?}", found[1].vectors);
    ensure!(found[0].payload == plain.payload, "a payload became {:?}", found[0].payload);
    let dense_only = &plain.vectors[..1];
    let kept = found[0].vectors == plain.vectors || found[0].vectors == dense_only;
    ensure!(kept, "vectors became {:?}", found[0].vectors);
    let bare = stage.sink()?.get(&stage.namespace, &[id(1)], false)?;
    ensure!(bare.iter().all(|it| it.vectors.is_empty()), "vectors came without being asked for");
    Ok(())
}

fn a_second_write_of_an_id_replaces_the_first(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let first = with(document(1, json!({ "a": 1, "b": 2 })), "words", sparse(&[(1, 1.0)]));
    stage.write(vec![first])?;
    let second = document(1, json!({ "a": 3 }));
    stage.write(vec![second.clone()])?;
    let found = stage.get(&[id(1)])?;
    ensure!(found == [second], "a replaced document became {found:?}");
    let hits = stage.search(search("words", sparse(&[(1, 1.0)]), 10))?;
    ensure!(hits.is_empty(), "a vector that was not written again is still found");
    Ok(())
}

fn a_repeated_write_does_not_double(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    for _ in 0..3 {
        stage.write((0..300).map(|n| document(n, json!({ "n": n }))).collect())?;
    }
    let twice = vec![document(5, json!({ "n": 5 })), document(5, json!({ "n": 5 }))];
    stage.write(twice)?;
    let count = stage.count(None)?;
    ensure!(count == 300, "300 documents written four times are {count}");
    Ok(())
}

fn one_bad_document_keeps_all_out(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let plain = |n| document(n, json!({}));
    let mut no_lineage = plain(2);
    no_lineage.payload.remove("_quarry");
    let mut twice = plain(2);
    twice.vectors.push(("dense".into(), dense(&[0.0; 4])));
    let ragged = SparseVector { indices: vec![1, 2], values: vec![1.0] };
    let bad = [
        ("a dimension too few", only(2, "dense", dense(&[1.0; 3]))),
        ("an unknown vector", only(2, "other", dense(&[1.0; 4]))),
        ("a dense vector as sparse", only(2, "words", dense(&[1.0; 4]))),
        ("a sparse vector as dense", only(2, "dense", sparse(&[(1, 1.0)]))),
        ("a NaN", only(2, "dense", dense(&[0.0, f32::NAN, 0.0, 0.0]))),
        ("an infinity", only(2, "dense", dense(&[0.0, 0.0, f32::NEG_INFINITY, 0.0]))),
        ("a number that overflows scores", only(2, "dense", dense(&[0.0, 0.0, 0.0, 2e16]))),
        ("unsorted indices", only(2, "words", sparse(&[(2, 1.0), (1, 1.0)]))),
        ("an index twice", only(2, "words", sparse(&[(2, 1.0), (2, 1.0)]))),
        ("a sparse NaN", only(2, "words", sparse(&[(2, f32::NAN)]))),
        ("fewer values than indices", only(2, "words", Vector::Sparse(ragged))),
        ("no rows", only(2, "rows", Vector::Multi(Vec::new()))),
        ("rows of two lengths", only(2, "rows", Vector::Multi(vec![vec![1.0; 2], vec![1.0; 3]]))),
        ("a NaN in a row", only(2, "rows", Vector::Multi(vec![vec![1.0, f32::NAN]]))),
        ("no lineage", no_lineage),
        ("a name twice", twice),
        ("an integer above i64", document(2, json!({ "n": u64::MAX }))),
    ];
    for (what, document) in bad {
        let documents = vec![plain(1), document, plain(3)];
        refused(stage.sink()?.upsert(&stage.namespace, documents), Code::Invalid, what)?;
        let count = stage.count(None)?;
        ensure!(count == 0, "{what}: {count} documents of a refused write were stored");
    }
    stage.write(vec![plain(1)])
}

fn the_deepest_payload_comes_back_and_a_deeper_one_is_refused(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let nested = |levels: usize| (1..levels).fold(json!("x"), |inner, _| json!({ "a": inner }));
    let deepest = document(1, json!({ "deep": nested(PAYLOAD_DEPTH_MAX) }));
    stage.write(vec![deepest.clone()])?;
    let found = stage.get(&[id(1)])?;
    ensure!(found == [deepest], "the deepest payload did not come back");
    let deeper = document(2, json!({ "deep": nested(PAYLOAD_DEPTH_MAX + 1) }));
    let result = stage.sink()?.upsert(&stage.namespace, vec![deeper]);
    refused(result, Code::Invalid, "a deeper payload")
}

fn writing_nothing_is_fine(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(Vec::new())?;
    ensure!(stage.get(&[])?.is_empty(), "no ids found something");
    let none = stage.sink()?.delete_stale(&stage.namespace, "chunks", &[], 9)?;
    ensure!(none == 0, "no objects deleted something");
    stage.sink()?.flush(&stage.namespace)?;
    Ok(stage.sink()?.optimize(&stage.namespace)?)
}

fn five_thousand_documents_in_one_call_all_arrive(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let body = "lorem ipsum ".repeat(80);
    stage.write((0..5_000).map(|n| document(n, json!({ "n": n, "body": body }))).collect())?;
    stage.sink()?.flush(&stage.namespace)?;
    let count = stage.count(None)?;
    ensure!(count == 5_000, "5000 documents are {count}");
    let last = stage.get(&[id(4_999)])?;
    let same = last.iter().all(|it| it.payload["n"] == 4_999 && it.payload["body"] == body);
    ensure!(last.len() == 1 && same, "the last document became {last:?}");
    Ok(())
}

fn a_vector_of_zeros_is_stored_and_scores_zero(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let zero = only(1, "angle", dense(&[0.0; 4]));
    let one = only(2, "angle", dense(&[0.0, 0.0, 2.0, 0.0]));
    stage.write(vec![zero.clone(), one])?;
    let found = stage.get(&[id(1)])?;
    ensure!(found == [zero], "a vector of zeros became {found:?}");
    let hits = stage.search(search("angle", dense(&[0.0, 1.0, 1.0, 0.0]), 10))?;
    ensure!(numbers(&hits) == [2, 1], "the order is {:?}", numbers(&hits));
    ensure!(hits[1].score == 0.0, "a vector of zeros scores {}", hits[1].score);
    let hits = stage.search(search("angle", dense(&[0.0; 4]), 10))?;
    let zero = hits.iter().all(|hit| hit.score == 0.0);
    ensure!(hits.len() == 2 && zero, "a query of zeros scores {hits:?}");
    Ok(())
}

fn counting_follows_the_filter(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let kind = |n: u64| if n.is_multiple_of(3) { "fizz" } else { "other" };
    stage.write((0..100).map(|n| document(n, json!({ "kind": kind(n) }))).collect())?;
    let filter = all(vec![field("kind", Operator::Eq, json!("fizz"))]);
    let count = stage.count(Some(&filter))?;
    ensure!(count == 34, "34 documents match, {count} were counted");
    let everything = stage.count(Some(&all(Vec::new())))?;
    ensure!(everything == 100, "an empty filter counts {everything} of 100");
    let none = all(vec![field("kind", Operator::Eq, json!("buzz"))]);
    ensure!(stage.count(Some(&none))? == 0, "a filter that matches nothing counts something");
    Ok(())
}

fn every_filter_operator_selects_what_it_says(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![
        document(
            1,
            json!({ "kind": "pdf", "n": 1, "title": "Quick brown fox", "on": true,
            "tags": ["red", "blue"], "at": "2026-01-01T00:00:00Z", "deep": { "x y": 1 } }),
        ),
        document(
            2,
            json!({ "kind": "png", "n": 2.5, "title": "lazy dog", "on": false,
            "tags": ["green"], "at": "2026-06-01T00:00:00+02:00", "deep": { "x y": 2 } }),
        ),
        document(
            3,
            json!({ "kind": "pdfa", "n": -3, "title": "brown dog", "gone": null,
            "tags": [], "list": [{ "v": 1 }, { "v": 2 }] }),
        ),
    ])?;
    use Operator::{Contains, Eq, Exists, Gt, Gte, In, IsNull, Lt, Lte, Ne, Nin, StartsWith, Text};
    let cases: &[(&str, Operator, Value, &[u64])] = &[
        ("kind", Eq, json!("pdf"), &[1]),
        ("kind", Ne, json!("pdf"), &[2, 3]),
        ("on", Eq, json!(true), &[1]),
        ("on", Ne, json!(true), &[2, 3]),
        ("n", Eq, json!(1), &[1]),
        ("n", Eq, json!(2.5), &[2]),
        ("n", Gt, json!(1), &[2]),
        ("n", Gte, json!(1), &[1, 2]),
        ("n", Lt, json!(1), &[3]),
        ("n", Lte, json!(2.5), &[1, 2, 3]),
        ("at", Gte, json!("2026-05-31T22:00:00Z"), &[2]),
        ("at", Lt, json!("2026-05-31T22:00:00Z"), &[1]),
        ("kind", In, json!(["pdf", "png", "tiff"]), &[1, 2]),
        ("kind", Nin, json!(["pdf", "png"]), &[3]),
        ("kind", In, json!([]), &[]),
        ("kind", Nin, json!([]), &[1, 2, 3]),
        ("n", In, json!([1, -3]), &[1, 3]),
        ("n", In, json!([2.5, -3, "x", true]), &[2, 3]),
        ("tags", Eq, json!("blue"), &[1]),
        ("tags", Contains, json!("een"), &[2]),
        ("kind", Contains, json!("df"), &[1, 3]),
        ("kind", StartsWith, json!("pdf"), &[1, 3]),
        ("title", Text, json!("DOG brown"), &[3]),
        ("tags", Exists, json!(true), &[1, 2]),
        ("gone", Exists, json!(false), &[1, 2, 3]),
        ("gone", IsNull, json!(true), &[3]),
        ("gone", IsNull, Value::Null, &[3]),
        ("gone", Eq, Value::Null, &[3]),
        ("gone", IsNull, json!(false), &[1, 2]),
        ("deep.x y", Eq, json!(2), &[2]),
        ("list[].v", Eq, json!(2), &[3]),
        ("_quarry.object", Eq, json!("obj_2"), &[2]),
        ("absent", Eq, json!(1), &[]),
    ];
    for (path, operator, value, expected) in cases {
        let filter = all(vec![field(path, *operator, value.clone())]);
        let found = matching(stage, filter)?;
        let expected = expected.to_vec();
        ensure!(found == expected, "{path} {operator:?} {value}: {found:?}, not {expected:?}");
    }
    for (operator, value) in [(Operator::Regex, "p.*"), (Operator::EndsWith, "f")] {
        let filter = all(vec![field("kind", operator, json!(value))]);
        refused(stage.sink()?.count(&stage.namespace, Some(&filter)), Code::Invalid, value)?;
    }
    Ok(())
}

fn filters_nest(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write((1..=20).map(|n| document(n, json!({ "n": n, "even": n % 2 == 0 }))).collect())?;
    // (n <= 10) and (n < 4 or n > 8) and not (even)
    let nested = Filter {
        and: vec![field("n", Operator::Lte, json!(10))],
        or: vec![
            field("n", Operator::Lt, json!(4)),
            Condition::Nested(Box::new(all(vec![field("n", Operator::Gt, json!(8))]))),
        ],
        not: vec![field("even", Operator::Eq, json!(true))],
        case_sensitive: true,
    };
    let found = matching(stage, nested)?;
    ensure!(found == [1, 3, 9], "a nested filter selects {found:?}");
    Ok(())
}

fn matching(stage: &Stage, filter: Filter) -> std::result::Result<Vec<u64>, Failure> {
    let scroll = Scroll { filter: Some(filter), limit: 100, ..Scroll::default() };
    let page = stage.sink()?.scroll(&stage.namespace, &scroll)?;
    Ok(page.documents.iter().map(number).collect())
}

fn pages_come_in_order_and_lose_nothing(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write((0..257).rev().map(|n| document(n, json!({ "odd": n % 2 == 1 }))).collect())?;
    for (filter, expected) in [
        (None, (0..257).collect::<Vec<u64>>()),
        (
            Some(all(vec![field("odd", Operator::Eq, json!(true))])),
            (0..257).filter(|n| n % 2 == 1).collect(),
        ),
    ] {
        let mut scroll = Scroll { filter, from: None, limit: 50, with_vectors: true };
        let mut seen = Vec::new();
        loop {
            let page = stage.sink()?.scroll(&stage.namespace, &scroll)?;
            ensure!(page.documents.len() <= 50, "a page of 50 has {}", page.documents.len());
            for document in page.documents {
                ensure!(document.vectors.len() == 1, "a document came without its vectors");
                seen.push(number(&document));
            }
            ensure!(seen.len() <= 257, "the pages do not end");
            match page.next {
                Some(next) => scroll.from = Some(next),
                None => break,
            }
        }
        ensure!(seen == expected, "the pages hold {seen:?}");
    }
    let none = Scroll { limit: 0, ..Scroll::default() };
    refused(stage.sink()?.scroll(&stage.namespace, &none), Code::Invalid, "a page of 0")
}

fn stale_documents_of_the_named_objects_go_and_no_others(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let of = |number: u64, collection: &str, object: &str, run: u64| {
        let mut document = document(number, json!({}));
        let lineage = json!({ "collection": collection, "object": object, "run": run });
        document.payload.insert("_quarry".into(), lineage);
        document
    };
    stage.write(vec![
        of(1, "chunks", "obj_a", 1),
        of(2, "chunks", "obj_a", 2),
        of(3, "chunks", "obj_b", 1),
        of(4, "other", "obj_a", 1),
        of(5, "chunks", "obj_c", 1),
        of(6, "chunks", "obj_a", 3),
    ])?;
    let objects = ["obj_a".to_string(), "obj_c".to_string(), "obj_missing".to_string()];
    let delete = |run| {
        Ok::<_, Failure>(stage.sink()?.delete_stale(&stage.namespace, "chunks", &objects, run)?)
    };
    let deleted = delete(1)?;
    ensure!(deleted == 0, "nothing is older than run 1, {deleted} were deleted");
    let deleted = delete(2)?;
    ensure!(deleted == 2, "documents 1 and 5 are stale, {deleted} were deleted");
    let left = matching(stage, all(Vec::new()))?;
    ensure!(left == [2, 3, 4, 6], "{left:?} are left");
    let deleted = delete(2)?;
    ensure!(deleted == 0, "deleting again deleted {deleted}");
    Ok(())
}

fn a_search_ranks_by_the_distance(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let at = |n: u64, x: f32, y: f32| {
        let values = dense(&[x, y, 0.0, 0.0]);
        let document = only(n, "angle", values.clone());
        with(with(document, "far", values.clone()), "dense", values)
    };
    stage.write(vec![at(1, 1.0, 0.0), at(2, 4.0, 4.0), at(3, 0.0, 2.0), at(4, 8.0, 1.0)])?;
    let query = dense(&[1.0, 0.1, 0.0, 0.0]);
    for (name, expected, best) in [
        ("dense", [4, 2, 1, 3], 8.1),
        ("angle", [4, 1, 2, 3], 0.999_69),
        ("far", [1, 3, 2, 4], 0.1),
    ] {
        let hits = stage.search(search(name, query.clone(), 10))?;
        ensure!(numbers(&hits) == expected, "by `{name}` the order is {:?}", numbers(&hits));
        let score = hits[0].score;
        ensure!((score - best).abs() < 1e-3, "by `{name}` the best scores {score}, not {best}");
        let two = stage.search(search(name, query.clone(), 2))?;
        ensure!(two == hits[..2], "a limit of 2 gives {two:?}");
    }
    let hits = stage.search(search("dense", query.clone(), 1))?;
    let whole = hits[0].document.payload.contains_key("_quarry");
    ensure!(whole && hits[0].document.vectors.is_empty(), "a hit is {:?}", hits[0]);
    ensure!(stage.search(search("dense", query, 0))?.is_empty(), "a limit of 0 finds something");
    Ok(())
}

fn a_search_heeds_the_filter(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let kind = |n: u64| if n < 5 { "low" } else { "high" };
    stage.write((0..10).map(|n| document(n, json!({ "kind": kind(n) }))).collect())?;
    let filter = Some(all(vec![field("kind", Operator::Eq, json!("low"))]));
    let query = search("dense", dense(&[1.0, 0.0, 0.0, 0.0]), 3);
    let hits = stage.search(Search { filter: filter.clone(), ..query.clone() })?;
    ensure!(numbers(&hits) == [4, 3, 2], "filtered hits are {:?}", numbers(&hits));
    let fused = [query.vectors[0].clone(), ("dense".into(), dense(&[1.0, 1.0, 0.0, 0.0]))];
    let hits = stage.search(Search { vectors: fused.to_vec(), filter, limit: 3 })?;
    ensure!(numbers(&hits) == [4, 3, 2], "filtered fused hits are {:?}", numbers(&hits));
    Ok(())
}

fn a_sparse_search_ranks_by_the_dot_product(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![
        only(1, "words", sparse(&[(1, 1.0), (5, 1.0)])),
        only(2, "words", sparse(&[(5, 3.0)])),
        only(3, "words", sparse(&[(2, 9.0)])),
        only(4, "dense", dense(&[1.0; 4])),
    ])?;
    let hits = stage.search(search("words", sparse(&[(1, 4.0), (5, 1.0)]), 10))?;
    ensure!(numbers(&hits) == [1, 2], "sparse hits are {:?}", numbers(&hits));
    let scores: Vec<_> = hits.iter().map(|hit| hit.score).collect();
    ensure!(scores == [5.0, 3.0], "sparse scores are {scores:?}");
    let hits = stage.search(search("words", sparse(&[]), 10))?;
    ensure!(hits.is_empty(), "a query without words finds {:?}", numbers(&hits));
    Ok(())
}

fn a_multi_vector_search_ranks_by_the_best_rows(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![
        only(1, "rows", Vector::Multi(vec![vec![1.0, 0.0], vec![0.0, 1.0]])),
        only(2, "rows", Vector::Multi(vec![vec![1.5, 0.0]])),
        only(3, "rows", Vector::Multi(vec![vec![0.1, 0.1]; 30])),
    ])?;
    let query = Vector::Multi(vec![vec![1.0, 0.0], vec![0.0, 1.0]]);
    let hits = stage.search(search("rows", query, 10))?;
    ensure!(numbers(&hits) == [1, 2, 3], "multi-vector hits are {:?}", numbers(&hits));
    ensure!((hits[0].score - 2.0).abs() < 1e-6, "the best scores {}", hits[0].score);
    Ok(())
}

fn two_lists_are_fused_by_reciprocal_rank(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let both = |n: u64, x: f32, word: f32| {
        with(only(n, "dense", dense(&[x, 0.0, 0.0, 0.0])), "words", sparse(&[(1, word)]))
    };
    // Ranks by dense: 1, 2, 3, 4; by words: 3, 2, 4, 1; document 5 is in one list only.
    stage.write(vec![
        both(1, 4.0, 1.0),
        both(2, 3.0, 3.0),
        both(3, 2.0, 4.0),
        both(4, 1.0, 2.0),
        only(5, "words", sparse(&[(1, 0.5)])),
    ])?;
    let vectors = vec![
        ("dense".to_string(), dense(&[1.0, 0.0, 0.0, 0.0])),
        ("words".to_string(), sparse(&[(1, 1.0)])),
    ];
    let hits = stage.search(Search { vectors: vectors.clone(), filter: None, limit: 10 })?;
    ensure!(numbers(&hits) == [3, 1, 2, 4, 5], "fused hits are {:?}", numbers(&hits));
    let expected = [0.25 + 0.5, 0.5 + 0.2, 1.0 / 3.0 + 1.0 / 3.0, 0.2 + 0.25, 1.0 / 6.0];
    for (hit, expected) in hits.iter().zip(expected) {
        let (n, score) = (numbers(std::slice::from_ref(hit))[0], hit.score);
        ensure!((score - expected).abs() < 1e-5, "document {n} scores {score}, not {expected}");
    }
    let two = stage.search(Search { vectors, filter: None, limit: 2 })?;
    ensure!(two == hits[..2], "a limit of 2 gives {two:?}");
    Ok(())
}

fn equal_scores_come_in_the_order_of_ids(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let same = |n: u64| {
        let document = only(n, "dense", dense(&[1.0, 0.0, 0.0, 0.0]));
        with(document, "words", sparse(&[(1, 1.0)]))
    };
    stage.write([3, 9, 1, 7, 5].map(same).to_vec())?;
    let hits = stage.search(search("dense", dense(&[1.0; 4]), 10))?;
    ensure!(numbers(&hits) == [1, 3, 5, 7, 9], "equal scores come as {:?}", numbers(&hits));
    // Two documents that are first in one list and second in the other, forty times over.
    let swap = |n: u64, x: f32, word: f32| {
        with(only(n, "dense", dense(&[x, 0.0, 0.0, 0.0])), "words", sparse(&[(2, word)]))
    };
    stage.write(vec![swap(20, 9.0, 8.0), swap(10, 8.0, 9.0)])?;
    for _ in 0..40 {
        let vectors = vec![
            ("dense".to_string(), dense(&[1.0, 0.0, 0.0, 0.0])),
            ("words".to_string(), sparse(&[(2, 1.0)])),
        ];
        let hits = stage.search(Search { vectors, filter: None, limit: 1 })?;
        ensure!(numbers(&hits) == [10], "of two equal documents {:?} is first", numbers(&hits));
    }
    Ok(())
}

fn a_search_with_a_bad_query_is_refused(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![document(1, json!({}))])?;
    for (what, vectors) in [
        ("no vector", Vec::new()),
        ("an unknown vector", vec![("other".to_string(), dense(&[1.0; 4]))]),
        ("a dimension too many", vec![("dense".to_string(), dense(&[1.0; 5]))]),
        ("a NaN", vec![("dense".to_string(), dense(&[f32::NAN; 4]))]),
        ("a sparse query for a dense vector", vec![("dense".to_string(), sparse(&[(1, 1.0)]))]),
    ] {
        let query = Search { vectors, filter: None, limit: 1 };
        refused(stage.sink()?.search(&stage.namespace, &query), Code::Invalid, what)?;
    }
    let endless = search("dense", dense(&[1.0; 4]), 10_001);
    refused(stage.sink()?.search(&stage.namespace, &endless), Code::Invalid, "a limit of 10001")
}

fn what_was_flushed_is_there_after_reopening(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let all: Vec<_> = (0..500).map(|n| document(n, json!({ "n": n, "kind": "x" }))).collect();
    stage.write(all[..300].to_vec())?;
    stage.sink()?.flush(&stage.namespace)?;
    stage.write(all[300..].to_vec())?;
    let before = stage.sink()?.layout(&stage.namespace)?;
    stage.reopen()?;
    let after = stage.sink()?.layout(&stage.namespace)?;
    ensure!(before == after, "the layout became {after:?}");
    let ids: Vec<_> = (0..500).map(id).collect();
    let found = stage.get(&ids)?;
    ensure!(found == all, "{} of 500 documents are as they were", found.len());
    stage.write(vec![document(500, json!({}))])?;
    ensure!(stage.count(None)? == 501, "a write after reopening is lost");
    Ok(())
}

fn removing_leaves_nothing_behind(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![document(1, json!({}))])?;
    for _ in 0..2 {
        stage.sink()?.remove(&stage.namespace)?;
        let found = stage.sink()?.layout(&stage.namespace)?;
        ensure!(found.is_none(), "a removed namespace still has {found:?}");
    }
    stage.prepare()?;
    ensure!(stage.count(None)? == 0, "a namespace made again has old points");
    Ok(())
}
