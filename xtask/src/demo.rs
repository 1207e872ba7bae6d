//! The examples, run as a user would type them.
//!
//! Every folder below `examples` with a `demo.toml` is one. Its steps run in order:
//!
//! ```toml
//! [[step]]
//! unpack = "data.tar.gz"            # beside demo.toml; skipped when it is unpacked already
//! to = "{work}/data"
//!
//! [[step]]
//! title = "Describe the files as a manifest"
//! run = ["manifest", "build", "{work}/data", "-o", "{work}/manifest.parquet"]
//! expect = "3 rows"                 # optional: must appear on stdout
//! ```
//!
//! `{example}` is the example's folder, `{work}` its scratch folder, `{data}` a data directory that
//! stays: a second demo finds what the first one made and says so.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

use crate::host::{self, Host};
use crate::steps::Steps;
use crate::tree::Tree;
use crate::{cargo, guests};

/// Runs the examples with the given names, or all.
pub(crate) fn run(tree: &Tree, names: &[String]) -> Result<()> {
    let mut examples = tree.below("examples");
    examples.retain(|example| example.join("demo.toml").is_file());
    for name in names {
        let known = examples.iter().any(|example| example.ends_with(name));
        ensure!(known, "there is no example `{name}` with a demo.toml");
    }
    examples.retain(|example| names.is_empty() || names.iter().any(|name| example.ends_with(name)));
    ensure!(!examples.is_empty(), "no example has a demo.toml");

    let mut steps = Steps::default();
    if steps.run("extractors", || guests::run(tree)).is_some()
        && let Some(host) = steps.run("host build", || host::build(tree))
    {
        for example in examples {
            let demo = Demo::new(tree, &host, example);
            steps.run(&format!("demo of {}", demo.example), || demo.run());
        }
    }
    steps.finish()
}

struct Demo<'a> {
    tree: &'a Tree,
    host: &'a Host,
    /// The example's folder and its scratch folders, as they are shown: relative inside the
    /// checkout.
    example: String,
    work: String,
    data: String,
}

impl<'a> Demo<'a> {
    fn new(tree: &'a Tree, host: &'a Host, example: PathBuf) -> Self {
        let work = tree.target.join("demo").join(example.file_name().unwrap_or_default());
        let shown = |path: &Path| {
            path.strip_prefix(&tree.root).unwrap_or(path).to_string_lossy().into_owned()
        };
        let (data, work) = (shown(&work.join("quarry-data")), shown(&work));
        Self { tree, host, example: shown(&example), work, data }
    }

    fn run(&self) -> Result<()> {
        let path = self.at(&self.example).join("demo.toml");
        let text = fs::read_to_string(&path).context("cannot read the demo.toml")?;
        let script: Table =
            text.parse().with_context(|| format!("in {}/demo.toml", self.example))?;
        fs::create_dir_all(self.at(&self.work)).context("cannot make the scratch folder")?;
        let steps = script.get("step").and_then(Value::as_array);
        for (number, step) in steps.into_iter().flatten().enumerate() {
            self.step(step).with_context(|| format!("step {} of {}", number + 1, self.example))?;
        }
        Ok(())
    }

    fn step(&self, step: &Value) -> Result<()> {
        let text = |key: &str| step.get(key).and_then(Value::as_str);
        if let Some(title) = text("title") {
            println!("\n# {title}");
        }
        if let Some(archive) = text("unpack") {
            let to = text("to").context("`unpack` needs `to`")?;
            return self.unpack(archive, &self.filled(to));
        }
        let words = step.get("run").and_then(Value::as_array).context("it has no `run`")?;
        let words = words.iter().map(|word| word.as_str().map(|word| self.filled(word)));
        let words: Vec<String> =
            words.collect::<Option<_>>().context("`run` is a list of words")?;
        self.quarry(&words, text("expect").unwrap_or_default())
    }

    fn filled(&self, text: &str) -> String {
        let text = text.replace("{example}", &self.example).replace("{work}", &self.work);
        text.replace("{data}", &self.data)
    }

    /// A shown path as a real one.
    fn at(&self, shown: &str) -> PathBuf {
        self.tree.root.join(shown)
    }

    /// Unpacks an archive of the example, once: the archive's digest is left beside the folder.
    fn unpack(&self, archive: &str, to: &str) -> Result<()> {
        let archive = self.at(&self.example).join(archive);
        let bytes = fs::read(&archive).with_context(|| format!("no `{}`", archive.display()))?;
        let mut digest = DefaultHasher::new();
        bytes.hash(&mut digest);
        let digest = format!("{:016x}", digest.finish());
        let folder = self.at(to);
        let stamp = self.at(&format!("{to}.unpacked"));
        if folder.is_dir() && fs::read_to_string(&stamp).is_ok_and(|found| found == digest) {
            return Ok(());
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty `{to}`"))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make `{to}`"))?;
        cargo::check(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&folder))?;
        fs::write(&stamp, digest).with_context(|| format!("cannot write `{}`", stamp.display()))
    }

    /// Runs one command, shows what it prints as it comes, and looks for the expected text in it.
    fn quarry(&self, words: &[String], expected: &str) -> Result<()> {
        println!(
            "$ quarry {}",
            words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
        );
        std::io::stdout().flush()?;
        let mut command = self.host.command(self.tree, &self.host.quarry);
        let mut child = command.args(words).stdout(Stdio::piped()).spawn()?;
        let mut printed = String::new();
        let output = child.stdout.take().context("the command has no output")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            printed.push_str(&line);
            printed.push('\n');
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("`quarry {}` failed ({status})", words.join(" "));
        }
        ensure!(printed.contains(expected), "`{expected}` is not in what was printed");
        Ok(())
    }
}

/// A word as a shell would need it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@{}%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let check = |word: &str, expected: &str| assert_eq!(quoted(word), expected);
        check("--limit=3", "--limit=3");
        check("we choose to go", "'we choose to go'");
        check("it's", r"'it'\''s'");
        check("", "''");
    }
}
