//! What `quarry extractor check` looks at, on components that are wrong in one way each.

use super::components::{component, described};
use super::{guest, host};
use quarry::plugin::Limits;
use quarry::plugin::audit::{CHECKS, Check, Verdict, audit};
use serde_json::{Value, json};

fn sound() -> Value {
    let mut description = described("sound");
    description["api"] = json!("0.1.0");
    description["parameters"] = json!({
        "type": "object",
        "properties": {
            "size": {"type": "integer", "minimum": 1, "default": 4},
            "by": {"enum": ["words", "chars"], "default": "words"},
        },
        "additionalProperties": false,
    });
    description
}

fn checks(wasm: &[u8], parameters: &Value) -> Vec<Check> {
    let limits = Limits { component_bytes_max: 4 << 20, ..Limits::default() };
    let checks = audit(&host(limits), wasm, parameters);
    assert_eq!(checks.iter().map(|check| check.check).collect::<Vec<_>>(), CHECKS);
    checks
}

/// The first check that fails is this one, for this reason; those before it are fine.
#[track_caller]
fn fails(wasm: &[u8], parameters: &Value, name: &str, reason: &str) -> Vec<Check> {
    let checks = checks(wasm, parameters);
    let failed = checks.iter().position(|check| check.verdict != Verdict::Ok).unwrap();
    assert_eq!(checks[failed].check, name, "{checks:?}");
    assert_eq!(checks[failed].verdict, Verdict::Failed);
    assert!(checks[failed].detail.contains(reason), "{}", checks[failed].detail);
    checks
}

fn with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut description = sound();
    change(&mut description);
    component(&description.to_string())
}

#[test]
fn a_sound_component_passes_every_check() {
    let checks = checks(&component(&sound().to_string()), &json!({}));
    assert!(checks.iter().all(|check| check.verdict == Verdict::Ok), "{checks:?}");
    assert_eq!(checks[6].detail, "sound@1.0.0, 0 inputs, 0 outputs");
    assert_eq!(checks[7].detail, "asks for nothing");
    assert_eq!(checks[8].detail, "a valid JSON Schema 2020-12 of 2 parameters");
    assert_eq!(checks[9].detail, "2 valid");
    assert_eq!(checks[10].detail, "sound@1.0.0 with defaults");
}

#[test]
fn a_component_is_measured_and_told_from_other_files() {
    let big = vec![0; (4 << 20) + 1];
    let checks = fails(&big, &json!({}), "size", "has 4194305 bytes, at most 4194304");
    assert_eq!(checks[1].verdict, Verdict::Failed, "it is no component either");
    assert_eq!(checks[2].verdict, Verdict::Skipped);
    fails(b"(component)", &json!({}), "format", "is WebAssembly text");
}

#[test]
fn imports_and_world_are_both_reported() {
    let text = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance))
        (@custom "quarry:api" "0.1.0"))"#;
    let checks = fails(&wat::parse_str(text).unwrap(), &json!({}), "world", "wrong world");
    assert_eq!(checks[4].verdict, Verdict::Failed);
    assert!(checks[4].detail.contains("wasi:cli/environment@0.2.0"), "{}", checks[4].detail);
    assert_eq!(checks[5].verdict, Verdict::Skipped);
    let old = r#"(component (@custom "quarry:api" "0.9.0"))"#;
    fails(&wat::parse_str(old).unwrap(), &json!({}), "api", "is built for extractor API 0.9.0");
}

#[test]
fn a_description_fits_its_published_schema() {
    let without = with(|description| {
        description.as_object_mut().unwrap().remove("api");
    });
    let checks = fails(&without, &json!({}), "description", "\"api\" is a required property");
    assert!(checks[7..].iter().all(|check| check.verdict == Verdict::Skipped), "{checks:?}");
    // The hostile guest says too little of itself, as guests do that are written by hand.
    fails(&guest("hostile"), &json!({}), "description", "\"api\" is a required property");
}

#[test]
fn the_stamp_is_the_name_in_the_description() {
    let mut wasm = component(&sound().to_string());
    let (name, stamp) = ("quarry:extractor", r#"{"name":"other","version":"1.0.0"}"#);
    wasm.extend([0, (1 + name.len() + stamp.len()) as u8, name.len() as u8]);
    wasm.extend(name.as_bytes());
    wasm.extend(stamp.as_bytes());
    let reason = "is stamped other@1.0.0 but describes itself as sound@1.0.0";
    fails(&wasm, &json!({}), "description", reason);
}

#[test]
fn parameters_are_a_schema_with_defaults_that_it_allows() {
    let odd = with(|d| d["parameters"]["properties"]["size"]["type"] = json!("nonsense"));
    fails(&odd, &json!({}), "parameters", "/parameters/properties/size/type");
    let old =
        with(|d| d["parameters"]["$schema"] = json!("http://json-schema.org/draft-04/schema#"));
    fails(&old, &json!({}), "parameters", "in the dialect http://json-schema.org/draft-04/schema");
    let unfit = with(|d| d["parameters"]["properties"]["size"]["default"] = json!(0));
    let checks = fails(&unfit, &json!({}), "defaults", "/parameters/properties/size/default");
    assert_eq!(checks[10].verdict, Verdict::Ok, "nobody gives the default to `configure`");
}

#[test]
fn what_the_defaults_leave_open_has_to_be_given() {
    let wasm = with(|description| {
        description["parameters"]["required"] = json!(["model"]);
        description["parameters"]["properties"]["model"] = json!({"type": "string"});
    });
    let checks = fails(&wasm, &json!({}), "configure", "\"model\" is a required property");
    assert!(checks[10].hint.as_deref().unwrap().contains("--parameters"), "{checks:?}");
    let given = self::checks(&wasm, &json!({"model": "small"}));
    assert!(given.iter().all(|check| check.verdict == Verdict::Ok), "{given:?}");
    assert_eq!(given[10].detail, "sound@1.0.0 with {\"model\":\"small\"}");
}

#[test]
fn an_extractor_asks_for_what_it_imports_and_is_granted_nothing_here() {
    let checks = checks(&guest("capable"), &json!({}));
    let of = |name: &str| checks.iter().find(|check| check.check == name).unwrap();
    assert_eq!(of("capabilities").verdict, Verdict::Ok, "{checks:?}");
    assert!(of("capabilities").detail.starts_with("asks for http, clock, random, env:"));
    assert_eq!(of("configure").verdict, Verdict::Skipped);
    assert!(of("configure").hint.as_deref().unwrap().contains("--grant"));
    assert!(checks.iter().all(|check| check.verdict != Verdict::Failed), "{checks:?}");
}
