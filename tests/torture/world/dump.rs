//! The final state as text: what two runs of the same input must agree on. Times, ids of batches
//! and numbers of claims differ by nature and are left out.

use super::sink::SinkDisk;
use anyhow::Result;
use quarry::engine::Engine;
use quarry::model::{Document, LINEAGE_FIELD};
use quarry::store::{BatchRecord, PartitionState};
use std::collections::HashMap;
use std::fmt::Write as _;

pub(super) fn dump(engine: &Engine, sink: &SinkDisk) -> Result<String> {
    let mut text = String::new();
    let mut names = HashMap::new();
    for (number, record) in engine.store.batches()?.iter().enumerate() {
        names.insert(record.id.to_string(), format!("batch {number}"));
        writeln!(
            text,
            "batch {number}: {} run {} round {} {}",
            record.status.as_str(),
            record.run,
            record.round,
            serde_json::to_string(&record.collections)?
        )?;
        partitions(engine, record, &mut text)?;
    }
    for (name, namespace) in engine.store.namespaces()? {
        writeln!(text, "namespace {name}: last run {}", namespace.last_run)?;
        for (collection, state) in namespace.collections {
            let batch = names.get(&state.batch);
            writeln!(text, "  {collection}: {batch:?} {} {}", state.digest, state.parameters)?;
        }
    }
    for document in sink.documents() {
        writeln!(text, "{}", shown(&document, &names)?)?;
    }
    Ok(text)
}

fn partitions(engine: &Engine, record: &BatchRecord, text: &mut String) -> Result<()> {
    let mut lines = Vec::new();
    engine.partitions(record, &mut |key, partition| {
        let mut line = format!("  {key}:");
        match &partition.state {
            PartitionState::Leased { .. } => line.push_str(" leased"),
            PartitionState::Committed { funnel, part, dead, slice_rows, sunk, kept } => {
                let rows = match part {
                    Some(part) => engine.read_part(record, part)?,
                    None => Vec::new(),
                };
                let dead = dead.is_some();
                line.push_str(&format!(
                    " {funnel:?} slices {slice_rows} sunk {sunk} dead {dead} {rows:?}"
                ));
                if let Some(kept) = kept {
                    line.push_str(&format!(" kept of run {} {}", kept.run, kept.in_place));
                }
            }
        }
        lines.push(line);
        Ok(true)
    })?;
    text.push_str(&lines.join("\n"));
    text.push('\n');
    Ok(())
}

fn shown(document: &Document, names: &HashMap<String, String>) -> Result<String> {
    let mut payload = document.payload.clone();
    if let Some(lineage) = payload.get_mut(LINEAGE_FIELD).and_then(|value| value.as_object_mut())
        && let Some(batch) = lineage.get_mut("batch")
    {
        let name = batch.as_str().and_then(|id| names.get(id)).cloned();
        *batch = name.unwrap_or_default().into();
    }
    Ok(format!("{} {} {:?}", document.id, serde_json::to_string(&payload)?, document.vectors))
}
