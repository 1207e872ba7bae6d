//! `--watch`: looks whether files changed, and does the work again when they did.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, SystemTime};
use walkdir::WalkDir;

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(200);
/// Files that are looked at, at most.
const FILES_MAX: usize = 20_000;
/// Folders of things that are made, not written.
const MADE: [&str; 6] =
    ["target", "node_modules", "__pycache__", "quarry-data", "extractors", "dist"];

/// Bytes and time of change of each file.
pub type Snapshot = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// What is looked at.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    /// Folders and files.
    pub watched: Vec<PathBuf>,
    /// Folders below those in which things are made.
    pub made: Vec<PathBuf>,
}

/// The files below the roots. Hidden ones do not count.
pub fn snapshot(roots: &Roots) -> Snapshot {
    let files = roots.watched.iter().flat_map(|root| {
        let seen = WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            let made = name.starts_with('.')
                || MADE.contains(&name.as_ref())
                || roots.made.iter().any(|made| made == entry.path());
            entry.depth() == 0 || !made
        });
        // What vanishes meanwhile is a change that the next look finds.
        seen.filter_map(Result::ok).filter(|entry| entry.file_type().is_file())
    });
    let stamped = files.filter_map(|file| {
        let metadata = file.metadata().ok()?;
        Some((file.into_path(), (metadata.len(), metadata.modified().ok())))
    });
    stamped.take(FILES_MAX).collect()
}

/// Files that came, went or are different.
pub fn changed(before: &Snapshot, after: &Snapshot) -> Vec<PathBuf> {
    let different = after.iter().filter(|(path, stamp)| before.get(*path) != Some(stamp));
    let gone = before.iter().filter(|(path, _)| !after.contains_key(*path));
    let mut paths: Vec<PathBuf> = different.chain(gone).map(|(path, _)| path.clone()).collect();
    paths.sort();
    paths
}

/// Works once, then after each change, until `look` says that nobody looks any more. What changes
/// while it works is seen afterwards.
pub fn rounds(
    first: Snapshot,
    look: &mut dyn FnMut() -> Option<Snapshot>,
    work: &mut dyn FnMut(&[PathBuf]),
) {
    let mut before = first;
    work(&[]);
    while let Some(after) = look() {
        let paths = changed(&before, &after);
        before = after;
        if !paths.is_empty() {
            work(&paths);
        }
    }
}

/// Until somebody ends the program.
pub(super) fn forever(roots: &Roots, work: &mut dyn FnMut(&[PathBuf])) {
    // Polled: notices of the system miss network file systems and editors that write elsewhere.
    let (_open, ended) = channel::<()>();
    let mut look = || match ended.recv_timeout(EVERY) {
        Err(RecvTimeoutError::Timeout) => Some(snapshot(roots)),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => None,
    };
    rounds(snapshot(roots), &mut look, work);
}

/// What was changed, for people.
pub(super) fn named(paths: &[PathBuf]) -> String {
    let name = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_owned();
    let first = paths.first().map(name).unwrap_or_default();
    let first = Path::new(&first).display().to_string();
    match paths.len() {
        0 | 1 => format!("{first} changed"),
        count => format!("{first} and {} more changed", count - 1),
    }
}
