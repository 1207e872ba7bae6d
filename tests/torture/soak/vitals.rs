//! What a process must not collect: memory, handles, threads, state.

use anyhow::{Context, Result};
use quarry::store::Store;
use std::path::Path;
use std::time::Instant;

/// A figure of [`Vitals`].
pub(crate) type Figure = fn(&Vitals) -> u64;

/// Taken between two batches.
#[derive(Debug, Clone)]
pub(crate) struct Vitals {
    pub(crate) at: Instant,
    pub(crate) resident_bytes: u64,
    pub(crate) anonymous_bytes: u64,
    pub(crate) handles: u64,
    pub(crate) threads: u64,
    pub(crate) state_bytes: u64,
    /// Keys and values of the state.
    pub(crate) live_bytes: u64,
}

impl Vitals {
    pub(crate) fn read(store: &Store, state: &Path) -> Result<Vitals> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let kilobytes = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            Ok(number.with_context(|| format!("no {name} in /proc/self/status"))?.parse::<u64>()?)
        };
        // After the first of them the state may be compacted, before the second that is over.
        store.settle()?;
        store.settle()?;
        Ok(Vitals {
            at: Instant::now(),
            resident_bytes: kilobytes("VmRSS:")? << 10,
            anonymous_bytes: kilobytes("RssAnon:")? << 10,
            handles: std::fs::read_dir("/proc/self/fd")?.count() as u64,
            threads: kilobytes("Threads:")?,
            state_bytes: folder_bytes(state)?,
            live_bytes: store.live_bytes()?,
        })
    }
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.metadata()?;
        bytes += if file.is_dir() { folder_bytes(&entry.path())? } else { file.len() };
    }
    Ok(bytes)
}

/// Growth of a figure in ten minutes: the line of least squares through the samples.
pub(crate) fn growth(samples: &[Vitals], figure: Figure) -> f64 {
    let Some(first) = samples.first() else { return 0.0 };
    let point =
        |vitals: &Vitals| ((vitals.at - first.at).as_secs_f64() / 600.0, figure(vitals) as f64);
    let points: Vec<(f64, f64)> = samples.iter().map(point).collect();
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let above: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let below: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if below == 0.0 { 0.0 } else { above / below }
}

/// The lowest sample of each of so many stretches.
pub(crate) fn troughs(samples: &[Vitals], stretches: usize, figure: Figure) -> Vec<Vitals> {
    let stretch = samples.len().div_ceil(stretches).max(1);
    let lowest = |stretch: &[Vitals]| stretch.iter().min_by_key(|vitals| figure(vitals)).cloned();
    samples.chunks(stretch).filter_map(lowest).collect()
}

/// The most of it.
pub(crate) fn most(samples: &[Vitals], figure: Figure) -> u64 {
    samples.iter().map(figure).max().unwrap_or(0)
}
