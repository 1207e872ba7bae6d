//! Rows to try an extractor with: of a manifest, of anything a manifest is made from, of a fixture.

use crate::config::Config;
use crate::engine::trial::{Fixture, Project, Sample, Wanted};
use crate::error::{Code, Context, Error, Result};
use crate::manifest::build::{self, BuildRequest};
use crate::model::Description;
use crate::plugin::Input;
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;

#[derive(Args)]
pub(in crate::cli) struct Source {
    /// Parquet manifest, a path or URL, or what `quarry manifest build` takes: a folder, JSON lines
    /// or CSV
    #[arg(long, value_name = "URL", conflicts_with = "fixture")]
    manifest: Option<String>,
    /// Fixture, instead of a manifest [default: the first one of the project folder]
    #[arg(long, value_name = "FILE")]
    fixture: Option<PathBuf>,
    /// Column that feeds an input, where it is not the input's own name; INPUT=uri:COLUMN where the
    /// column holds a path or URL; may be repeated
    #[arg(long = "map", value_name = "INPUT=COLUMN")]
    map: Vec<String>,
}

/// What to read rows from.
pub(super) enum Origin {
    Manifest(Wanted),
    Fixture(Fixture),
}

/// Rows for an extractor.
pub(super) struct Rows {
    pub(super) input: Input,
    /// Object of each row; its number in a fixture.
    pub(super) objects: Vec<String>,
    /// Object, code and message of rows that can not be handed over.
    pub(super) unreadable: Vec<(String, String, String)>,
    /// Rows that lack a required input.
    pub(super) missing: u64,
    /// Referenced blobs are read with it while rows run.
    _runtime: Option<Runtime>,
}

impl Source {
    /// `extractor` as the user named it, `rows` at most.
    pub(super) fn origin(&self, config: &Config, extractor: &str, rows: usize) -> Result<Origin> {
        if let Some(path) = &self.fixture {
            return Ok(Origin::Fixture(Fixture::read(path)?));
        }
        if let Some(manifest) = &self.manifest {
            let map = self.map.iter().map(|entry| mapped(entry)).collect::<Result<_>>()?;
            let storage_options = config.storage_options.clone().into_iter().collect();
            let manifest = manifest.clone();
            return Ok(Origin::Manifest(Wanted { manifest, rows, map, storage_options }));
        }
        let folder = Path::new(extractor);
        if folder.is_dir()
            && let Some(first) = Project::of(folder).fixtures()?.into_iter().next()
        {
            return Ok(Origin::Fixture(first));
        }
        Err(Error::invalid("there are no rows to run")
            .field("--manifest")
            .hint("name --manifest or --fixture"))
    }
}

fn mapped(entry: &str) -> Result<(String, String)> {
    let parts =
        entry.split_once('=').filter(|(input, column)| !input.is_empty() && !column.is_empty());
    let (input, column) = parts.ok_or_else(|| {
        let hint = "write INPUT=COLUMN, for instance text=body";
        super::super::wrong_option("--map", entry, hint)
    })?;
    Ok((input.to_string(), column.to_string()))
}

impl Origin {
    /// Those of a fixture.
    pub(super) fn parameters(&self) -> Option<Value> {
        match self {
            Origin::Fixture(fixture) => Some(fixture.parameters.clone()),
            Origin::Manifest(_) => None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Origin::Fixture(fixture) => &fixture.path,
            Origin::Manifest(wanted) => Path::new(&wanted.manifest),
        }
    }

    pub(super) fn read(&self, description: &Description) -> Result<Rows> {
        let wanted = match self {
            Origin::Fixture(fixture) => {
                return Ok(Rows {
                    input: fixture.input(description)?,
                    objects: (0..fixture.rows.len()).map(|row| row.to_string()).collect(),
                    unreadable: Vec::new(),
                    missing: 0,
                    _runtime: None,
                });
            }
            Origin::Manifest(wanted) => wanted,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context(Code::Unavailable, || "can not start the runtime".to_string())?;
        let sample = match is_manifest(&wanted.manifest) {
            true => Sample::read(wanted, description, runtime.handle())?,
            false => {
                let scratch = Scratch::new()?;
                let output = scratch.0.join("sample.parquet");
                let mut request = BuildRequest::new(vec![wanted.manifest.clone()], &output);
                request.text = Path::new(&wanted.manifest).is_dir();
                build::build(&request, &mut |_| {})?;
                let manifest = output.to_string_lossy().into_owned();
                let wanted = Wanted { manifest, ..wanted.clone() };
                Sample::read(&wanted, description, runtime.handle())?
            }
        };
        let Sample { input, objects, unreadable, missing } = sample;
        Ok(Rows { input, objects, unreadable, missing, _runtime: Some(runtime) })
    }
}

/// Whether it is Parquet already.
fn is_manifest(location: &str) -> bool {
    let path = Path::new(location);
    let is_parquet = |path: &Path| path.extension().is_some_and(|extension| extension == "parquet");
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| entry.path()).any(|entry| is_parquet(&entry));
    }
    location.contains("://") || is_parquet(path)
}

/// A folder for one command, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch> {
        let name = format!("quarry-sample-{:016x}", rand::random::<u64>());
        let folder = std::env::temp_dir().join(name);
        // Fails where it is there already, so that nobody can have made it before.
        std::fs::create_dir(&folder)
            .context(Code::Unavailable, || format!("can not make {}", folder.display()))?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is in the system's own temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
