//! The proofs from outside, in Python: the public client over the whole API, and a fuzzer that
//! reads the published description. Both start a `quarry serve` of their own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::host::{self, Host};
use crate::tree::Tree;
use crate::{cargo, guests};

const PYTHON_MISSING: &str = "there is no python3 with venv and pip\n\
    hint: on Debian apt-get install python3 python3-venv";

/// Cases of `./x fuzz-api` unless it is told otherwise, and of the fuzzing that belongs to the
/// tests.
const CASES: &str = "10000";
pub(crate) const CASES_OF_TESTS: &str = "1500";

/// `./x client-check`.
pub(crate) fn check_alone(tree: &Tree) -> Result<()> {
    guests::run(tree)?;
    check(tree, &host::build(tree)?)
}

/// `./x fuzz-api`.
pub(crate) fn fuzz_alone(tree: &Tree, arguments: &[String]) -> Result<()> {
    guests::run(tree)?;
    let cases = ["--cases".to_owned(), CASES.to_owned()];
    // The last one counts.
    fuzz(tree, &host::build(tree)?, &[&cases, arguments].concat())
}

/// Every operation through the public client.
pub(crate) fn check(tree: &Tree, host: &Host) -> Result<()> {
    run(tree, host, "check.py", "client-check", &[])
}

pub(crate) fn fuzz(tree: &Tree, host: &Host, arguments: &[String]) -> Result<()> {
    run(tree, host, "fuzz.py", "fuzz-api", arguments)
}

fn run(tree: &Tree, host: &Host, script: &str, work: &str, arguments: &[String]) -> Result<()> {
    let python = environment(tree)?;
    let mut command = host.command(tree, &python);
    command
        // Without this Python leaves compiled files beside the scripts.
        .arg("-B")
        .arg(tree.root.join("tests/client").join(script))
        .arg("--quarry")
        .arg(&host.quarry)
        .arg("--work")
        .arg(tree.target.join(work));
    cargo::check(command.args(arguments))
}

/// A Python with what `tests/client/requirements.txt` names, in an environment that is thrown away
/// when that file changes.
pub(crate) fn environment(tree: &Tree) -> Result<PathBuf> {
    let python = tree.python();
    let folder = tree.target.join("python");
    let list = tree.root.join("tests/client/requirements.txt");
    let wanted = fs::read_to_string(&list).context("cannot read the requirements")?;
    // Written last: an environment without it was not finished.
    let stamp = folder.join("requirements.txt");
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove the old Python environment")?;
    }
    eprintln!("making a Python environment: {}", wanted_names(&wanted));
    let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
    ensure!(made.is_ok_and(|status| status.success()), PYTHON_MISSING);
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list);
    cargo::check(&mut pip).context("the Python packages can not be installed")?;
    fs::write(&stamp, wanted).context("cannot finish the Python environment")?;
    Ok(python)
}

/// The packages of a list of requirements, for people.
fn wanted_names(list: &str) -> String {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::wanted_names;

    #[test]
    fn the_packages_are_named_without_the_comments() {
        assert_eq!(wanted_names("# why\n\na==1\nb==2\n"), "a==1, b==2");
    }
}
