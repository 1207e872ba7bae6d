use crate::support::api::Bed;
use serde_json::{Value, json};

const GUEST: &str = "/v1/extractors/capable@0.1.0/grants";

fn kinds(bed: &Bed) -> Vec<(String, Value)> {
    let events = bed.get("/v1/grant-events").ok();
    let events = events["results"].as_array().unwrap().iter();
    events.map(|one| (one["kind"].as_str().unwrap().to_string(), one["denied"].clone())).collect()
}

#[test]
fn a_grant_is_read_replaced_and_taken_back_and_each_is_written_down() {
    let bed = Bed::new();
    let before = bed.get(GUEST).ok();
    let asks = json!(["http", "clock", "random", "env:QUARRY_PROBE", "env:QUARRY_OTHER", "assets"]);
    assert_eq!((&before["asks"], &before["missing"]), (&asks, &asks));
    assert_eq!(before["granted_at"], Value::Null);
    let grants = json!({ "clock": true, "http": ["HTTPS://API.example:443"],
        "environment": ["QUARRY_PROBE"] });
    let granted = bed.call("PUT", GUEST, grants).ok();
    assert_eq!(granted["missing"], json!(["random", "env:QUARRY_OTHER", "assets"]));
    assert_eq!(granted["grants"]["http"], json!(["https://api.example"]));
    assert_eq!(bed.get(GUEST).ok(), granted);
    // The digest names it, too.
    let digest = granted["digest"].as_str().unwrap();
    assert_eq!(bed.get(&format!("/v1/extractors/{digest}/grants")).ok(), granted);
    let listed = bed.get("/v1/grants").ok();
    assert_eq!(listed["results"][0]["grants"], granted["grants"]);
    let revoked = bed.call("DELETE", GUEST, Value::Null).ok();
    assert_eq!(revoked["missing"], asks);
    assert_eq!(bed.get("/v1/grants").ok()["results"], json!([]));
    let written = kinds(&bed).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    assert_eq!(written, ["granted", "revoked"]);
}

#[test]
fn grants_that_make_no_sense_are_refused_with_their_field() {
    let bed = Bed::new();
    for (grants, part) in [
        (json!({ "files": true }), "files"),
        (json!({ "http": ["api.example"] }), "no pattern of hosts"),
        (json!({ "networks": ["10.0.0.0/40"] }), "not a network"),
        (json!({ "environment": ["A=B"] }), "not the name of a variable"),
        (json!({ "limits": { "memory": 1 } }), "there is no limit `memory`"),
        (json!({ "limits": { "stack_bytes_max": 1 } }), "the same for all extractors"),
        (
            json!({ "credentials": [
                { "hosts": "https://a.example", "header": "x", "variable": "Y" },
            ] }),
            "which is not granted",
        ),
    ] {
        let refused = bed.call("PUT", GUEST, grants).refused(422);
        assert!(refused.to_string().contains(part), "{part}: {refused}");
    }
    let unasked = bed.call("PUT", "/v1/extractors/text-chunk@1.0.0/grants", json!({"clock": true}));
    let unasked = unasked.refused(422).to_string();
    assert!(unasked.contains("text-chunk@1.0.0 does not ask for clock"), "{unasked}");
    bed.get("/v1/extractors/nobody@1.0.0/grants").refused(404);
    assert_eq!(kinds(&bed), []);
}
