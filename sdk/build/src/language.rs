//! The languages an extractor can be written in.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Result, bail};

use crate::project::Project;
use crate::tools::Tools;
use crate::{c, javascript, project, python};

/// The language an extractor is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// A cargo package with a `cdylib` library.
    Rust,
    /// A folder with an `extractor.toml`, compiled with Zig's C compiler.
    C,
    /// A folder with an `extractor.toml`, packed with componentize-py.
    Python,
    /// A folder with an `extractor.toml`, packed with componentize-js.
    JavaScript,
}

/// What a language's compiler made.
pub(crate) enum Made {
    /// A core module without the contract's description: this crate adds that and wraps it.
    Module(Vec<u8>),
    /// A component that imports and exports the extractor world.
    Component(Vec<u8>),
}

impl Language {
    /// All of them, as `quarry extractor new` lists them.
    pub const ALL: [Self; 4] = [Self::Rust, Self::Python, Self::JavaScript, Self::C];

    /// Its name in `extractor.toml` and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }

    /// The language of the extractor in a folder.
    ///
    /// # Errors
    /// When the folder holds neither a `Cargo.toml` nor an `extractor.toml`, or the latter names no
    /// language.
    pub fn of(directory: &Path) -> Result<Self> {
        if directory.join(project::FILE).is_file() {
            return Ok(Project::read(directory)?.language);
        }
        if directory.join("Cargo.toml").is_file() {
            return Ok(Self::Rust);
        }
        let shown = directory.display();
        if !directory.is_dir() {
            bail!("cannot open `{shown}`: it is no folder");
        }
        bail!(
            "`{shown}` has neither a Cargo.toml nor an {}\n\
             hint: `quarry extractor new NAME` makes a folder with all it takes",
            project::FILE
        )
    }

    /// The tools it is compiled with, in their versions: a part of every cache key.
    pub(crate) const fn tools(self) -> &'static str {
        match self {
            Self::Rust => "",
            Self::C => c::TOOLS,
            Self::Python => python::TOOLS,
            Self::JavaScript => javascript::TOOLS,
        }
    }

    /// Compiles a project of any language but Rust. `work` is an empty folder for what is made on
    /// the way; it is deleted afterwards.
    pub(crate) fn compile(self, project: &Project, tools: &Tools, work: &Path) -> Result<Made> {
        match self {
            Self::Rust => bail!("a Rust extractor is described by its Cargo.toml, not here"),
            Self::C => c::compile(project, tools, work),
            Self::Python => python::compile(project, tools, work),
            Self::JavaScript => javascript::compile(project, tools, work),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Language {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|language| language.name() == name) {
            Some(language) => Ok(language),
            None => {
                let known = Self::ALL.map(Self::name).join(", ");
                bail!("there is no language `{name}`\nhint: one of {known}")
            }
        }
    }
}
