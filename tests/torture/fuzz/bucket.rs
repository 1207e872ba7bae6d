//! Columns of any type under fields of any declared type: a manifest becomes artifacts of as many
//! rows, or its error names what does not fit.

use super::random::Random;
use super::{Target, answer};
use anyhow::{Context, Result, ensure};
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, DictionaryArray,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int64Array, LargeStringArray,
    PrimitiveArray, RecordBatch, StringArray, StringViewArray, TimestampSecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use quarry::app::{App, Settings};
use quarry::config::Pipeline;
use quarry::engine::{Patience, Registry, Submission, Submitted};
use quarry::error::Code;
use quarry::model::{Description, Vector};
use quarry::plugin::{Extractor, Failure, Input, Instance, Limits, Output};
use quarry::store::Store;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Declared types; the last ones are of what a `uri` names.
const DECLARED: [&str; 20] = [
    "\"string\"",
    "\"number\"",
    "\"integer\"",
    "\"float\"",
    "\"boolean\"",
    "\"object\"",
    "\"array\"",
    "\"date\"",
    "\"datetime\"",
    "\"json\"",
    "\"text\"",
    "\"image\"",
    "\"audio\"",
    "\"video\"",
    "\"pdf\"",
    "\"excel\"",
    "\"binary\"",
    "{ type = \"image\", uri = \"x\" }",
    "{ type = \"text\", uri = \"x\" }",
    "{ type = \"integer\", uri = \"x\" }",
];
const TEXTS: [&str; 12] = [
    "",
    "1",
    "{\"a\": 1}",
    "ä",
    "../a b.jpg",
    "s3://bucket/x",
    "file:///x",
    "[",
    "\u{0}",
    "mailto:x",
    "9223372036854775808",
    "2026-01-01",
];

/// An extractor that is never called.
struct Nothing(Description);

impl Extractor for Nothing {
    fn description(&self) -> &Description {
        &self.0
    }

    fn digest(&self) -> &str {
        "nothing"
    }

    fn instantiate(&self, _: &Value) -> quarry::error::Result<Box<dyn Instance>> {
        Ok(Box::new(Nothing(self.0.clone())))
    }
}

impl Instance for Nothing {
    fn description(&self) -> &Description {
        &self.0
    }

    fn run(&mut self, _: &Input) -> std::result::Result<Output, Failure> {
        unreachable!("batches are only submitted")
    }

    fn embed_query(&mut self, _: &str) -> quarry::error::Result<Vec<(String, Vector)>> {
        unreachable!("nothing is searched")
    }
}

struct Buckets {
    app: App,
    file: PathBuf,
}

pub(super) fn open(folder: &Path) -> Result<Box<dyn Target>> {
    let folder = tempfile::tempdir_in(folder)?.keep();
    let description = json!({ "name": "nothing", "version": "1", "inputs": [], "outputs": [] });
    let nothing = Nothing(serde_json::from_value(description)?);
    let settings = Settings {
        data_dir: folder.join("data"),
        cache_dir: None,
        artifacts: None,
        sink: "none".to_string(),
        storage_options: Vec::new(),
        extractors: Vec::new(),
        workers: 1,
        patience: Patience::default(),
        limits: Limits::default(),
        compiler: None,
        trust: quarry::plugin::Trust::default(),
        limit_ceilings: Default::default(),
        compact_from_bytes: quarry::config::COMPACT_FROM_BYTES,
    };
    let app = App::with_registry(&settings, Registry::of(vec![Arc::new(nothing)]))?;
    Ok(Box::new(Buckets { app, file: folder.join("m.parquet") }))
}

