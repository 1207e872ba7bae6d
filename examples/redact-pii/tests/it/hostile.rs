use std::time::{Duration, Instant};

use quarry_extractor::testing::{Harness, json};
use redact_pii::RedactPii;

use crate::support::{document, redact};

#[test]
fn what_overlaps_is_found_once() {
    assert_eq!(redact("a@b.de@c.de"), "[email]@c.de");
    assert_eq!(redact("a@b.de,c@d.de"), "[email],[email]");
    assert_eq!(redact("+49 170 1234567+49 170 1234568"), "[phone]+49 170 1234568");
    assert_eq!(redact("10.0.0.1/10.0.0.2:10.0.0.3"), "[ipv4]/[ipv4]:[ipv4]");
    assert_eq!(redact("DE89370400440532013000 4111111111111111"), "[iban] [card]");
    assert_eq!(redact("4111111111111111@b.de"), "[email]");
    assert_eq!(redact("((((030) 12345678))))"), "((([phone]))))");
}

/// Each is long enough for a square of its length to be minutes.
#[test]
fn time_is_linear() {
    const BYTES: usize = 256 << 10;
    for piece in [
        "@", "a@", "a.", ".@", "a@a.", "a-", "1", "1 ", "1.", "1:", "1.1.1.", ":", "::", "+", "+1",
        "(", "(0", "0(0)", "0 ", "DE89 ", "de1", "4111 ", "4111", "a", "ä", "f:1", "00-", "1'",
    ] {
        let text = piece.repeat(BYTES / piece.len());
        let start = Instant::now();
        let mut harness = Harness::<RedactPii>::new(json!({})).unwrap();
        let outcome = harness.row(json!({ "text": text }));
        assert!(start.elapsed() < Duration::from_secs(20), "{piece:?}");
        if let Err(reject) = outcome {
            assert_eq!(reject.code, "too_many_findings", "{piece:?}");
        }
    }
}

#[test]
fn a_finding_deep_in_a_huge_text_is_found() {
    let prose = "The quarry reopens, and stone is cut again. ".repeat(400_000);
    let text = format!("{prose}ada@example.org {prose}+49 170 1234567");
    let found = document(json!({}), &text);
    let mail = prose.len();
    let phone = mail + 16 + prose.len();
    let expected = json!([
        { "kind": "email", "start": mail, "end": mail + 15 },
        { "kind": "phone", "start": phone, "end": text.len() },
    ]);
    assert_eq!(found["findings"], expected);
    assert!(found["text"] == format!("{prose}[email] {prose}[phone]"));
}

#[test]
fn a_row_with_too_many_findings_is_rejected_and_the_next_is_not() {
    let mut harness = Harness::<RedactPii>::new(json!({})).unwrap();
    let text = "10.0.0.1 ".repeat(100_000);
    let documents = harness.row(json!({ "text": text })).unwrap();
    assert_eq!(documents[0]["count"], 100_000);
    let reject = harness.row(json!({ "text": text.clone() + "::1" })).unwrap_err();
    assert_eq!(reject.code, "too_many_findings");
    let documents = harness.row(json!({ "text": "::1" })).unwrap();
    assert_eq!(documents[0]["text"], "[ipv6]");
}

#[test]
fn every_distance_to_the_first_digit_is_read() {
    for distance in 0..200 {
        let text = format!("{}fe80::1", "- ".repeat(distance));
        assert_eq!(redact(&text), format!("{}[ipv6]", "- ".repeat(distance)));
    }
    assert_eq!(redact("abcd:abcd:abcd:abcd:abcd:abcd:abcd:abc1"), "[ipv6]");
}
