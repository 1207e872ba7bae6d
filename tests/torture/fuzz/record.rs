//! State records: damaged bytes and keys are found out, and what is read can be written again.
//! Checksums are made right in half of the cases, or nothing would get past them.

use super::random::{Random, mutate, mutate_text};
use super::{Target, answer};
use anyhow::{Context, Result, bail, ensure};
use quarry::error::Code;
use quarry::model::{BatchId, Name};
use quarry::store::{Op, PartitionKey, PartitionRecord, PartitionState, Store};
use std::collections::BTreeMap;
use std::path::Path;

const BATCH: &str = "btch_1";
/// Records of one input: they share a flush.
const RECORDS: usize = 16;
const HEADER_BYTES: usize = 5;

/// Key, and JSON that fits below it.
const SEEDS: [(&str, &str); 5] = [
    (
        "batch/btch_2",
        r#"{"id":"btch_2","namespace":"main","status":"COMPLETED_WITH_ERRORS","fingerprint":"ab",
        "pipeline":"p.toml","manifests":[["notes","file:///m.parquet"]],"artifacts":"file:///o",
        "sink":"edge","run":3,"fence":2,"repeated_partitions":1,
        "created_at":"2026-01-01T00:00:00.000Z","started_at":null,"error":"x","collections":[
        {"collection":"a","tier":0,"extractor":"chunk@1","partitions":2,"fetched":10,"filtered":1,
        "missing":1,"submitted":8,"succeeded":7,"failed":1,"skipped":0,"documents":70,
        "stale_deleted":4}]}"#,
    ),
    (
        "partition/btch_1/000/01/00007.00002",
        r#"{"state":{"state":"committed","funnel":{"fetched":10,"filtered":1,"missing":1,
        "submitted":8,"succeeded":7,"failed":1,"skipped":0,"documents":70},
        "part":"tier-0/a/part-00-00007.f1.parquet","dead":null,"slice_rows":128,"sunk":false},
        "attempts":2}"#,
    ),
    ("partition/btch_1/001/00/00001", r#"{"state":{"state":"leased","fence":7},"attempts":1}"#),
    (
        "namespace/main",
        r#"{"last_run":3,"collections":{"a":{"digest":"00","extractor":"chunk@1",
        "parameters":"{}","vectors":{"embedding":"v"},"sink":"edge","batch":"btch_1"}}}"#,
    ),
    (
        "extractor/chunk@1.0.0",
        r#"{"name":"chunk","version":"1.0.0","digest":"00",
        "registered_at":"2026-01-01T00:00:00.000Z"}"#,
    ),
];
const WORDS: [&str; 20] = [
    "/",
    ".",
    "00000",
    "+1",
    "-1",
    "4294967296",
    "18446744073709551615",
    "null",
    "1e400",
    "\"",
    "{",
    "}",
    "[",
    "\"state\":",
    "\"leased\"",
    "\"committed\"",
    "DRAFT",
    "btch_",
    "\\u0000",
    "@",
];

struct Records {
    store: Store,
}

pub(super) fn open(folder: &Path) -> Result<Box<dyn Target>> {
    let folder = tempfile::tempdir_in(folder)?.keep();
    Ok(Box::new(Records { store: Store::open(&folder)? }))
}

impl Target for Records {
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut input = Vec::new();
        for _ in 0..RECORDS {
            let (key, value) = record(random);
            for piece in [key.as_bytes(), &value] {
                input.extend((piece.len() as u32).to_le_bytes());
                input.extend(piece);
            }
        }
        input
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let records = records(input)?;
        let put =
            |(key, value): &(String, Vec<u8>)| Op::Put { key: key.clone(), value: value.clone() };
        self.store.commit(records.iter().map(put).collect())?;
        let mut accepted = self.scans()?;
        // Of two records of one key the last one counts.
        let last: BTreeMap<&String, &Vec<u8>> = records.iter().map(|(k, v)| (k, v)).collect();
        for (key, value) in last {
            accepted |= self.one(key, value).with_context(|| format!("key {key:?}"))?;
        }
        self.store.commit(records.into_iter().map(|(key, _)| Op::Delete { key }).collect())?;
        Ok(accepted)
    }
}

