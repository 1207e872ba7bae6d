//! The binary in a folder of its own, and small manifests for it.

use arrow_array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with a data directory; the binary is run in it.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

/// What a command answered.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// The one JSON value on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    pub(crate) fn ok(self) -> Answer {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Answer {
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The binary that was built with these tests.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("QUARRY_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_quarry")), PathBuf::from)
}

/// Where `./x` put the components; `variable` is set by it.
pub(crate) fn components(variable: &str, folder: &str) -> PathBuf {
    let built = root().join("target").join(folder);
    let found = std::env::var_os(variable).map_or(built, PathBuf::from);
    assert!(found.is_dir(), "{} is not there; build it with ./x guests", found.display());
    std::path::absolute(found).unwrap()
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// The binary with the folder as its current one; first-party and test extractors are known.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .current_dir(self.folder.path())
            .args(words)
            .arg("--extractors")
            .arg(components("QUARRY_EXTRACTORS", "extractors"))
            .arg("--extractors")
            .arg(components("QUARRY_TEST_GUESTS", "test-guests"))
            .env_remove("QUARRY_EXTRACTORS")
            .env_remove("QUARRY_SINK")
            .env_remove("QUARRY_API_KEY")
            // Nobody's own settings.
            .env("XDG_CONFIG_HOME", self.folder.path().join("no-settings"));
        command
    }

    pub(crate) fn quarry(&self, words: &[&str]) -> Answer {
        self.command(words).output().unwrap().into()
    }

    /// Adds `--output json` and parses.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let mut command = self.command(words);
        let answer: Answer = command.args(["--output", "json"]).output().unwrap().into();
        answer.ok().json()
    }

    /// A Parquet file of these columns.
    pub(crate) fn parquet(&self, name: &str, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let file = File::create(self.path(name)).unwrap();
        let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        self.path(name)
    }

    /// All documents of a collection with vectors, without what differs between two batches.
    pub(crate) fn documents(&self, collection: &str) -> Vec<Value> {
        self.documents_where(collection, &[])
    }

    /// Those that fit the filters.
    pub(crate) fn documents_where(&self, collection: &str, filters: &[&str]) -> Vec<Value> {
        let limit = quarry::sink::SCROLL_LIMIT_MAX;
        let shown = limit.to_string();
        let mut words = vec!["documents", "list", collection, "--limit", &shown, "--vectors"];
        words.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
        let Value::Array(mut documents) = self.json(&words) else { panic!("not a list") };
        assert!(documents.len() < limit, "there may be more than {limit}");
        for document in &mut documents {
            let lineage = document["lineage"].as_object_mut().unwrap();
            lineage.remove("batch").unwrap();
            lineage.remove("run").unwrap();
        }
        documents
    }
}

/// An extractor of this repository as if it had been built with another version of five characters.
pub(crate) fn reversioned(name: &str, version: &str) -> Vec<u8> {
    let folder = components("QUARRY_EXTRACTORS", "extractors");
    let mut wasm = std::fs::read(folder.join(format!("{name}.wasm"))).unwrap();
    let (from, to) = (b"1.0.0", version.as_bytes());
    let at: Vec<usize> = (0..wasm.len() - 5).filter(|at| wasm[*at..*at + 5] == from[..]).collect();
    assert!(!at.is_empty(), "{name} is not of version 1.0.0");
    at.into_iter().for_each(|at| wasm[at..at + 5].copy_from_slice(to));
    wasm
}
