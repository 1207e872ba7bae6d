//! Care for a data directory: `quarry admin` and what is behind it.

mod backup;
mod compact;
mod fixtures;
mod garbage;
mod rebuild;
mod upgrade;
mod verify;

use crate::cli::{PIPELINE, ROWS, notes};
use crate::support::quarry::{Bench, components};
use quarry::admin::Home;
use quarry::app::Settings;
use quarry::engine::Patience;
use quarry::plugin::Limits;
use quarry::store::Store;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A data directory, as the commands open it.
pub(crate) fn home(data: &Path) -> Home {
    Home::create(&settings(data)).unwrap()
}

pub(crate) fn settings(data: &Path) -> Settings {
    Settings {
        data_dir: data.to_path_buf(),
        artifacts: None,
        sink: "none".to_string(),
        storage_options: Vec::new(),
        extractors: vec![components("QUARRY_EXTRACTORS", "extractors")],
        workers: 1,
        cache_dir: None,
        patience: Patience::default(),
        limits: Limits::default(),
        compiler: None,
        trust: quarry::plugin::Trust::default(),
        limit_ceilings: Default::default(),
        compact_from_bytes: quarry::config::COMPACT_FROM_BYTES,
    }
}

/// A batch over three notes, run to its end.
pub(crate) fn small_batch(bench: &Bench) -> Value {
    small_batch_in(bench, "edge")
}

pub(crate) fn small_batch_in(bench: &Bench, sink: &str) -> Value {
    bench.write("p.toml", PIPELINE);
    let manifest = notes(bench, "m.parquet", &ROWS);
    bench.json(&["run", "p.toml", "--manifest", manifest.to_str().unwrap(), "--sink", sink])
}

/// All keys and records of a state.
pub(crate) fn entries(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let store = Store::open(&data.join("state")).unwrap();
    store.entries().map(Result::unwrap).collect()
}

/// Every file below a folder with its bytes.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_string();
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        let path = to.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}
