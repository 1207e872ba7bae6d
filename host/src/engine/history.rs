//! Partitions of a batch that has ended, as Parquet in its folder: the state keeps one record a
//! batch, however many partitions it had.

use super::columns::strings;
use super::plan::Plan;
use crate::artifact::{Artifacts, PartReader, PartWriter};
use crate::error::{Code, Context, Result};
use crate::model::BatchId;
use crate::store::{PartitionKey, PartitionRecord, PartitionState, Store};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use std::sync::Arc;

/// A batch that is taken up again after its end writes another one.
pub fn name(round: u32) -> String {
    format!("history-{round:03}.parquet")
}

/// Whether the name, in the batch's folder, is that of a history.
pub fn is_name(name: &str) -> bool {
    let round = name.strip_prefix("history-").and_then(|rest| rest.strip_suffix(".parquet"));
    round.is_some_and(|round| round.parse::<u32>().is_ok())
}

/// Writes what the state holds of the batch's partitions; returns their keys.
pub fn write(
    artifacts: &Artifacts,
    name: &str,
    plan: &Plan,
    store: &Store,
    batch: &BatchId,
) -> Result<Vec<PartitionKey>> {
    let mut rows: Vec<(PartitionKey, PartitionRecord)> = Vec::new();
    for entry in store.partitions(batch) {
        rows.push(entry?);
    }
    write_rows(artifacts, name, plan, &rows)?;
    Ok(rows.into_iter().map(|(key, _)| key).collect())
}

pub(super) fn write_rows(
    artifacts: &Artifacts,
    name: &str,
    plan: &Plan,
    rows: &[(PartitionKey, PartitionRecord)],
) -> Result<()> {
    let texts = |of: &dyn Fn(&PartitionKey, &PartitionRecord) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|(key, record)| of(key, record)).collect::<StringArray>())
    };
    let numbers = |of: &dyn Fn(&PartitionRecord) -> u64| -> ArrayRef {
        let numbers = rows.iter().map(|(_, record)| of(record) as i64);
        Arc::new(Int64Array::from_iter_values(numbers))
    };
    let funnel = |record: &PartitionRecord| super::partition::funnel(record);
    let columns: [(&str, ArrayRef); 9] = [
        ("partition", texts(&|key, _| Some(key.to_string()))),
        ("collection", texts(&|key, _| Some(plan.collections[key.collection].name.to_string()))),
        ("attempts", numbers(&|record| u64::from(record.attempts))),
        ("fetched", numbers(&|record| funnel(record).fetched)),
        ("failed", numbers(&|record| funnel(record).failed)),
        ("documents", numbers(&|record| funnel(record).documents)),
        ("part", texts(&|_, record| part(record))),
        ("dead", texts(&|_, record| dead(record))),
        ("record", texts(&|_, record| serde_json::to_string(record).ok())),
    ];
    let fields = columns.iter().map(|(name, array)| {
        let nullable = matches!(*name, "part" | "dead" | "record");
        let is_text = array.data_type() == &DataType::Utf8;
        Field::new(*name, if is_text { DataType::Utf8 } else { DataType::Int64 }, nullable)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), columns)
        .context(Code::Internal, || "can not lay out a history".to_string())?;
    let mut writer = PartWriter::create(artifacts, name, schema)?;
    writer.write(&batch)?;
    writer.finish().map(|_| ())
}

fn part(record: &PartitionRecord) -> Option<String> {
    match &record.state {
        PartitionState::Committed { part, .. } => part.clone(),
        PartitionState::Leased { .. } => None,
    }
}

fn dead(record: &PartitionRecord) -> Option<String> {
    match &record.state {
        PartitionState::Committed { dead, .. } => dead.clone(),
        PartitionState::Leased { .. } => None,
    }
}

/// Visits the partitions in the order they were written, until `visit` says no.
pub fn read(
    artifacts: &Artifacts,
    name: &str,
    visit: &mut dyn FnMut(PartitionKey, PartitionRecord) -> Result<bool>,
) -> Result<()> {
    let columns = ["partition".to_string(), "record".to_string()];
    for rows in PartReader::read(artifacts, name, Some(&columns), None)? {
        let (keys, records) = (strings(&rows, "partition")?, strings(&rows, "record")?);
        for row in 0..rows.num_rows() {
            let record: PartitionRecord = serde_json::from_str(records.value(row))
                .context(Code::Corrupt, || {
                    format!("row {row} of {} can not be read", artifacts.name_of(name))
                })?;
            if !visit(PartitionKey::parse(keys.value(row))?, record)? {
                return Ok(());
            }
        }
    }
    Ok(())
}
