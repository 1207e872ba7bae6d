use crate::support::api::Bed;
use serde_json::json;

#[test]
fn a_namespace_is_made_read_changed_and_deleted_by_name_or_id() {
    let bed = Bed::new();
    let made = bed.post("/v1/namespaces", json!({ "namespace_name": "Photo Archive" })).ok();
    let id = made["namespace_id"].as_str().unwrap();
    assert_eq!(bed.get("/v1/namespaces/Photo%20Archive").ok(), made);
    let changed = bed
        .call("PATCH", &format!("/v1/namespaces/{id}"), json!({ "namespace_name": "photos" }))
        .ok();
    assert_eq!(changed["namespace_id"], made["namespace_id"]);
    bed.get("/v1/namespaces/Photo%20Archive").refused(404);
    let listed = bed.post("/v1/namespaces/list", json!({ "search": "phot" })).ok();
    assert_eq!(listed["total_count"], 1);
    assert_eq!(listed["results"][0], changed);
    bed.call("DELETE", "/v1/namespaces/photos", json!(null)).ok();
    bed.get(&format!("/v1/namespaces/{id}")).refused(404);
}

#[test]
fn two_namespaces_can_not_have_one_name() {
    let bed = Bed::new();
    let body = json!({ "namespace_name": "twice" });
    bed.post("/v1/namespaces", body.clone()).ok();
    let error = bed.post("/v1/namespaces", body).refused(409);
    assert_eq!(error["details"]["field"], "/namespace_name");
}

#[test]
fn pages_follow_each_other_although_namespaces_come_and_go() {
    let bed = Bed::new();
    for number in 0..5 {
        bed.post("/v1/namespaces", json!({ "namespace_name": format!("space-{number}") })).ok();
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = bed.get(&format!("/v1/namespaces?limit=2&cursor={cursor}")).ok();
        for found in page["results"].as_array().unwrap() {
            seen.push(found["namespace_name"].as_str().unwrap().to_string());
        }
        // The last one that was shown goes: the next page begins after its place.
        let last = page["results"].as_array().unwrap().last().unwrap();
        let id = last["namespace_id"].as_str().unwrap();
        bed.call("DELETE", &format!("/v1/namespaces/{id}"), json!(null)).ok();
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = next.to_string(),
            None => break,
        }
    }
    assert_eq!(seen, ["default", "space-0", "space-1", "space-2", "space-3", "space-4"]);
}
