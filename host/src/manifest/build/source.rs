//! What a source names, and the walk over files, in an order that is the same everywhere.

use super::BuildRequest;
use super::file::Entry;
use super::output::Target;
use super::records::{Format, RecordFile};
use crate::error::{Code, Error, Result};
use glob::{MatchOptions, Pattern};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// Bounded by the position's bits above the row number, far above any command line.
const SOURCES_MAX: usize = 1 << 20;

pub(super) enum Source {
    Tree(Tree),
    Records(RecordFile),
}

/// The files of a directory or glob, or a single file.
pub(super) struct Tree {
    /// As it was written.
    source: String,
    /// Canonical; the directory that ids are relative to.
    base: PathBuf,
    /// `base`, or a file in it.
    start: PathBuf,
    pattern: Option<Pattern>,
    depth_max: usize,
    hidden: bool,
}

pub(super) enum Found {
    File(Entry),
    Unreadable { path: PathBuf, reason: String },
}

/// Opens nothing yet. A glob that ends with the extension of a record file stands for all such
/// files.
pub(super) fn resolve(request: &BuildRequest) -> Result<Vec<Source>> {
    if request.sources.is_empty() || request.sources.len() > SOURCES_MAX {
        let message = format!("a manifest is built from 1 to {SOURCES_MAX} sources");
        return Err(Error::invalid(message).hint("name a directory, a glob, a JSONL or a CSV file"));
    }
    let mut sources = Vec::with_capacity(request.sources.len());
    for source in &request.sources {
        let path = local_path(source)?;
        if path.is_dir() {
            let base = canonical(source, &path)?;
            sources.push(Source::Tree(Tree::new(source, base.clone(), base, None, request.hidden)));
        } else if path.exists() {
            sources.push(file(source, &path, request.hidden)?);
        } else if source.contains(['*', '?', '[']) {
            glob(source, request.hidden, &mut sources)?;
        } else {
            let hint = "name a directory, a file or a glob in quotes";
            return Err(Error::new(Code::NotFound, format!("there is no {source}")).hint(hint));
        }
    }
    Ok(sources)
}

fn local_path(source: &str) -> Result<PathBuf> {
    if !source.contains("://") {
        return Ok(PathBuf::from(source));
    }
    url::Url::parse(source)
        .ok()
        .filter(|url| url.scheme() == "file")
        .and_then(|url| url.to_file_path().ok())
        .ok_or_else(|| {
            Error::invalid(format!("{source} is not a local source"))
                .hint("manifests are built from local files; copy them here first")
        })
}

fn canonical(source: &str, path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .map_err(|error| Error::new(Code::NotFound, format!("cannot open {source}")).source(error))
}

fn file(source: &str, path: &Path, hidden: bool) -> Result<Source> {
    if let Some(format) = Format::of(path)? {
        return Ok(Source::Records(RecordFile { path: path.to_path_buf(), format }));
    }
    // The directory is made canonical, not the file: a link keeps its own name.
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let base = canonical(source, parent.unwrap_or(Path::new(".")))?;
    let start = base.join(path.file_name().unwrap_or_default());
    Ok(Source::Tree(Tree::new(source, base, start, None, hidden)))
}

fn glob(source: &str, hidden: bool, sources: &mut Vec<Source>) -> Result<()> {
    let split = source.find(['*', '?', '[']).unwrap_or(0);
    let (base, pattern) = match source[..split].rfind('/') {
        Some(0) => ("/", &source[1..]),
        Some(slash) => (&source[..slash], &source[slash + 1..]),
        None => (".", source),
    };
    let compiled = Pattern::new(pattern)
        .map_err(|error| Error::invalid(format!("{source} is not a glob")).source(error))?;
    let base = canonical(source, Path::new(base))?;
    let mut tree = Tree::new(source, base.clone(), base, Some(compiled), hidden);
    if !pattern.contains("**") {
        tree.depth_max = pattern.split('/').count();
    }
    let Some(format) = Format::of(Path::new(pattern))? else {
        sources.push(Source::Tree(tree));
        return Ok(());
    };
    let before = sources.len();
    tree.walk(&mut |found| {
        if sources.len() == SOURCES_MAX {
            return ControlFlow::Break(Err(Error::invalid(format!(
                "{source} names too many files"
            ))));
        }
        match found {
            Found::File(entry) => {
                sources.push(Source::Records(RecordFile { path: entry.path, format }));
                ControlFlow::Continue(())
            }
            Found::Unreadable { path, reason } => {
                let message = format!("cannot read {}: {reason}", path.display());
                ControlFlow::Break(Err(Error::new(Code::Unavailable, message)))
            }
        }
    })?;
    if sources.len() == before { Err(tree.nothing_found(hidden)) } else { Ok(()) }
}

