//! One process over the batch: reads which steps it takes and kills it in one of them.

use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// In the order of a batch. The process writes a line when it begins one.
pub(crate) const STEPS: [&str; 10] =
    ["open", "compact", "planning", "submit", "lease", "guest", "part", "marker", "commit", "sink"];

/// A process that takes no step for so long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(120);
const SIGKILL: i32 = 9;

pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) partition: Option<String>,
    /// When it was read here.
    pub(crate) at: Instant,
}

impl Step {
    fn parse(line: &str) -> Option<Step> {
        let name = value(line, "step")?.to_string();
        let partition = value(line, "partition").map(str::to_string);
        Some(Step { name, partition, at: Instant::now() })
    }
}

/// Of `name=value` or `name="value"`.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(" {name}="))?;
    rest.split([' ', '"']).find(|word| !word.is_empty())
}

/// Where to kill: so long after the so manieth line of a step.
pub(crate) struct Aim {
    pub(crate) step: &'static str,
    pub(crate) lines: u64,
    pub(crate) spin: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Killed,
    Exited(i32),
}

/// What a process did until its end.
pub(crate) struct Launch {
    pub(crate) steps: Vec<Step>,
    /// The batch that it acknowledged.
    pub(crate) batch: Option<String>,
    /// What else it wrote to stderr.
    pub(crate) said: String,
    pub(crate) stdout: String,
    pub(crate) end: End,
}

/// Runs the command to its end, or until it is killed.
pub(crate) fn launch(command: &mut Command, aim: Option<&Aim>) -> Result<Launch> {
    let mut child = command
        .env("QUARRY_LOG", "quarry::step=trace")
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = lines(child.stderr.take().context("the process has no stderr")?);
    let mut steps: Vec<Step> = Vec::new();
    let (mut batch, mut said, mut seen) = (None, String::new(), 0);
    loop {
        let line = match lines.recv_timeout(SILENCE_MAX) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                let last = steps.last().map_or("none", |step| &step.name);
                bail!("the process hung, its last step was {last}: {said}");
            }
        };
        let Some(step) = Step::parse(&line) else {
            batch = batch.or_else(|| line.strip_prefix("batch ").map(str::to_string));
            said += &format!("{line}\n");
            continue;
        };
        seen += u64::from(aim.is_some_and(|aim| aim.step == step.name));
        if let Some(aim) = aim.filter(|aim| aim.step == step.name && aim.lines == seen) {
            while step.at.elapsed() < aim.spin {
                std::hint::spin_loop();
            }
            // Fine too when it has just ended by itself: its exit code will say so.
            child.kill()?;
        }
        steps.push(step);
    }
    let output = child.wait_with_output()?;
    let end = match (output.status.code(), output.status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(SIGKILL)) if aim.is_some_and(|aim| seen >= aim.lines) => End::Killed,
        _ => bail!("the process died by itself ({}): {said}", output.status),
    };
    let stdout = String::from_utf8(output.stdout)?;
    ensure!(!steps.is_empty() || end == End::Killed, "the process shows no steps: {said}");
    Ok(Launch { steps, batch, said, stdout, end })
}

/// Lines as they come. A thread reads them, so that a process that hangs can be told from one
/// that works.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { break };
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    lines
}
