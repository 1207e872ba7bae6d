//! Manifests as others may write them: real Parquet files of every compression, encoding and
//! nesting, whole and damaged. A whole one reads as it was written; of a damaged one come valid
//! arrays of as many rows as its footer says, or an error.

mod make;

use super::random::{Random, mutate};
use super::{Target, answer};
use anyhow::{Result, ensure};
use arrow_array::{Array, RecordBatch};
use quarry::error::Code;
use quarry::manifest::Manifest;
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;

/// Length of the footer and the magic behind it.
const TAIL_BYTES: usize = 8;

struct Manifests {
    file: PathBuf,
    seeds: Vec<Vec<u8>>,
    rows: RecordBatch,
    runtime: Runtime,
}

pub(super) fn open(folder: &Path) -> Result<Box<dyn Target>> {
    let rows = make::rows()?;
    let seeds = make::files(&rows)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    let file = tempfile::tempdir_in(folder)?.keep().join("m.parquet");
    Ok(Box::new(Manifests { file, seeds, rows, runtime }))
}

impl Target for Manifests {
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.seeds[random.below(self.seeds.len())].clone();
        let other = &self.seeds[random.below(self.seeds.len())];
        match random.below(8) {
            0 => {}
            1..4 => mutate_footer(&mut bytes, other, random),
            _ => mutate(&mut bytes, other, random),
        }
        bytes
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        const CODES: &[Code] = &[Code::Invalid];
        let whole = self.seeds.iter().any(|seed| seed == input);
        std::fs::write(&self.file, input)?;
        let url = self.file.to_string_lossy();
        let opened = Manifest::open(&url, &[], self.runtime.handle().clone());
        let Some(manifest) = answer(opened, CODES)? else {
            ensure!(!whole, "a whole file is refused");
            return Ok(false);
        };
        let names = manifest.schema().fields().iter().map(|field| field.name().clone());
        let names: Vec<String> = names.collect();
        let mut read = Vec::new();
        for batch in manifest.read(&names) {
            let Some(batch) = answer(batch, CODES)? else {
                ensure!(!whole, "a whole file can not be read");
                return Ok(false);
            };
            for (name, column) in names.iter().zip(batch.columns()) {
                let valid = column.to_data().validate_full();
                ensure!(valid.is_ok(), "column {name} is not valid: {valid:?}");
            }
            read.push(batch);
        }
        let rows: usize = read.iter().map(RecordBatch::num_rows).sum();
        let said = manifest.rows();
        ensure!(rows as u64 == said, "{rows} rows are read, the footer says {said}");
        if whole {
            let all = arrow_select::concat::concat_batches(&read[0].schema(), &read)?;
            for (name, column) in names.iter().zip(self.rows.columns()) {
                let found = all.column_by_name(name).map(AsRef::as_ref);
                ensure!(found == Some(column.as_ref()), "column {name} is read as another one");
            }
        }
        Ok(true)
    }
}

/// Damage to the footer alone, whose length is right afterwards.
fn mutate_footer(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let Some((_, tail)) = bytes.split_last_chunk::<TAIL_BYTES>().map(|(a, b)| (a, *b)) else {
        return;
    };
    let len = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize;
    let start = bytes.len().saturating_sub(TAIL_BYTES + len);
    let mut footer = bytes[start..bytes.len() - TAIL_BYTES].to_vec();
    mutate(&mut footer, &other[other.len() / 2..], random);
    bytes.truncate(start);
    bytes.extend_from_slice(&footer);
    bytes.extend_from_slice(&(footer.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&tail[4..]);
}
