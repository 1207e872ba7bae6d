//! The processes cases run in: one that dies costs one case.

use super::super::Torture;
use super::{Runner, Tally, guard, save, signature};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Writable memory of a process beyond what it begins with. Address space would be the wrong
/// measure: WebAssembly reserves terabytes of it.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// A case that computes for longer ends its process. Processor time: other work on the machine is
/// no finding.
const CASE_TIME_MAX: Duration = Duration::from_secs(10);
/// And one that waits for so long, by the clock.
const CASE_WAIT_MAX: Duration = Duration::from_secs(300);
/// Processes that may die before the target is given up.
const DEATHS_MAX: u64 = 20;
/// How far a process got: three little-endian u64.
const PROGRESS: &str = "progress";

struct Progress(File);

impl Progress {
    fn write(&self, case: u64, tally: Tally) -> Result<()> {
        let numbers = [case, tally.accepted, tally.findings].map(u64::to_le_bytes);
        Ok(self.0.write_all_at(numbers.as_flattened(), 0)?)
    }

    fn read(folder: &Path) -> Result<[u64; 3]> {
        let bytes = std::fs::read(folder.join(PROGRESS))?;
        let (numbers, _) = bytes.as_chunks::<8>();
        let numbers: Vec<u64> = numbers.iter().map(|number| u64::from_le_bytes(*number)).collect();
        numbers.try_into().ok().context("a child process wrote no progress")
    }
}

/// Runs cases from 0 on in child processes until the time is over.
pub(super) fn drive(folder: &Path, name: &str, seed: u64, time: Duration) -> Result<Tally> {
    let started = Instant::now();
    if folder.join(PROGRESS).exists() {
        std::fs::remove_file(folder.join(PROGRESS))?;
    }
    let mut all = Tally::default();
    let mut deaths = 0;
    loop {
        let left = time.saturating_sub(started.elapsed()).as_secs();
        let first = all.cases;
        let mut command = command(folder, name, seed, first)?;
        let status = command.args(["--seconds", &left.to_string()]).status()?;
        ensure!(folder.join(PROGRESS).exists(), "{name} did not start: {status}");
        let [case, accepted, findings] = Progress::read(folder)?;
        all.cases = case;
        all.accepted += accepted;
        all.findings += findings;
        if status.success() {
            return Ok(all);
        }
        ensure!(status.signal().is_some(), "the child process of {name} ended with {status}");
        deaths += 1;
        eprintln!("{name} {case}: {status}");
        self::command(folder, name, seed, case)?.args(["--save", "1"]).status()?;
        all.cases += 1;
        all.findings += 1;
        if deaths == DEATHS_MAX || left == 0 {
            return Ok(all);
        }
    }
}

/// Runs one case in a process of its own, which dies of what it died of among others. Says whether
/// it was accepted.
pub(super) fn once(folder: &Path, name: &str, seed: u64, case: u64) -> Result<bool> {
    let mut command = command(folder, name, seed, case)?;
    let seconds = CASE_WAIT_MAX.as_secs().to_string();
    let status = command.args(["--cases", "1", "--seconds", &seconds]).status()?;
    ensure!(status.success(), "{name} {case}: {status}");
    let [_, accepted, findings] = Progress::read(folder)?;
    ensure!(findings == 0, "{name} {case} fails, see {}", folder.display());
    Ok(accepted == 1)
}

fn command(folder: &Path, name: &str, seed: u64, first: u64) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.stdout(Stdio::null()).env("RUST_BACKTRACE", "0");
    command.args(["torture", "fuzz-child", "--target", name, "--folder"]).arg(folder);
    command.args(["--seed", &seed.to_string(), "--first", &first.to_string()]);
    Ok(command)
}

/// `--cases` of one target from `--first` on; `--save 1` only saves that one.
pub(crate) fn child(torture: &Torture) -> Result<String> {
    let word = |name| torture.word(name).with_context(|| format!("--{name} is missing"));
    let (name, folder) = (word("target")?, Path::new(word("folder")?));
    let (seed, first) = (torture.number("seed", 1), torture.number("first", 0));
    let mut runner = Runner::open(&torture.work, name, seed)?;
    if torture.number("save", 0) == 1 {
        save(folder, name, seed, first, &runner.make(first), "the process died")?;
        return Ok("saved".to_string());
    }
    let end = Instant::now() + Duration::from_secs(torture.number("seconds", 1));
    let progress = Progress(File::create(folder.join(PROGRESS))?);
    limit_memory()?;
    guard::watch_all_threads();
    let running = watch()?;
    let mut tally = Tally::default();
    let mut seen = BTreeSet::new();
    let mut case = first;
    let after = first.saturating_add(torture.number("cases", u64::MAX));
    while case < after && Instant::now() < end {
        running.store(case, Ordering::Relaxed);
        progress.write(case, tally)?;
        let input = runner.make(case);
        match runner.judge(&input) {
            Ok(accepted) => tally.accepted += u64::from(accepted),
            Err(error) => {
                tally.findings += 1;
                let message = format!("{error:#}");
                if seen.insert(signature(&message)) {
                    eprintln!("{name} {case}: {}", message.lines().next().unwrap_or_default());
                    save(folder, name, seed, case, &input, &message)?;
                }
            }
        }
        case += 1;
    }
    progress.write(case, tally)?;
    Ok(format!("{} cases", case - first))
}

fn limit_memory() -> Result<()> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let held = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let held: u64 = held.context("no VmData")?.trim().trim_end_matches(" kB").parse()?;
    let most = held * 1_024 + MEMORY_BYTES_MAX;
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the pointer is to a value that lives through the call, which only reads it.
    if unsafe { libc::setrlimit(libc::RLIMIT_DATA, &limit) } != 0 {
        bail!("memory can not be limited: {}", std::io::Error::last_os_error());
    }
    Ok(())
}

/// Aborts the process when one case runs for too long.
fn watch() -> Result<&'static AtomicU64> {
    static RUNNING: AtomicU64 = AtomicU64::new(u64::MAX);
    std::thread::Builder::new().name("watch".to_string()).spawn(|| {
        let (mut last, mut since, mut used) = (u64::MAX, Instant::now(), computed());
        loop {
            std::thread::park_timeout(Duration::from_millis(200));
            let now = RUNNING.load(Ordering::Relaxed);
            if now != last {
                (last, since, used) = (now, Instant::now(), computed());
            } else if computed().saturating_sub(used) > CASE_TIME_MAX {
                eprintln!("case {now} computes for longer than {CASE_TIME_MAX:?}");
                std::process::abort();
            } else if since.elapsed() > CASE_WAIT_MAX {
                eprintln!("case {now} waits for longer than {CASE_WAIT_MAX:?}");
                std::process::abort();
            }
        }
    })?;
    Ok(&RUNNING)
}

/// Processor time of all threads of this process so far.
fn computed() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value that lives through the call, which fills it in.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(done, 0, "there is no clock of processor time");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
