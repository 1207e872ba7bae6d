//! `quarry batch watch`: follows a batch of a server to its end by its events.

use super::super::options::{GlobalOptions, Output};
use super::super::reach::{Ask, Reach, Server, encoded};
use super::super::{Done, printer};
use super::events::{Event, Events};
use super::remote;
use crate::error::{Code, Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Connections that may fail one after the other; the pauses between come to a minute or two.
const FAILURES_MAX: u32 = 10;
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// Progress is told so often where no terminal is.
const LINE_EVERY: Duration = Duration::from_secs(10);
const END: &str = "end";
const PROGRESS: &str = "progress";

pub(super) fn run(
    options: &GlobalOptions,
    server: &Server,
    id: &str,
    fail_on_errors: bool,
) -> Done {
    let mut shown = Shown::new(options);
    let mut last: Option<String> = None;
    let (mut failures, mut ever) = (0, false);
    let reach = loop {
        let mut heard = false;
        let followed = server.afar(options).and_then(|reach| {
            let ended = follow(&reach, id, &mut last, &mut |event| {
                heard = true;
                shown.tell(event);
            })?;
            Ok((reach, ended))
        });
        // One that told something was there.
        failures = if heard { 0 } else { failures + 1 };
        ever |= heard;
        match followed {
            Ok((reach, true)) => break reach,
            Err(error) if !ever || !passes(&error) || failures >= FAILURES_MAX => {
                shown.clear();
                return Err(error);
            }
            Ok((_, false)) if failures >= FAILURES_MAX => {
                shown.clear();
                let message = format!("the server ended {failures} connections without a word");
                return Err(Error::new(Code::Unavailable, message));
            }
            Ok((_, false)) | Err(_) => {
                shown.note("the connection ended; connecting again");
                std::thread::park_timeout(pause(failures));
            }
        }
    };
    shown.clear();
    let batch = remote::batch(&reach, id)?;
    summary(options, &batch);
    Ok(match batch["status"].as_str().unwrap_or_default() {
        "COMPLETED_WITH_ERRORS" if fail_on_errors => super::super::run::WITH_ROW_ERRORS,
        "COMPLETED" | "COMPLETED_WITH_ERRORS" => super::super::DONE,
        _ => super::super::run::FAILED,
    })
}

/// Whether the same may work later.
fn passes(error: &Error) -> bool {
    matches!(error.code(), Code::Unavailable | Code::TooMany)
}

fn pause(failures: u32) -> Duration {
    (PAUSE_MIN * 2_u32.saturating_pow(failures.min(16))).min(PAUSE_MAX)
}

/// One connection: whether the last event came.
fn follow(
    reach: &Reach,
    id: &str,
    last: &mut Option<String>,
    each: &mut dyn FnMut(&Event),
) -> Result<bool> {
    let ask = Ask {
        method: "GET".to_string(),
        path: format!("/v1/batches/{}/events", encoded(id)),
        content_type: "application/json",
        last_event_id: last.clone(),
        ..Ask::default()
    };
    let mut events = Events::default();
    let mut ended = false;
    reach.follow(ask, &mut |piece| {
        for event in events.take(piece)? {
            if event.id.is_some() {
                last.clone_from(&event.id);
            }
            ended |= event.kind == END;
            each(&event);
        }
        Ok(!ended)
    })?;
    Ok(ended)
}

/// A bar on a terminal, lines elsewhere, JSON lines where they are asked for.
struct Shown<'a> {
    options: &'a GlobalOptions,
    bar: Option<ProgressBar>,
    told: Option<Instant>,
}

impl<'a> Shown<'a> {
    fn new(options: &'a GlobalOptions) -> Shown<'a> {
        let wanted = options.output == Output::Table && !options.quiet;
        let bar = (wanted && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Shown { options, bar, told: None }
    }

    fn tell(&mut self, event: &Event) {
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        if self.options.output != Output::Table {
            let line = json!({ "event": event.kind, "sequence": data["sequence"], "data": data });
            return printer::text(&line.to_string());
        }
        match event.kind.as_str() {
            END => {}
            PROGRESS => self.progress(data["status_message"].as_str().unwrap_or_default()),
            kind => {
                let at = data["timestamp"].as_str().unwrap_or_default();
                self.note(&format!("{at}  {kind}{}", details(&data["data"])));
            }
        }
    }

    fn progress(&mut self, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(message.to_string());
            return bar.tick();
        }
        if self.told.is_none_or(|told| told.elapsed() >= LINE_EVERY) {
            self.told = Some(Instant::now());
            self.note(message);
        }
    }

    fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => printer::note(self.options, line),
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What is short in the data of an event.
fn details(data: &Value) -> String {
    let mut text = String::new();
    for (name, value) in data.as_object().into_iter().flatten() {
        let value = match value {
            Value::Number(number) => number.to_string(),
            Value::String(word) if !name.ends_with("_id") && word.len() <= 72 => word.clone(),
            _ => continue,
        };
        text.push_str(&format!("  {name} {value}"));
    }
    text
}

fn summary(options: &GlobalOptions, batch: &Value) {
    if options.output != Output::Table {
        let line = json!({ "event": "summary", "data": batch });
        return printer::text(&line.to_string());
    }
    let text = |pointer: &str| batch.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if options.quiet {
        return printer::text(text("/status"));
    }
    let mut rows = Vec::new();
    for tier in batch["tier_tasks"].as_array().into_iter().flatten() {
        for job in tier["extractor_jobs"].as_array().into_iter().flatten() {
            rows.push(json!({
                "tier": tier["tier_num"],
                "collection": job["collection_ids"][0],
                "extractor": job["extractor_id"],
                "status": job["status"],
                "documents": job["documents_written"],
            }));
        }
    }
    if !rows.is_empty() {
        printer::list(options, &rows, &COLUMNS);
    }
    let number = |pointer: &str| {
        printer::thousands(batch.pointer(pointer).and_then(Value::as_u64).unwrap_or(0))
    };
    let (status, documents) = (text("/status"), number("/documents_written"));
    let objects = number("/object_count");
    printer::text(&format!("{status}: {documents} documents of {objects} objects"));
    if let Some(error) = batch["error"].as_str() {
        printer::text(&format!("error: {error}"));
    }
    let failed = number("/progress/errors");
    if failed != "0" {
        printer::text(&format!("{failed} rows failed: quarry batch errors {}", text("/batch_id")));
    }
}

const COLUMNS: [printer::Column; 5] = [
    ("tier", "/tier"),
    ("collection", "/collection"),
    ("extractor", "/extractor"),
    ("status", "/status"),
    ("documents", "/documents"),
];
