use quarry_extractor::testing::json;

use super::{embed, harness};

#[test]
fn a_query_has_the_vectors_of_the_same_text() {
    for parameters in [json!({}), json!({"tokens": "ascii", "dimensions": 100})] {
        let document = embed(parameters.clone(), "what is a quarry?");
        let query = harness(parameters).embed_query("what is a quarry?").expect("queries work");
        assert_eq!(query["embedding"], document["embedding"]);
        assert_eq!(query["sparse"], document["sparse"]);
    }
}

#[test]
fn a_query_has_no_sparse_vector_when_documents_have_none() {
    let query = harness(json!({"sparse": false})).embed_query("text").expect("queries work");
    assert_eq!(query.as_object().map(|fields| fields.len()), Some(1));
}

#[test]
fn the_description_names_the_dimension() {
    let description = harness(json!({"dimensions": 100})).description().to_json();
    assert_eq!(description["outputs"][0]["dimension"], 100);
    assert_eq!(description["outputs"][0]["distance"], "dot");
    assert_eq!(description["queries"], true);
    assert_eq!(description["position"], json!(null));
}