fn record(random: &mut Random) -> (String, Vec<u8>) {
    let (key, json) = SEEDS[random.below(SEEDS.len())];
    let (mut key, mut json) = (key.to_string(), json.to_string());
    if random.one_in(4) {
        // The kind of the record stays.
        let (kind, mut rest) = key
            .split_once('/')
            .map_or((key.clone(), String::new()), |pair| (pair.0.to_string(), pair.1.to_string()));
        mutate_text(&mut rest, &WORDS, random);
        rest.truncate(rest.floor_char_boundary(200));
        key = format!("{kind}/{rest}");
    }
    if !random.one_in(4) {
        mutate_text(&mut json, &WORDS, random);
        json.truncate(json.floor_char_boundary(60_000));
    }
    let mut value = vec![1, 0, 0, 0, 0];
    value.extend(json.as_bytes());
    let checksum = crc32fast::hash(&value[HEADER_BYTES..]);
    value[1..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    if random.one_in(4) {
        mutate(&mut value, key.as_bytes(), random);
    }
    value.truncate(64 << 10);
    (key, value)
}

fn records(mut input: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut piece = || -> Result<Option<Vec<u8>>> {
        let Some((len, rest)) = input.split_first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_le_bytes(*len) as usize;
        let (piece, rest) = rest.split_at_checked(len).context("an input is cut off")?;
        input = rest;
        Ok(Some(piece.to_vec()))
    };
    let mut records = Vec::new();
    while let Some(key) = piece()? {
        let value = piece()?.context("a key without a value")?;
        records.push((String::from_utf8(key)?, value));
    }
    Ok(records)
}

impl Records {
    fn scans(&self) -> Result<bool> {
        const CODES: &[Code] = &[Code::Corrupt, Code::Invalid];
        let mut accepted = answer(self.store.batches(), CODES)?.is_some();
        accepted |= answer(self.store.namespaces(), CODES)?.is_some();
        accepted |= answer(self.store.extractors(), CODES)?.is_some();
        let batch = BatchId::parse(BATCH)?;
        for entry in self.store.partitions(&batch) {
            let Some((key, record)) = answer(entry, &[Code::Corrupt])? else { continue };
            self.partition(&batch, &key, &record)?;
            accepted = true;
        }
        let mut after: Option<PartitionKey> = None;
        for _ in 0..RECORDS {
            let next = self.store.next_partition(&batch, 0, after.as_ref());
            let Some(Some((key, _))) = answer(next, &[Code::Corrupt])? else { break };
            ensure!(after.as_ref().is_none_or(|after| *after != key), "{key} comes twice");
            after = Some(key);
        }
        Ok(accepted)
    }

    /// Its key names it, and its numbers can be worked with.
    fn partition(
        &self,
        batch: &BatchId,
        key: &PartitionKey,
        record: &PartitionRecord,
    ) -> Result<()> {
        let found = answer(self.store.partition(batch, key), &[Code::Corrupt])?.flatten();
        ensure!(found.is_some(), "partition {key} was read under another key");
        if let PartitionState::Committed { funnel, .. } = &record.state {
            funnel.balances();
        }
        let Op::Put { key: name, value } = Store::put_partition(batch, key, record)? else {
            bail!("a partition is put by {key}");
        };
        let again = self.store.commit(vec![Op::Put { key: name, value }]);
        again.context("what was read can not be written")?;
        let again = self.store.partition(batch, key)?;
        ensure!(again.as_ref() == Some(record), "partition {key} is read as another one");
        Ok(())
    }

    /// The record under its own key, as whoever knows its name reads it.
    fn one(&self, key: &str, value: &[u8]) -> Result<bool> {
        let corrupt = &[Code::Corrupt];
        let intact = value.len() >= HEADER_BYTES
            && value[0] == 1
            && value[1..HEADER_BYTES] == crc32fast::hash(&value[HEADER_BYTES..]).to_le_bytes();
        let (kind, name) = key.split_once('/').context("a key without a kind")?;
        let read = match kind {
            "batch" => match BatchId::parse(name) {
                Ok(id) => answer(self.store.batch(&id), corrupt)?.is_some(),
                Err(_) => return Ok(false),
            },
            "namespace" => match Name::parse(name) {
                Ok(name) => answer(self.store.namespace(&name), corrupt)?.is_some(),
                Err(_) => return Ok(false),
            },
            "extractor" => match name.split_once('@') {
                Some((name, version)) => {
                    answer(self.store.extractor(name, version), corrupt)?.is_some()
                }
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        ensure!(intact || !read, "a damaged record is read as whole");
        Ok(read)
    }
}
