//! Figures of one run, and the table of all.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) rows: u64,
    pub(crate) documents: u64,
    pub(crate) digest: String,
    /// Sum of all vector elements.
    pub(crate) vec_sum: f64,
    pub(crate) wall_s: f64,
    /// User and system time of the whole process, start included.
    pub(crate) cpu_s: f64,
    pub(crate) peak_rss_mb: f64,
    /// Anonymous memory at its peak, sampled; mapped files are not in it.
    pub(crate) peak_anonymous_mb: f64,
    /// Share of the workers' time by step.
    pub(crate) shares: Value,
}

/// User and system CPU seconds of this process so far, and its peak resident set in MB.
pub(crate) fn usage() -> (f64, f64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the pointer is valid for one rusage, which the call fills; RUSAGE_SELF never fails.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    let cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    (cpu, usage.ru_maxrss as f64 * 1024.0 / 1e6)
}

/// Anonymous memory of this process in MB.
pub(crate) fn anonymous_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) * 1024.0 / 1e6
}

/// Lets the disk take what earlier runs wrote: otherwise the next one pays for it when it syncs.
pub(crate) fn settle() -> anyhow::Result<()> {
    let done = std::process::Command::new("sync").status()?;
    anyhow::ensure!(done.success(), "sync failed");
    Ok(())
}

/// `compile_s`: CPU seconds that compiling the extractors took before.
pub(crate) fn print(table: &[(String, Vec<Measured>)], compile_s: f64) {
    println!("compiling both extractors, once for each digest: {compile_s:.2} CPU s");
    println!(
        "{:<18} {:>9} {:>8} {:>10} {:>8} {:>9} {:>9}  shares",
        "run", "documents", "cpu s", "rows/s", "wall s", "rss MB", "anon MB"
    );
    let middle = |all: &[Measured], of: fn(&Measured) -> f64| {
        let mut values: Vec<f64> = all.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    for (name, all) in table {
        let wall = middle(all, |m| m.wall_s);
        println!(
            "{name:<18} {:>9} {:>8} {:>10.0} {wall:>8.2} {:>9} {:>9}  {}",
            all[0].documents,
            shown(middle(all, |m| m.cpu_s)),
            all[0].rows as f64 / wall,
            shown(middle(all, |m| m.peak_rss_mb)),
            shown(middle(all, |m| m.peak_anonymous_mb)),
            all[0].shares
        );
    }
    let cpu = |wanted: &str| {
        let found = table.iter().find(|(name, _)| name == wanted)?;
        Some(middle(&found.1, |m| m.cpu_s))
    };
    if let (Some(component), Some(native)) = (cpu("component"), cpu("native")) {
        println!("sandbox / native CPU: {:.2}", component / native);
    }
    for (name, all) in table.iter().filter(|(name, _)| name.starts_with("peer")) {
        if let Some(export) = cpu("component-export") {
            let peer = middle(all, |m| m.cpu_s);
            match (export / peer, (export + compile_s) / peer) {
                (ratio, first) if ratio.is_finite() => {
                    println!(
                        "quarry with export / {name} CPU: {ratio:.3}, compiling included {first:.3}"
                    );
                }
                _ => println!("quarry with export / {name} CPU: not measured"),
            }
        }
    }
}

/// What was not measured is neither zero nor a NaN.
fn shown(value: f64) -> String {
    if value > 0.0 { format!("{value:.2}") } else { "-".to_string() }
}

pub(crate) fn shares(times: &[(&str, u64)]) -> Value {
    let total: u64 = times.iter().map(|(_, nanoseconds)| nanoseconds).sum();
    let share = |ns: u64| (ns as f64 / total.max(1) as f64 * 1000.0).round() / 1000.0;
    let shares = times.iter().map(|(name, ns)| ((*name).to_string(), json!(share(*ns))));
    Value::Object(shares.collect())
}
