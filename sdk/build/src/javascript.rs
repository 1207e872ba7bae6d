//! Extractors in JavaScript, packed with componentize-js.

use std::path::Path;

use anyhow::{Result, bail};

use crate::language::Made;
use crate::project::Project;
use crate::tools::Tools;

pub(crate) const TOOLS: &str = "";

pub(crate) fn compile(project: &Project, _: &Tools, _: &Path) -> Result<Made> {
    bail!("`{}`: this build of Quarry can not build {}", project.name, project.language)
}
