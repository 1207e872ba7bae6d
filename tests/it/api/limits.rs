use super::keys::{secret, with};
use crate::support::api::Bed;
use crate::support::live::{Live, send};
use quarry::api::{Rate, Settings};
use serde_json::json;
use std::num::NonZeroU32;

#[test]
fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let number = |number| NonZeroU32::new(number).unwrap();
    let rate = Some(Rate { per_second: number(1), burst: number(3) });
    let operator = Some("operator".to_string());
    let bed = Bed::with(Settings { rate, operator, ..Settings::default() });
    let key = secret(&bed, json!({ "name": "busy" }));
    let other = secret(&bed, json!({ "name": "other" }));
    let get = |key: &str| with(&bed, key, "GET", "/v1/buckets", json!(null));
    let first = get(&key);
    assert_eq!(first.header("ratelimit-policy"), Some("\"key\";q=3;w=3"));
    assert_eq!(first.header("ratelimit"), Some("\"key\";r=2;t=1"));
    first.ok();
    get(&key).ok();
    get(&key).ok();
    let refused = (0..3).map(|_| get(&key)).find(|reply| reply.status == 429).unwrap();
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.headers.iter().filter(|(name, _)| *name == "retry-after").count(), 1);
    assert_eq!(refused.refused(429)["type"], "rate_limit_exceeded");
    get(&other).ok();
    (0..20).for_each(|_| drop(get("operator").ok()));
    bed.get("/healthz").ok();
}

#[test]
fn a_full_server_refuses_at_once_and_still_says_that_it_lives() {
    let bed = Bed::new();
    let live = Live::start_with(&bed, |settings| settings.waiting_max = 0);
    let refused = live.send(live.request("GET", "/v1/buckets"));
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(live.send(live.request("GET", "/healthz")).status, 200);
}

#[test]
fn a_body_that_is_too_large_is_refused_by_its_length_and_by_its_bytes() {
    let bed = Bed::new();
    let live = Live::start(&bed);
    let large = vec![b'x'; (2 << 20) + 1];
    let refused = live.send(live.request("POST", "/v1/buckets").body(large.clone()));
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (413, &json!("too_large")));
    let pieces = futures::stream::iter(
        large
            .chunks(1 << 16)
            .map(|piece| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(piece)))
            .collect::<Vec<_>>(),
    );
    let chunked = live.request("POST", "/v1/buckets").body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(live.send(chunked).status, 413);
}

#[test]
fn every_answer_names_its_request() {
    let bed = Bed::new();
    let live = Live::start(&bed);
    let answer = live.send(live.request("GET", "/v1/nothing").header("x-request-id", "mine-1"));
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    assert_eq!(answer.json()["error"]["details"]["request_id"], "mine-1");
    let made = live.send(live.request("GET", "/healthz"));
    assert_eq!(made.header("x-request-id").unwrap().len(), 32);
    assert_eq!(made.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn a_connection_beyond_the_limit_waits_until_one_ends() {
    let bed = Bed::new();
    let live = Live::start_with(&bed, |settings| settings.connections_max = 1);
    let address = live.url.trim_start_matches("http://").to_string();
    let held = std::net::TcpStream::connect(&address).unwrap();
    let answer = live.runtime.block_on(async {
        let asked = send(live.request("GET", "/healthz"));
        tokio::pin!(asked);
        let moment = std::time::Duration::from_millis(300);
        assert!(tokio::time::timeout(moment, &mut asked).await.is_err());
        drop(held);
        asked.await
    });
    assert_eq!(answer.status, 200);
}
