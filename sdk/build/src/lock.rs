//! What a workspace's lock file says about one of its packages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::package::Package;

/// A parsed `Cargo.lock`, by package name.
#[derive(Debug, Default)]
pub(crate) struct Lock(BTreeMap<String, Vec<Table>>);

impl Lock {
    /// Reads `<root>/Cargo.lock`; an absent one locks nothing.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let path = root.join("Cargo.lock");
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(Self::default());
        };
        let mut lock: Table =
            text.parse().with_context(|| format!("cannot parse `{}`", path.display()))?;
        let mut by_name = BTreeMap::<String, Vec<Table>>::new();
        if let Some(Value::Array(packages)) = lock.remove("package") {
            for package in packages {
                if let Value::Table(package) = package {
                    by_name.entry(text_of(&package, "name").to_owned()).or_default().push(package);
                }
            }
        }
        Ok(Self(by_name))
    }

    /// The locked packages this one reaches, one a line. Only these: a new dependency of another
    /// member must not rebuild every extractor.
    pub(crate) fn reached_from(&self, package: &Package) -> String {
        let mut reached = BTreeSet::new();
        let mut open = vec![format!("{} {}", package.name, package.version)];
        while let Some(wanted) = open.pop() {
            // `name`, `name version` or `name version (source)`.
            let mut words = wanted.split(' ');
            let (name, version) = (words.next().unwrap_or_default(), words.next());
            for one in self.0.get(name).into_iter().flatten() {
                if version.is_some_and(|version| text_of(one, "version") != version) {
                    continue;
                }
                let line = ["name", "version", "source", "checksum"].map(|key| text_of(one, key));
                if reached.insert(line.join(" ")) {
                    let next = one.get("dependencies").and_then(Value::as_array);
                    let next = next.into_iter().flatten().filter_map(Value::as_str);
                    open.extend(next.map(str::to_owned));
                }
            }
        }
        reached.into_iter().collect::<Vec<_>>().join("\n")
    }
}

fn text_of<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}
