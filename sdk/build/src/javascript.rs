//! Extractors in JavaScript or TypeScript: bundled into one module by rolldown, then packed
//! together with the engine by componentize-js.
//!
//! Setting in `extractor.toml`: `main`, the module with the default export (default: the first of
//! `extractor.js`, `extractor.mjs`, `extractor.ts` that is there).
//!
//! The modules are run here, at build time; a component begins with what the engine has in memory
//! after that. So whatever fails on import fails the build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::install;
use crate::language::Made;
use crate::project::Project;
use crate::tools::{Npm, Tools};

/// The pinned tools, all they depend on, and how they are called.
const PACKAGES: Npm = Npm {
    package: "componentize-js",
    version: "0.23.0",
    manifest: include_str!("../npm/package.json"),
    lock: include_str!("../npm/package-lock.json"),
};
const PACK: &str = include_str!("../npm/pack.mjs");
/// The same for cache keys.
pub(crate) const TOOLS: &str =
    concat!("componentize-js 0.23.0, rolldown 1.3.2, recipe 1\n", include_str!("../npm/pack.mjs"));
const MAIN: [&str; 3] = ["extractor.js", "extractor.mjs", "extractor.ts"];

pub(crate) fn compile(project: &Project, tools: &Tools, work: &Path) -> Result<Made> {
    let main = main(project)?;
    let installed = tools.node(&PACKAGES)?;
    let (entry, component) = (work.join("entry.js"), work.join("component.wasm"));
    // Beside `node_modules`, because that is where a module looks for packages. Named after the
    // process: another build may be at it.
    let script = installed.join(format!("pack-{}.mjs", std::process::id()));
    fs::write(&entry, source(project, &main)?)
        .and_then(|()| fs::write(&script, PACK))
        .with_context(|| format!("cannot write into `{}`", work.display()))?;
    let mut packer = Command::new("node");
    packer.arg(&script).arg(&entry).args([&project.sdk, &project.directory, &project.contract]);
    packer.arg(&component).current_dir(work);
    eprintln!("packing {} with componentize-js", project.name);
    let done = install::run(&mut packer, install::TOOL_LIMIT);
    // Best effort: the next build writes it again.
    let _ = fs::remove_file(&script);
    if !done {
        bail!("cannot build `{}`: see the messages above", project.name);
    }
    let component = fs::read(&component).context("componentize-js made no component")?;
    Ok(Made::Component(component))
}

/// The module with the default export; it must be there.
fn main(project: &Project) -> Result<PathBuf> {
    let named = project.text("main")?;
    let default = || MAIN.into_iter().find(|name| project.directory.join(name).is_file());
    let main = named.or_else(default).unwrap_or(MAIN[0]);
    let path = project.directory.join(main);
    if !path.is_file() {
        let shown = path.display();
        bail!("there is no `{shown}`\nhint: `main` in extractor.toml names another module");
    }
    Ok(path)
}

/// The module that is packed: the SDK makes the exports of the author's definition. Strings are
/// written as in JSON, which are strings of JavaScript, too.
fn source(project: &Project, main: &Path) -> Result<String> {
    let main = main.to_str().context("the project's path is not UTF-8")?;
    let [main, name, version] = [main, &project.name, &project.version]
        .map(|text| serde_json::Value::from(text).to_string());
    Ok(format!(
        "import {{ exportsOf }} from \"quarry-guest\";\n\
         import definition from {main};\n\
         export const extractor = exportsOf(definition, {name}, {version});\n"
    ))
}
