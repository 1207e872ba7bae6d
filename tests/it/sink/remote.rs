//! What only a server has: a network that fails.

use super::{connect, runtime};
use crate::support::qdrant_server::QdrantServer;
use quarry::error::Code;
use quarry::model::Name;
use quarry::sink::Layout;

fn name() -> Name {
    Name::parse("library").unwrap()
}

#[test]
fn a_call_is_repeated_until_the_server_is_back() {
    let server = QdrantServer::start();
    let runtime = runtime();
    let sink = connect(server.url(), None, &runtime).unwrap();
    sink.prepare(&name(), &Layout::default()).unwrap();
    server.fail(3);
    assert_eq!(sink.count(&name(), None).unwrap(), 0);
}

#[test]
fn a_server_that_stays_away_is_named_after_a_few_tries() {
    let server = QdrantServer::start();
    let runtime = runtime();
    let sink = connect(server.url(), None, &runtime).unwrap();
    sink.prepare(&name(), &Layout::default()).unwrap();
    server.fail(1_000);
    let before = server.calls();
    let error = sink.count(&name(), None).unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.to_string().contains(server.url()), "{error}");
    // The client tries each of our five twice.
    assert_eq!(server.calls() - before, 10);
    let url = server.url().to_string();
    drop(server);
    let error = connect(&url, None, &runtime).unwrap().count(&name(), None).unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
}

#[test]
fn a_namespace_that_somebody_removed_is_not_found_and_can_be_made_again() {
    let server = QdrantServer::start();
    let runtime = runtime();
    let sink = connect(server.url(), None, &runtime).unwrap();
    let other = connect(server.url(), None, &runtime).unwrap();
    sink.prepare(&name(), &Layout::default()).unwrap();
    other.remove(&name()).unwrap();
    assert_eq!(sink.count(&name(), None).unwrap_err().code(), Code::NotFound);
    sink.prepare(&name(), &Layout::default()).unwrap();
    assert_eq!(other.count(&name(), None).unwrap(), 0);
}
