//! Peers: other engines over the same manifest, by scripts in a folder that the user names. A peer
//! that is not installed is named and left out.

use crate::measure::Measured;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RAY: &str = "peer_ray.py";

/// Script, arguments, name.
const PEERS: [(&str, &[&str], &str); 2] = [
    ("peer_daft.py", &["--style", "numpy", "--process", "0"], "peer daft"),
    (RAY, &["--style", "numpy", "--actors", "0"], "peer ray data"),
];

pub(crate) fn run(
    folder: &Path,
    manifest: &Path,
    rows: u64,
    work: &Path,
) -> Result<Vec<(String, Measured)>> {
    let python = std::env::var("PEERS_PYTHON").unwrap_or_else(|_| "python3".to_string());
    let mut all = Vec::new();
    for (script, arguments, name) in PEERS {
        let out = crate::runs::next(work)?;
        let group = Group::make();
        crate::measure::settle()?;
        let started = Instant::now();
        let output = command(&group, &python, script)
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
            rows,
            documents,
            digest: digest.finish(),
            vec_sum: digest.vec_sum(),
            wall_s,
            cpu_s: group.cpu_s()?,
            peak_rss_mb: 0.0,
            peak_anonymous_mb: 0.0,
            shares: json!({}),
        };
        all.push((name.to_string(), measured));
    }
    Ok(all)
}

/// Joins the control group, whose folders come first up to `--`, and becomes the rest.
const JOIN: &str =
    r#"while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@""#;

/// Ray opens servers on every address: it gets a network of its own with nothing but loopback. And
/// it leaves daemons behind: in a process namespace of its own they end with the script.
fn command(group: &Group, python: &str, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", JOIN, "sh"]).args(&group.folders).arg("--");
    if script == RAY {
        let alone = "ip link set lo up; exec \"$0\" \"$@\"";
        command.args(["unshare", "-n", "-p", "-f", "--mount-proc", "sh", "-c", alone]);
        command.env("RAY_AUTH_MODE", "disabled");
    }
    command.arg(python);
    command
}

/// A control group counts the CPU time of all processes in it: also of daemons that nobody waits
/// for, which is most of Ray. It takes root; without it no figure is printed, not a wrong one.
struct Group {
    folders: Vec<PathBuf>,
}

impl Group {
    fn make() -> Group {
        let name = format!("quarry-bench-{}", std::process::id());
        let roots = match Path::new("/sys/fs/cgroup/cpuacct").is_dir() {
            true => ["/sys/fs/cgroup/cpuacct"],
            false => ["/sys/fs/cgroup"],
        };
        let folders = roots.iter().map(|root| Path::new(root).join(&name));
        Group { folders: folders.filter(|folder| std::fs::create_dir(folder).is_ok()).collect() }
    }

    fn cpu_s(&self) -> Result<f64> {
        let Some(folder) = self.folders.first() else { return Ok(f64::NAN) };
        if let Ok(nanoseconds) = std::fs::read_to_string(folder.join("cpuacct.usage")) {
            return Ok(nanoseconds.trim().parse::<f64>()? / 1e9);
        }
        let text = std::fs::read_to_string(folder.join("cpu.stat"))?;
        let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
        Ok(usage.context("cpu.stat has no usage_usec")?.trim().parse::<f64>()? / 1e6)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in &self.folders {
            // Processes that just ended can hold it for a moment.
            for _ in 0..50 {
                if std::fs::remove_dir(folder).is_ok() {
                    break;
                }
                std::thread::park_timeout(Duration::from_millis(100));
            }
        }
    }
}
