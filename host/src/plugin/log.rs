//! What a guest logs: bounded, the newest lines kept.

use super::Limits;
use super::state::State;
use std::collections::VecDeque;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

const ERROR: u32 = 1;

pub(super) struct Log {
    lines: VecDeque<String>,
    lines_max: usize,
    line_bytes_max: usize,
    bytes_max: usize,
    /// Of all lines.
    bytes: usize,
    dropped: u64,
    last_was_error: bool,
}

impl Log {
    pub(super) fn new(limits: &Limits) -> Self {
        Log {
            lines: VecDeque::new(),
            lines_max: limits.log_lines_max,
            line_bytes_max: limits.log_line_bytes_max,
            bytes_max: limits.log_bytes_max,
            bytes: 0,
            dropped: 0,
            last_was_error: false,
        }
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.bytes = 0;
        self.dropped = 0;
        self.last_was_error = false;
    }

    fn write(&mut self, level: u32, message: &str) {
        self.last_was_error = level == ERROR;
        let text = clean(message, self.line_bytes_max);
        let line = format!("{}: {text}", level_name(level));
        while self.lines.len() >= self.lines_max
            || self.bytes.saturating_add(line.len()) > self.bytes_max
        {
            self.dropped += 1;
            match self.lines.pop_front() {
                Some(oldest) => self.bytes -= oldest.len(),
                None => return,
            }
        }
        self.bytes += line.len();
        self.lines.push_back(line);
    }

    /// The newest line if the guest logged it as an error.
    pub(super) fn last_error(&self) -> Option<&str> {
        let line = self.lines.back().filter(|_| self.last_was_error)?;
        Some(line.strip_prefix("error: ").unwrap_or(line))
    }

    /// All lines that were kept; the first one says how many were not.
    pub(super) fn take(&mut self) -> Vec<String> {
        self.take_tail(usize::MAX)
    }

    pub(super) fn take_tail(&mut self, lines: usize) -> Vec<String> {
        let skipped = self.lines.len().saturating_sub(lines);
        let dropped = self.dropped + skipped as u64;
        let note = (dropped > 0).then(|| format!("({dropped} earlier lines dropped)"));
        let kept = note.into_iter().chain(self.lines.drain(..).skip(skipped)).collect();
        self.clear();
        kept
    }
}

fn level_name(level: u32) -> &'static str {
    match level {
        ERROR => "error",
        2 => "warn",
        3 => "info",
        4 => "debug",
        _ => "trace",
    }
}

/// At most `bytes_max` bytes of `text`, on one line and without control characters, which could
/// forge lines or talk to the terminal it is shown on.
pub(super) fn clean(text: &str, bytes_max: usize) -> String {
    let kept = &text[..text.floor_char_boundary(bytes_max)];
    let mut cleaned = String::with_capacity(kept.len() + 4);
    for c in kept.trim_end().chars() {
        match c {
            '\n' | '\t' => cleaned.push(' '),
            c if c.is_control() => {}
            c => cleaned.push(c),
        }
    }
    if kept.len() < text.len() {
        cleaned.push('…');
    }
    cleaned
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut log = linker.instance("quarry:extractor/log@0.1.0")?;
    log.func_wrap(
        "write",
        |mut store: StoreContextMut<'_, State>, (level, message): (u32, WasmStr)| {
            store.data_mut().count_call()?;
            let _span = store.data().span();
            // The text lives in the store, so the log steps out of it while it reads.
            let empty = Log::new(&store.data().limits);
            let mut log = std::mem::replace(&mut store.data_mut().log, empty);
            let text = super::state::text(&message, &store)?;
            log.write(level, &text);
            drop(text);
            store.data_mut().log = log;
            Ok(())
        },
    )
}
