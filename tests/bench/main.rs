//! `./x bench engine`: chunk -> embed over a generated manifest, as components and compiled
//! natively, each in a process of its own, one after the other. Prints CPU seconds, rows a second,
//! peak memory and where the time went; every run's documents are checked by their digest. The
//! components are compiled before, which is measured apart.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails may stop where it stands")]

mod api;
#[path = "digest.rs"]
mod digest;
mod export;
#[path = "generate.rs"]
mod generate;
mod languages;
mod measure;
mod memo;
mod native;
mod peers;
mod restart;
mod run;
mod runs;
mod start;
#[path = "../torture/mod.rs"]
#[allow(dead_code, reason = "some of it is for the tests")]
mod torture;

use anyhow::{Context, Result, bail};
use digest::Expected;
use measure::Measured;
use std::path::PathBuf;

// As in the binary: the comparison is about extractors, not allocators.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HELP: &str = "\
bench engine [--rows N] [--manifest DIR] [--work DIR] [--export DIR] [--sink none|edge] \
[--repeat N] [--peers DIR]
bench memo [--rows N (10000)] [--manifest DIR] [--work DIR] [--repeat N]
bench restart [--work DIR] [--repeat N]
bench languages
bench start [--work DIR] [--repeat N]
bench api [--rows N] [--manifest DIR] [--work DIR] [--sink none|edge] [--repeat N] [--watchers N]

  --rows N        size of the generated manifest (1000, 10000 or 100000 have known digests)
  --manifest DIR  a folder of Parquet files of the benchmark's schema instead
  --work DIR      where data goes (target/bench)
  --export DIR    keep the exported documents, for other programs to check
  --sink NAME     none, or edge to write the documents into the embedded engine
  --repeat N      rounds; medians are printed
  --watchers N    who reads the batch twice a second while it runs
  --peers DIR     a folder with peer scripts (peer_daft.py, peer_ray.py), run beside";

/// What was asked for.
pub(crate) struct Options {
    pub(crate) rows: u64,
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) work: PathBuf,
    pub(crate) export: Option<PathBuf>,
    pub(crate) sink: String,
    pub(crate) repeat: usize,
    pub(crate) watchers: usize,
    pub(crate) peers: Option<PathBuf>,
}

fn main() -> Result<()> {
    quarry::memory::keep_small();
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("engine") => engine(&parse(words)?),
        Some("api") => {
            let options = parse(words)?;
            api::run(&options, &manifest(&options)?)
        }
        Some("languages") => languages::run(),
        Some("memo") => {
            let options = Options { rows: 10_000, ..parse(std::iter::empty())? };
            let options = refine(options, words)?;
            memo::run(&options, &manifest(&options)?)
        }
        Some("restart") => restart::run(&parse(words)?),
        Some("start") => start::run(&parse(words)?),
        Some("child") => run::child(words.collect()),
        Some("torture") => {
            let work = parse(std::iter::empty())?.work.with_file_name("torture");
            torture::main(&words.collect::<Vec<_>>(), &work)
        }
        _ => {
            println!("{HELP}");
            Ok(())
        }
    }
}

fn parse(words: impl Iterator<Item = String>) -> Result<Options> {
    let target = std::env::var_os("QUARRY_EXTRACTORS").map(PathBuf::from);
    let target = target.and_then(|folder| folder.parent().map(PathBuf::from));
    let options = Options {
        rows: 100_000,
        manifest: None,
        work: target.unwrap_or_else(|| PathBuf::from("target")).join("bench"),
        export: None,
        sink: "none".to_string(),
        repeat: 1,
        watchers: 10,
        peers: None,
    };
    refine(options, words)
}

fn refine(mut options: Options, mut words: impl Iterator<Item = String>) -> Result<Options> {
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value\n{HELP}"));
        match word.as_str() {
            "--rows" => options.rows = value()?.parse()?,
            "--manifest" => options.manifest = Some(value()?.into()),
            "--work" => options.work = value()?.into(),
            "--export" => options.export = Some(value()?.into()),
            "--sink" => options.sink = value()?,
            "--repeat" => options.repeat = value()?.parse()?,
            "--watchers" => options.watchers = value()?.parse()?,
            "--peers" => options.peers = Some(value()?.into()),
            other => bail!("unknown option {other}\n{HELP}"),
        }
    }
    Ok(options)
}

/// The one that was named, or the generated one.
fn manifest(options: &Options) -> Result<PathBuf> {
    if let Some(manifest) = &options.manifest {
        return Ok(manifest.clone());
    }
    let folder = options.work.join(format!("m{}", options.rows));
    let made = generate::generate(&folder, options.rows, generate::SEED, generate::ROWS_PER_FILE)?;
    println!("manifest: {} rows in {} files, sha256 {}", made.rows, made.files, made.sha256);
    if let Some(expected) = Expected::of(made.rows)
        && expected.manifest_sha256 != made.sha256
    {
        bail!("the generator no longer makes the manifest it used to make");
    }
    Ok(folder)
}

fn engine(options: &Options) -> Result<()> {
    let manifest = manifest(options)?;
    runs::clear(&options.work)?;
    let compile_s = run::compile(options)?;
    let mut table: Vec<(String, Vec<Measured>)> = Vec::new();
    for round in 0..options.repeat.max(1) {
        for variant in ["component", "native", "component-export"] {
            let measured = run::measure(options, &manifest, variant)?;
            check(&measured, variant)?;
            match table.iter_mut().find(|(name, _)| name == variant) {
                Some((_, all)) => all.push(measured),
                None => table.push((variant.to_string(), vec![measured])),
            }
            eprintln!("round {} {variant} done", round + 1);
        }
        if let Some(peers) = &options.peers {
            let rows = table[0].1[0].rows;
            for (name, measured) in peers::run(peers, &manifest, rows, &options.work)? {
                check(&measured, &name)?;
                match table.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, all)) => all.push(measured),
                    None => table.push((name, vec![measured])),
                }
            }
        }
    }
    measure::print(&table, compile_s);
    runs::clear(&options.work)
}

/// Every run's documents, where the right answer is known.
fn check(measured: &Measured, variant: &str) -> Result<()> {
    let Some(expected) = Expected::of(measured.rows) else { return Ok(()) };
    let same = measured.documents == expected.documents
        && measured.digest == expected.digest
        && expected.vec_sum_holds(measured.vec_sum);
    if !same {
        bail!(
            "{variant} made {} documents with digest {}, expected {} and {}",
            measured.documents,
            measured.digest,
            expected.documents,
            expected.digest
        );
    }
    Ok(())
}
