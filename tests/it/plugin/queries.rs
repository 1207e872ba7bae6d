//! The vectors of a search text.

use super::components::{component, described};
use super::{full, host, hostile, instance};
use quarry::error::Code;
use quarry::model::{SparseVector, Vector};
use quarry::plugin::Limits;
use serde_json::json;

#[test]
fn a_query_gives_vectors_by_field() {
    let mut instance = instance(hostile(), json!({"dimension": 3}));
    let vectors = instance.embed_query("hello").unwrap();
    let terms = SparseVector { indices: vec![1, 5], values: vec![0.5, 1.0] };
    let expected = [
        ("terms".to_string(), Vector::Sparse(terms)),
        ("vector".to_string(), Vector::Dense(vec![5.0; 3])),
    ];
    assert_eq!(vectors, expected);
}

#[test]
fn an_answer_that_does_not_fit_is_refused_and_the_instance_goes_on() {
    let mut instance = instance(hostile(), json!({}));
    for (text, message) in [
        ("poison: error", "the extractor can not embed the query: can not embed this"),
        ("poison: dimension", "`vector` that has dimension 1, 4 is described"),
        ("poison: name", "`other` that is not among its outputs"),
        ("poison: infinite", "`vector` that has a value that is not finite"),
        ("poison: json", "JSON that is not an object of vectors"),
        ("poison: trap", "the extractor trapped in embed-query"),
    ] {
        let error = instance.embed_query(text).unwrap_err();
        assert_eq!(error.code(), Code::Extractor, "{text}");
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(instance.embed_query("good").is_ok());
        assert_eq!(instance.run(&full(2)).unwrap().documents, 2);
    }
}

#[test]
fn an_extractor_without_queries_says_so() {
    let loaded = host(Limits::default()).load(&component(&described("mute").to_string()));
    assert!(!quarry::plugin::Extractor::description(&loaded.unwrap()).queries);
}
