//! Connections over which nothing is asked.

use crate::support::api::Bed;
use crate::support::live::Live;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

fn connect(live: &Live) -> TcpStream {
    TcpStream::connect(live.url.strip_prefix("http://").unwrap()).unwrap()
}

/// What comes until the server closes the connection.
fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // A connection may also be reset.
    let _ = stream.read_to_string(&mut text);
    text
}

#[test]
fn a_connection_without_a_request_is_closed_and_one_with_a_request_is_not() {
    let bed = Bed::new();
    let live = Live::start_with(&bed, |settings| settings.idle_max = Duration::from_secs(1));
    let mut working = connect(&live);
    let body = r#"{"bucket_name": "slow", "bucket_schema": {"properties": {}}}"#;
    let (first, last) = body.split_at(body.len() / 2);
    let length = body.len();
    let head = "POST /v1/buckets HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
    write!(working, "{head}content-length: {length}\r\n\r\n{first}").unwrap();
    // These end without an answer, when the time of the first one is over as well.
    let mut half = connect(&live);
    half.write_all(b"GET /healthz HTTP/1.1\r\nhost: local").unwrap();
    let mut kept = connect(&live);
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(rest(half), "");
    // One that was answered is kept for a while, and closed then.
    assert!(rest(kept).starts_with("HTTP/1.1 200 "));
    working.write_all(last.as_bytes()).unwrap();
    let answer = rest(working);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
