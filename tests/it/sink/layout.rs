use quarry::error::Error;
use quarry::model::{Distance, Document, DocumentId, Vector};
use quarry::sink::{IndexKind, IndexSpec, Layout, SinkSpec, VectorKind, VectorSpec};
use serde_json::json;

fn dense(name: &str, dimension: u32) -> VectorSpec {
    VectorSpec { name: name.into(), kind: VectorKind::Dense { dimension, distance: Distance::Dot } }
}

fn index(path: &str, kind: IndexKind) -> IndexSpec {
    IndexSpec { path: path.into(), kind }
}

fn text(error: &Error) -> String {
    format!("{} [{}]", error, error.hint_text().unwrap_or(""))
}

#[test]
fn merging_keeps_both_sides_sorted() {
    let a = Layout::new(vec![dense("b", 3)], vec![index("z", IndexKind::Text)]).unwrap();
    let b = Layout::new(vec![dense("a", 2), dense("b", 3)], vec![index("c", IndexKind::Bool)]);
    let merged = Layout::merge(&a, &b.unwrap()).unwrap();
    let names: Vec<_> = merged.vectors.iter().map(|spec| spec.name.as_str()).collect();
    let paths: Vec<_> = merged.indexes.iter().map(|spec| spec.path.as_str()).collect();
    assert_eq!((names, paths), (vec!["a", "b"], vec!["c", "z"]));
    assert_eq!(Layout::merge(&merged, &a).unwrap(), merged);
}

#[test]
fn a_name_for_two_things_is_refused_with_a_way_out() {
    let base = Layout::new(vec![dense("x", 384)], vec![index("n", IndexKind::Integer)]).unwrap();
    let check = |vectors, indexes, expected: &str| {
        let wanted = Layout { vectors, indexes };
        assert_eq!(text(&Layout::merge(&base, &wanted).unwrap_err()), expected);
    };
    let hint = "[give one of them another name in `[collections.….vectors]`]";
    let message =
        "two features use the vector name `x`: 384 against 768 dimensions (at /vectors/x)";
    check(vec![dense("x", 768)], vec![], &format!("{message} {hint}"));
    let sparse = VectorSpec { name: "x".into(), kind: VectorKind::Sparse };
    let message = "two features use the vector name `x`: dense 384 (dot) against sparse \
                   (at /vectors/x)";
    check(vec![sparse], vec![], &format!("{message} {hint}"));
    let message = "field `n` is indexed as integer, not as keyword (at n) []";
    check(vec![], vec![index("n", IndexKind::Keyword)], message);
    let hint = "[letters, digits, `_` and `-`, with dots between]";
    let message = "field `a b` can not be indexed (at a b)";
    check(vec![], vec![index("a b", IndexKind::Keyword)], &format!("{message} {hint}"));
    let message = "vector `y` has to have 1 to 65536 dimensions (at /vectors/y) []";
    check(vec![dense("y", 0)], vec![], message);
    check(vec![dense("y", 65_537)], vec![], message);
}

#[test]
fn a_refused_document_says_what_is_wrong_and_where() {
    let layout = Layout::new(vec![dense("x", 2)], vec![]).unwrap();
    let check = |name: &str, vector, expected: &str| {
        let payload = json!({ "_quarry": { "collection": "c", "object": "obj_1", "run": 1 } });
        let payload = payload.as_object().unwrap().clone();
        let vectors = vec![(name.to_string(), vector)];
        let document = Document { id: DocumentId(uuid::Uuid::nil()), payload, vectors };
        assert_eq!(text(&layout.check(&document).unwrap_err()), expected);
    };
    let dense = |values: &[f32]| Vector::Dense(values.to_vec());
    check("x", dense(&[1.0]), "vector `x` has 1 values instead of 2 (at /vectors/x) []");
    check(
        "x",
        dense(&[1.0, f32::NAN]),
        "value 1 of vector `x` is NaN (at /vectors/x) [finite, at most 1e16 either side of zero]",
    );
    check(
        "x",
        Vector::Multi(vec![vec![1.0, 2.0]]),
        "vector `x` is dense 2 (dot), not a multi vector (at /vectors/x) []",
    );
    check(
        "y",
        dense(&[1.0]),
        "the namespace has no vector `y` (at /vectors/y) [the namespace has `x`]",
    );
}

#[test]
fn the_sink_is_named_by_a_word_or_an_address() {
    assert_eq!("edge".parse::<SinkSpec>().unwrap(), SinkSpec::Edge);
    assert_eq!("none".parse::<SinkSpec>().unwrap(), SinkSpec::None);
    for url in ["qdrant://db:6334", "qdrants://db", "http://127.0.0.1:1", "https://[::1]:6334/"] {
        let expected = SinkSpec::Remote { url: url.into(), api_key: None };
        assert_eq!(url.parse::<SinkSpec>().unwrap(), expected);
    }
    for (wrong, expected) in [
        ("disk", "`disk` is not a vector sink"),
        ("redis://db", "`redis` is not the scheme of a Qdrant server"),
        ("qdrant://", "`qdrant://` has to be scheme, host and port only"),
        ("qdrant://db/x", "`qdrant://db/x` has to be scheme, host and port only"),
        ("qdrant://me@db", "`qdrant://me@db` has to be scheme, host and port only"),
    ] {
        let error = wrong.parse::<SinkSpec>().unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(error.hint_text().is_some_and(|hint| hint.contains("qdrant://host:6334")));
    }
}
