//! Whether the seeded simulation finds what it is there for. Every patch in `tests/torture/planted`
//! breaks one promise; each is applied alone to a copy of the checkout, and `torture sim` has to
//! fail there with an invariant.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

use crate::tree::{self, Tree};
use crate::{cargo, steps::Steps};

const PATCHES: &str = "tests/torture/planted";
/// How the simulation says which seed repeats what it found.
const REPEAT: &str = "./x torture sim ";
/// Of the broken invariant, which may quote whole documents.
const CAUSE_CHARS: usize = 160;

/// Tries all, or those named. The copy has a target folder of its own, so that no broken host is
/// ever where a good one is looked for: the first run compiles everything once more.
pub(crate) fn run(tree: &Tree, names: &[String]) -> Result<()> {
    let patches = patches(tree, names)?;
    let folder = tree.target.join("planted");
    let copy = Tree { root: folder.join("tree"), target: folder.join("target") };
    copy_checkout(tree, &copy.root)?;
    let (mut steps, mut found) = (Steps::default(), 0);
    for patch in &patches {
        let name = stem(patch);
        let line = steps.run(&name, || {
            git(&copy.root, &["apply"], patch)?;
            let line = simulate(&copy).with_context(|| format!("{name} was not found"));
            git(&copy.root, &["apply", "--reverse"], patch)?;
            line
        });
        if let Some(line) = line {
            println!("{name}: {line}");
            found += 1;
        }
    }
    steps.finish()?;
    println!("{} planted bugs: {found} found", patches.len());
    Ok(())
}

fn patches(tree: &Tree, names: &[String]) -> Result<Vec<PathBuf>> {
    let mut patches = tree::files(&tree.root.join(PATCHES));
    let known: Vec<String> = patches.iter().map(|patch| stem(patch)).collect();
    for name in names {
        ensure!(known.contains(name), "there is no {name} in {PATCHES}: {}", known.join(", "));
    }
    patches.retain(|patch| names.is_empty() || names.contains(&stem(patch)));
    Ok(patches)
}

fn stem(patch: &Path) -> String {
    patch.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The tracked files as they are now.
fn copy_checkout(tree: &Tree, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let mut list = Command::new("git");
    list.args(["-c", "safe.directory=*", "ls-files", "-z"]).current_dir(&tree.root);
    let listed = output(&mut list)?;
    for path in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let (from, to) = (tree.root.join(path), to.join(path));
        fs::create_dir_all(to.parent().context("a file in no folder")?)?;
        // Git lists files, too, that were just removed.
        if from.is_file() {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {path}"))?;
        }
    }
    // A repository of its own, or git would apply patches to the one around it.
    output(Command::new("git").args(["init", "--quiet"]).current_dir(to))?;
    Ok(())
}

fn git(root: &Path, words: &[&str], patch: &Path) -> Result<()> {
    output(Command::new("git").args(words).arg(patch).current_dir(root)).map(|_| ())
}

fn output(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {errors}");
    Ok(output)
}

/// What the simulation found; an error when it found nothing.
fn simulate(copy: &Tree) -> Result<String> {
    let mut build = cargo::cargo(copy, "build");
    let built = cargo::executables(build.args(["-p", "quarry", "--example", "bench"]))?;
    let bench = built.iter().find(|path| stem(path) == "bench").context("no benchmark was made")?;
    let output = Command::new(bench).args(["torture", "sim"]).current_dir(&copy.root).output()?;
    let (figure, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        bail!("{figure}");
    }
    let Some((_, rest)) = errors.split_once(REPEAT) else { bail!("{errors}") };
    let repeat = rest.lines().next().unwrap_or_default();
    // The story of the seed stands between.
    let cause = rest.split_once("Caused by:").map_or("", |(_, cause)| cause);
    let cause = cause.split("Stack backtrace").next().unwrap_or_default().trim();
    ensure!(!cause.is_empty(), "{errors}");
    let cause: Vec<&str> = cause.split_whitespace().collect();
    let shown: String = cause.join(" ").chars().take(CAUSE_CHARS).collect();
    Ok(format!("{repeat}: {shown}"))
}
