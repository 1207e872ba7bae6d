//! Uploads over REST are asked the same as everything else.

use super::{rebuilt, redact};
use crate::support::api::Bed;
use crate::support::live::Live;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quarry::plugin::{SigningKey, Trust, inspect};

const UNSIGNED: &str = "redact-pii@1.0.0 is not signed, and signatures are required";

#[test]
fn an_upload_over_rest_is_asked_for_its_signature() {
    let key = SigningKey::generate().unwrap();
    let bed = Bed::trusting(Trust { keys: vec![key.public().unwrap()], required: true });
    let upload = |wasm: &[u8], query: &str| {
        let mut request = bed.request("POST", &format!("/v1/extractors?{query}"), None);
        request.body = wasm.to_vec();
        bed.send(request)
    };
    let signed = |key: &SigningKey, wasm: &[u8]| {
        let signature = key.sign(&inspect(wasm).unwrap()).unwrap().to_json().unwrap();
        format!("signature={}", URL_SAFE_NO_PAD.encode(signature))
    };
    let wasm = redact();
    let error = upload(&wasm, "").refused(403);
    assert_eq!((&error["code"], &error["message"]), (&"forbidden".into(), &UNSIGNED.into()));
    let stranger = SigningKey::generate().unwrap();
    let error = upload(&wasm, &signed(&stranger, &wasm)).refused(403);
    assert!(error["message"].as_str().unwrap().ends_with("which is not trusted"), "{error}");
    upload(&wasm, "signature=%25%25").refused(422);
    assert_eq!(bed.app.engine.store.extractors().unwrap(), []);
    let made = upload(&wasm, &signed(&key, &wasm)).ok();
    assert_eq!(made["feature_extractor_id"], "redact-pii@1.0.0");
    // What lies in folders is not signed, so it is not described either.
    let listed = bed.get("/v1/extractors").ok();
    assert_eq!(listed["total_count"], 1, "{listed}");
    let again = rebuilt(&wasm);
    let error = upload(&again, &signed(&key, &again)).refused(409);
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("there is another redact-pii@1.0.0 already"), "{message}");
}

#[test]
fn an_upload_is_not_taken_beyond_the_size_of_a_component() {
    let bed = Bed::new();
    let live = Live::start(&bed);
    let request = live.request("POST", "/v1/extractors");
    let sent = live.send(request.body(vec![0_u8; (64 << 20) + 1]));
    assert_eq!(sent.status, 413);
    assert_eq!(sent.json()["error"]["code"], "too_large");
}
