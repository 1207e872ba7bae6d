//! When a message is sent again. Pure: clock and chance come from outside.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// Before each attempt, counted from the one before: some 75 hours together.
const PAUSES_S: [u64; 10] =
    [0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];

pub const ATTEMPTS_MAX: u32 = PAUSES_S.len() as u32;

/// A receiver that asks for more is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// Part of a pause that chance takes off or adds.
const JITTER: f64 = 0.1;

/// How long to wait after so many failed attempts; `None`: no more. `chance` is in [0, 1).
pub fn pause(failures: u32, chance: f64, wanted: Option<Duration>) -> Option<Duration> {
    let seconds = *PAUSES_S.get(failures as usize)?;
    let jittered = seconds as f64 * (1.0 - JITTER + 2.0 * JITTER * chance);
    let wanted = wanted.unwrap_or_default().min(RETRY_AFTER_MAX);
    Some(Duration::from_secs_f64(jittered).max(wanted))
}

/// `Retry-After`: seconds or a date.
pub fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    (until.to_utc() - now).to_std().ok()
}

/// Whether an answer says that the receiver has too much to do.
pub fn slows_down(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}