impl Tree {
    fn new(
        source: &str,
        base: PathBuf,
        start: PathBuf,
        pattern: Option<Pattern>,
        hidden: bool,
    ) -> Self {
        Tree { source: source.to_string(), base, start, pattern, depth_max: usize::MAX, hidden }
    }

    /// Calls `act` for every file and every place that can't be looked into. Directories are sorted
    /// by the bytes of the names in them. Leaves out the manifest itself.
    pub(super) fn each(
        &self,
        target: &Target,
        act: &mut dyn FnMut(Found) -> Result<()>,
    ) -> Result<()> {
        self.walk(&mut |found| match &found {
            Found::File(entry) if target.is_own(&entry.path) => ControlFlow::Continue(()),
            Found::File(_) | Found::Unreadable { .. } => match act(found) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Err(error)),
            },
        })
    }

    /// Id and place of the `number`th thing that [`Tree::each`] finds, from 1.
    pub(super) fn nth(&self, target: &Target, number: u64) -> Result<Option<(String, String)>> {
        let (mut count, mut nth) = (0, None);
        self.walk(&mut |found| {
            let place = match found {
                Found::File(entry) if target.is_own(&entry.path) => {
                    return ControlFlow::Continue(());
                }
                Found::File(entry) => Some((entry.object_id(), entry.path.display().to_string())),
                Found::Unreadable { .. } => None,
            };
            count += 1;
            if count < number {
                return ControlFlow::Continue(());
            }
            nth = place;
            ControlFlow::Break(Ok(()))
        })?;
        Ok(nth)
    }

    fn walk(&self, act: &mut dyn FnMut(Found) -> ControlFlow<Result<()>>) -> Result<()> {
        let named = |entry: &DirEntry| {
            let dot = entry.file_name().as_encoded_bytes().starts_with(b".");
            self.hidden || entry.depth() == 0 || !dot
        };
        let walk = WalkDir::new(&self.start)
            .follow_links(true)
            .max_depth(self.depth_max)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(named);
        for entry in walk {
            let Some(found) = self.found(entry) else { continue };
            if let ControlFlow::Break(result) = act(found) {
                return result;
            }
        }
        Ok(())
    }

    /// `None` for a directory and for what the pattern does not match.
    fn found(&self, entry: walkdir::Result<DirEntry>) -> Option<Found> {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(&self.start).to_path_buf();
                let reason = match (error.loop_ancestor(), error.io_error()) {
                    (Some(ancestor), _) => format!("a link back to {}", ancestor.display()),
                    (None, Some(error)) => error.to_string(),
                    (None, None) => error.to_string(),
                };
                return Some(Found::Unreadable { path, reason });
            }
        };
        let kind = entry.file_type();
        if kind.is_dir() {
            return None;
        }
        let path = entry.into_path();
        let relative = path.strip_prefix(&self.base).unwrap_or(&path).to_path_buf();
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        let fits = |pattern: &Pattern| {
            pattern.matches_with(&super::file::unicode_path(&relative), options)
        };
        if !self.pattern.as_ref().is_none_or(fits) {
            return None;
        }
        if !kind.is_file() {
            let reason = "not a regular file".to_string();
            return Some(Found::Unreadable { path, reason });
        }
        Some(Found::File(Entry { path, relative }))
    }

    pub(super) fn nothing_found(&self, hidden: bool) -> Error {
        let (what, hint) = match &self.pattern {
            Some(pattern) => (format!("matches `{pattern}`"), "check the pattern"),
            None => ("lies there".to_string(), "check the path"),
        };
        let message =
            format!("no file {what} in {} (source `{}`)", self.base.display(), self.source);
        Error::new(Code::NotFound, message).hint(if hidden {
            hint.to_string()
        } else {
            format!("{hint}; names that start with a dot were left out, `--hidden` takes them")
        })
    }
}
