//! Peers: other engines over the same manifest, by scripts in a folder that the user names. A peer
//! that is not installed is named and left out.

use crate::measure::Measured;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Its daemons are reaped by nobody, so their CPU time is in no figure that this process can read:
/// none is printed instead of a wrong one.
const RAY: &str = "peer_ray.py";

/// Script, arguments, name.
const PEERS: [(&str, &[&str], &str); 2] = [
    ("peer_daft.py", &["--style", "numpy", "--process", "0"], "peer daft"),
    (RAY, &["--style", "numpy", "--actors", "0"], "peer ray data"),
];

pub(crate) fn run(folder: &Path, manifest: &Path, work: &Path) -> Result<Vec<(String, Measured)>> {
    let python = std::env::var("PEERS_PYTHON").unwrap_or_else(|_| "python3".to_string());
    let mut all = Vec::new();
    for (script, arguments, name) in PEERS {
        let out = work.join("peer-out");
        let _ = std::fs::remove_dir_all(&out);
        let before = children_cpu();
        let started = Instant::now();
        let output = command(&python, script)
            .arg(folder.join(script))
            .arg("--manifest")
            .arg(manifest)
            .arg("--out")
            .arg(&out)
            .args(["--sink", "parquet"])
            .args(arguments)
            .env("PYTHONPATH", folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("can not start {python}"))?
            .wait_with_output()?;
        let wall_s = started.elapsed().as_secs_f64();
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let last = text.lines().last().unwrap_or("").to_string();
            eprintln!("{name} left out: {last} (PEERS_PYTHON names a Python that has it)");
            continue;
        }
        let digest = crate::digest::digest_directory(&out)?;
        let documents = digest.documents();
        let measured = Measured {
            rows: 0,
            documents,
            digest: digest.finish(),
            vec_sum: digest.vec_sum(),
            wall_s,
            cpu_s: if script == RAY { f64::NAN } else { children_cpu() - before },
            peak_rss_mb: 0.0,
            peak_anonymous_mb: 0.0,
            shares: json!({}),
        };
        let _ = std::fs::remove_dir_all(&out);
        all.push((name.to_string(), measured));
    }
    Ok(all)
}

/// Ray opens servers on every address: it gets a network of its own with nothing but loopback. And
/// it leaves daemons behind: in a process namespace of its own they end with the script.
fn command(python: &str, script: &str) -> Command {
    if script != RAY {
        return Command::new(python);
    }
    let mut command = Command::new("unshare");
    let alone = "ip link set lo up; exec \"$0\" \"$@\"";
    command
        .args(["-n", "-p", "-f", "--mount-proc", "sh", "-c", alone, python])
        .env("RAY_AUTH_MODE", "disabled");
    command
}

/// CPU seconds of all children that have ended, and of theirs that they waited for.
fn children_cpu() -> f64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the pointer is valid for one rusage, which the call fills; it can not fail with this
    // argument.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