impl Target for Buckets {
    /// The number of the declared type, then the manifest.
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut input = vec![random.below(DECLARED.len()) as u8];
        let rows = 1 + random.below(12);
        let columns = [("object_id", ids(rows, random)), ("x", column(rows, random))];
        let rows = RecordBatch::try_from_iter(columns).expect("columns of one length");
        let mut writer = ArrowWriter::try_new(&mut input, rows.schema(), None).expect("a schema");
        writer.write(&rows).and_then(|()| writer.close()).expect("memory is writable");
        input
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let (declared, manifest) = input.split_first().context("no input")?;
        std::fs::write(&self.file, manifest)?;
        let declared = DECLARED[usize::from(*declared)];
        let text = format!(
            "namespace = \"main\"\n[buckets.b.schema]\nx = {declared}\n[collections.c]\n\
             source = \"bucket:b\"\nextractor = \"nothing\"\npassthrough = [\"x\"]\n"
        );
        let pipeline = Pipeline::parse(&text)?;
        let manifests = [(None, self.file.to_string_lossy().into_owned())];
        let (name, manifests) = ("p.toml", &manifests[..]);
        let (pipeline, force, resume, memo) = (&pipeline, true, false, false);
        let submission = Submission { pipeline, name, manifests, force, resume, memo };
        let engine = &self.app.engine;
        let submitted = answer(engine.submit(&submission, &|_| ()), &[Code::Invalid])?;
        let batches = engine.store.batches()?;
        let Some(submitted) = submitted else {
            ensure!(batches.is_empty(), "a refused batch is left behind");
            return Ok(false);
        };
        let Submitted::Ready(id) = submitted else { return Ok(true) };
        let record = engine.store.batch(&id)?;
        let flattened = engine.manifest(&record)?.flattened;
        let rows: u64 = flattened.iter().map(|part| part.rows).sum();
        let part = engine.read_part(&record, "tier-0/c/rows-00-00000.parquet")?;
        let read: usize = part.iter().map(RecordBatch::num_rows).sum();
        engine.store.commit(vec![Store::delete_batch(&id)])?;
        ensure!(rows == read as u64 && rows > 0, "{rows} rows are noted, {read} written");
        for column in part.iter().flat_map(RecordBatch::columns) {
            column.to_data().validate_full()?;
        }
        Ok(true)
    }
}

/// Mostly usable ones.
fn ids(rows: usize, random: &mut Random) -> ArrayRef {
    let numbers = 0..rows as i64;
    match random.below(10) {
        0 => Arc::new(Int64Array::from_iter_values(numbers.map(|n| n - 3))),
        1 => Arc::new(UInt64Array::from_iter_values(numbers.map(|n| u64::MAX - n as u64))),
        2 => Arc::new(LargeStringArray::from_iter_values(numbers.map(|n| n.to_string()))),
        3 => Arc::new(numbers.map(|n| (n != 2).then(|| format!("o{n}"))).collect::<StringArray>()),
        4 => Arc::new(StringArray::from_iter_values(numbers.map(|n| "x".repeat(n as usize * 200)))),
        5 => column(rows, random),
        _ => Arc::new(StringArray::from_iter_values(numbers.map(|n| format!("o{n}")))),
    }
}

/// Of any type, with edges and nulls.
fn column(rows: usize, random: &mut Random) -> ArrayRef {
    let mut all: Vec<Option<u64>> = Vec::new();
    for _ in 0..rows {
        all.push((!random.one_in(5)).then(|| random.edge()));
    }
    let of = |n: &Option<u64>| n.map(|n| n as i64);
    let text = |n: &Option<u64>| n.map(|n| TEXTS[n as usize % TEXTS.len()]);
    let float = |n: &Option<u64>| n.map(f64::from_bits);
    let bytes = |n: &Option<u64>| n.map(u64::to_le_bytes);
    match random.below(17) {
        0 => Arc::new(all.iter().map(of).collect::<Int64Array>()),
        1 => Arc::new(all.iter().copied().collect::<UInt64Array>()),
        2 => Arc::new(all.iter().map(|n| n.map(|n| n as i8)).collect::<Int8Array>()),
        3 => Arc::new(all.iter().map(float).collect::<Float64Array>()),
        4 => Arc::new(all.iter().map(|n| float(n).map(|f| f as f32)).collect::<Float32Array>()),
        5 => Arc::new(all.iter().map(|n| n.map(|n| n % 2 == 0)).collect::<BooleanArray>()),
        6 => Arc::new(all.iter().map(|n| n.map(|n| n as i32)).collect::<Date32Array>()),
        7 => Arc::new(all.iter().map(of).collect::<Date64Array>()),
        8 => Arc::new(all.iter().map(of).collect::<TimestampSecondArray>()),
        9 => {
            let times = all.iter().map(of).collect::<PrimitiveArray<TimestampMicrosecondType>>();
            Arc::new(times.with_timezone("+05:30"))
        }
        10 => Arc::new(all.iter().map(bytes).collect::<BinaryArray>()),
        11 => {
            let cells = all.iter().map(|n| bytes(n).unwrap_or_default());
            Arc::new(FixedSizeBinaryArray::try_from_iter(cells).expect("cells of one length"))
        }
        12 => Arc::new(all.iter().map(text).collect::<LargeStringArray>()),
        13 => Arc::new(all.iter().map(text).collect::<StringViewArray>()),
        14 => Arc::new(all.iter().map(text).collect::<DictionaryArray<Int32Type>>()),
        _ => Arc::new(all.iter().map(text).collect::<StringArray>()),
    }
}
