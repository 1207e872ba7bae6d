//! Ids, names, partitions, cursors, paths and URLs: what was accepted means the same when it is
//! written out and read again.

use super::random::{Random, mutate_text};
use super::{Target, answer, text};
use anyhow::{Result, ensure};
use quarry::artifact::{Location, resolve_url};
use quarry::error::Code;
use quarry::model::{BatchId, DocumentId, ExtractorRef, Name, NamespaceId};
use quarry::sink::SinkSpec;
use quarry::store::PartitionId;
use std::fmt::{Debug, Display};
use std::path::{Component, Path};

const SEEDS: [&str; 24] = [
    "btch_0190a0c0d0e07000a000b000c000d000",
    "ns_main",
    "doc_0a1b2c3d4e5f40718293a4b5c6d7e8f9",
    "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9",
    "passages-2",
    "text-chunk@0.1.0",
    "00007.00002.00000",
    "/data/manifests/m.parquet",
    "relative/./folder/../m.parquet",
    "file:///data/with%20space/m.parquet",
    "s3://bucket/folder/m.parquet",
    "gs://bucket/m",
    "az://container/path",
    "abfs://container@account/path",
    "https://user:secret@host:8443/a/b.parquet?x=1#f",
    "http://[::1]:80/x",
    "qdrant://host:6334",
    "https://host:6334/prefix",
    "edge",
    "photos/boat 1.jpg",
    "../other/boat.jpg",
    "mailto:someone",
    "//host/path",
    "c:\\data\\m.parquet",
];
const WORDS: [&str; 22] = [
    "://", "file:", "file://", "s3://", "https://", "/", "//", "..", "/../", "%2e%2e", "%00", "%",
    "?", "#", "@", ":", "[", "doc_", "btch_", "ns_", "{", "\\",
];
/// Folders that references are relative to.
const FOLDERS: [&str; 5] =
    ["/data/in", "/", "s3://bucket/in", "https://host:8443/a/b/", "https://host/a?x=1#f"];

struct Names;

pub(super) fn open(_: &Path) -> Result<Box<dyn Target>> {
    Ok(Box::new(Names))
}

impl Target for Names {
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut text = random.pick(&SEEDS).to_string();
        mutate_text(&mut text, &WORDS, random);
        text.into_bytes()
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let text = &*text(input);
        let mut accepted = same(text, BatchId::parse)?;
        accepted |= same(text, NamespaceId::parse)?;
        accepted |= same(text, Name::parse)?;
        accepted |= same(text, ExtractorRef::parse)?;
        accepted |= same(text, DocumentId::parse)?;
        let partition = answer(PartitionId::parse(text), &[Code::Corrupt])?;
        if let Some(partition) = partition {
            let again = PartitionId::parse(&partition.to_string())?;
            ensure!(again == partition, "read in two ways: {text}, {partition}, {again}");
            accepted = true;
        }
        accepted |= answer(text.parse::<SinkSpec>(), &[Code::Invalid])?.is_some();
        accepted |= location(text)?;
        for folder in FOLDERS {
            accepted |= reference(text, &Location::parse(folder)?)?;
        }
        Ok(accepted)
    }
}

/// Reads `text`, writes it out and reads that.
fn same<T: Debug + Display + PartialEq>(
    text: &str,
    parse: impl Fn(&str) -> quarry::error::Result<T>,
) -> Result<bool> {
    let Some(read) = answer(parse(text), &[Code::Invalid])? else { return Ok(false) };
    let again = parse(&read.to_string())?;
    ensure!(again == read, "read in two ways: {text}, {read:?}, {again:?}");
    Ok(true)
}

fn location(text: &str) -> Result<bool> {
    let Some(location) = answer(Location::parse(text), &[Code::Invalid])? else {
        return Ok(false);
    };
    settled(&location)?;
    settled(&location.parent())?;
    Ok(true)
}

/// A location that is written out is the same place.
fn settled(location: &Location) -> Result<()> {
    let shown = location.to_string();
    let again = Location::parse(&shown)?;
    let settled = Location::parse(&again.to_string())?;
    ensure!(settled == again, "read in two ways: {again} and {settled}");
    match (location, &again) {
        (Location::Local(path), Location::Local(again)) => {
            // Written as a URL, `..` is resolved.
            let plain = path.components().all(|part| part != Component::ParentDir);
            ensure!(!plain || path == again, "read as another path: {path:?}, {shown}, {again:?}");
            ensure!(again.is_absolute(), "read as a relative path: {again:?}");
        }
        (Location::Remote(url), Location::Remote(again)) => {
            let place =
                |url: &url::Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned));
            ensure!(place(url) == place(again), "read as another place: {url}, {again}");
        }
        (one, other) => ensure!(false, "read as something else: {one:?}, {other:?}"),
    }
    Ok(())
}

/// What a reference in a manifest comes to can be opened later, and a relative one stays where the
/// manifest is.
fn reference(text: &str, folder: &Location) -> Result<bool> {
    let Some(url) = answer(resolve_url(text, folder), &[Code::Invalid])? else {
        return Ok(false);
    };
    let location = Location::parse(&url)?;
    let (slashless, shown) = (url.trim_end_matches('/'), location.to_string());
    let local = matches!(location, Location::Local(_));
    ensure!(local || shown == slashless, "resolved to what is read otherwise: {url}, {shown}");
    let absolute = text.contains("://") || text.starts_with("file:") || text.starts_with('/');
    if absolute {
        return Ok(true);
    }
    match (&location, folder) {
        (Location::Local(_), Location::Local(_)) => {}
        (Location::Remote(found), Location::Remote(folder)) => {
            let same = found.scheme() == folder.scheme() && found.host_str() == folder.host_str();
            ensure!(same, "resolved to another place: {text} in {folder} is {found}");
        }
        _ => ensure!(false, "resolved to something else: {text} in {folder} is {url}"),
    }
    Ok(true)
}
