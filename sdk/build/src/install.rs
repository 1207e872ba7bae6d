//! Installing what is missing: bounded in time, announced on stderr, and never fatal. Whoever asked
//! looks again and decides.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::toolchain::TARGET;

const RUSTUP_LIMIT: Duration = Duration::from_secs(120);
const DEBIAN_LIMIT: Duration = Duration::from_secs(600);
/// For a compiler out of a package registry.
pub(crate) const TOOL_LIMIT: Duration = Duration::from_secs(900);
/// How long a failed download is remembered.
const FAILURE_REMEMBERED: Duration = Duration::from_secs(3600);

/// `rustup target add` for one toolchain; false when it failed, now or within the last hour.
pub(crate) fn rustup_target(toolchain: &str, memory: &Path) -> bool {
    let stamp = memory.join(format!("no-{TARGET}-for-{toolchain}"));
    let age = fs::metadata(&stamp).ok().and_then(|stamp| stamp.modified().ok()?.elapsed().ok());
    if age.is_some_and(|age| age < FAILURE_REMEMBERED) {
        return false;
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", "--toolchain", toolchain, TARGET]);
    let done = run(&mut rustup, RUSTUP_LIMIT);
    if !done {
        // Best effort: without the stamp the next build asks again.
        let _ = fs::create_dir_all(memory).and_then(|()| fs::write(&stamp, b""));
    }
    done
}

/// Installs Debian packages; false when this is no Debian, we are not root, or it failed.
pub(crate) fn debian(packages: &[&str]) -> bool {
    let allowed = Path::new("/usr/bin/apt-get").is_file() && is_root();
    let other_family = std::env::var("QUARRY_TOOLCHAIN").is_ok_and(|family| family == "rustup");
    if !allowed || other_family {
        return false;
    }
    let update = run(Command::new("apt-get").args(["update", "-qq"]), DEBIAN_LIMIT);
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    update && run(&mut install, DEBIAN_LIMIT)
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// Runs a command for at most `limit`, its output on stderr.
#[expect(clippy::disallowed_methods, reason = "the standard library cannot wait with a limit")]
pub(crate) fn run(command: &mut Command, limit: Duration) -> bool {
    let words: Vec<_> =
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let shown = format!("{} {}", command.get_program().to_string_lossy(), words.join(" "));
    eprintln!("running {shown}");
    let started = Instant::now();
    let Ok(mut child) = command.stdin(Stdio::null()).stdout(std::io::stderr()).spawn() else {
        return false;
    };
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if started.elapsed() < limit => thread::sleep(Duration::from_millis(50)),
            Ok(None) | Err(_) => {
                eprintln!("{shown}: gave up after {} s", started.elapsed().as_secs());
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}
