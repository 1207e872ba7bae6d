//! `./x torture KIND`: what ARCHITECTURE.md promises, under force. Each kind prints what it does on
//! stderr and one figure at the end; a broken promise is an error. The tests run small forms of
//! them (`tests/it/torture.rs`).

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) mod again;
#[allow(dead_code)]
pub(crate) mod batch;
pub(crate) mod effects;
pub(crate) mod faulty;
pub(crate) mod fuzz;
pub(crate) mod hostile;
pub(crate) mod kill;
pub(crate) mod power;
pub(crate) mod rebuild;
pub(crate) mod sim;
pub(crate) mod soak;
pub(crate) mod webhooks;
pub(crate) mod world;

/// One run of one kind.
pub(crate) struct Torture {
    /// An empty folder of its own.
    pub(crate) work: PathBuf,
    /// `--name N` by name.
    numbers: BTreeMap<String, u64>,
    /// `--name NAME` by name.
    words: BTreeMap<String, String>,
}

type Kind = (&'static str, &'static str, fn(&Torture) -> Result<String>);

/// Name, options with their defaults in the full form, and what runs it.
const KINDS: &[Kind] = &[
    ("effects", "--step 1", effects::run),
    ("again", "--step 1", again::run),
    ("faults", "--step 1", faulty::run),
    ("power", "--cuts 200 --objects 400 --seed 1 --keep 0", power::run),
    ("kill", "--kills 500 --objects 10000 --seed 1", kill::run),
    ("rebuild", "--rounds 20 --objects 3000", rebuild::run),
    ("sim", "--seeds 2000 --seed 1 --steps 12", sim::run),
    ("fuzz", "--seconds 600 [--target NAME] --seed 1 [--case N]", fuzz::run),
    ("fuzz-child", "(what fuzz starts) --target NAME --folder NAME", fuzz::child),
    ("hostile", "--runs 1000 --seed 1", hostile::run),
    ("webhooks", "--kills 100 --seed 1", webhooks::run),
    ("soak", "--minutes 30 --objects 2000 --kept 50 --seed 1", soak::run),
];

impl Torture {
    #[allow(dead_code, reason = "the tests make them, the command line has its own")]
    pub(crate) fn new(work: PathBuf, numbers: &[(&str, u64)]) -> Torture {
        let numbers = numbers.iter().map(|(name, number)| (name.to_string(), *number)).collect();
        Torture { work, numbers, words: BTreeMap::new() }
    }

    /// The option, or what the full form uses.
    pub(crate) fn number(&self, name: &str, full: u64) -> u64 {
        self.numbers.get(name).copied().unwrap_or(full)
    }

    /// An option that is a name.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        self.words.get(name).map(String::as_str)
    }
}

/// `KIND [--name N]…`; data goes to a folder below `work`, which is removed when all is well.
pub(crate) fn main(words: &[String], work: &std::path::Path) -> Result<()> {
    let Some((name, rest)) = words.split_first() else { bail!("{}", help()) };
    let Some((name, options, run)) = KINDS.iter().find(|(known, ..)| known == name) else {
        bail!("there is no torture `{name}`\n{}", help());
    };
    let (mut numbers, mut words) = (BTreeMap::new(), BTreeMap::new());
    for pair in rest.chunks(2) {
        let [option, value] = pair else { bail!("{} needs a value\n{}", pair[0], help()) };
        let option = option.strip_prefix("--").with_context(help)?;
        if options.contains(&format!("--{option} NAME")) {
            words.insert(option.to_string(), value.clone());
            continue;
        }
        let value = value.parse().with_context(|| format!("--{option} needs a number"))?;
        numbers.insert(option.to_string(), value);
    }
    let work = work.join(name);
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    std::fs::create_dir_all(&work)?;
    let figure = run(&Torture { work: work.clone(), numbers, words })?;
    ensure!(!figure.is_empty(), "torture {name} has no figure");
    std::fs::remove_dir_all(&work)?;
    println!("{figure}");
    Ok(())
}

fn help() -> String {
    let kinds = KINDS.iter().map(|(name, options, _)| format!("\n  {name} {options}"));
    format!("torture KIND [--option N]…{}", kinds.collect::<String>())
}
