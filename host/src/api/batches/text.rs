//! What a person reads of a batch in one line.

use crate::control::{BatchView, Sight};
use crate::model::BatchStatus;
use chrono::{SecondsFormat, TimeDelta};

/// 46160 as `46,160`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `45s`, `12m`, `4h 57m`, `3d 4h`.
pub(super) fn duration(seconds: f64) -> String {
    let seconds = seconds.clamp(0.0, 1e9).ceil() as u64;
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3_600);
    let minutes = seconds % 3_600 / 60;
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

pub(super) fn percent(processed: u64, total: u64) -> f64 {
    match total {
        0 => 0.0,
        _ => (1000.0 * processed as f64 / total as f64).floor() / 10.0,
    }
}

/// `Processing 21,611/46,160 objects (46.8%) · 1.4 items/sec · ~4h 57m remaining`.
pub(super) fn processing(sight: &Sight) -> String {
    let (processed, total) = (thousands(sight.processed), thousands(sight.total));
    let share = percent(sight.processed, sight.total);
    let mut text = format!("Processing {processed}/{total} objects ({share:.1}%)");
    if let Some(rate) = sight.per_second {
        text.push_str(&format!(" · {rate:.1} items/sec"));
    }
    if let Some(seconds) = sight.eta_seconds {
        text.push_str(&format!(" · ~{} remaining", duration(seconds)));
    }
    if let Some(reason) = &sight.parked {
        text.push_str(&format!(" · waiting: {reason}"));
    }
    text
}

pub(super) fn status(view: &BatchView, sight: Option<&Sight>, objects: u64) -> String {
    let count = thousands(objects);
    let documents: u64 = view.record.as_ref().map_or(0, |record| {
        record.collections.iter().map(|summary| summary.funnel.documents).sum()
    });
    let documents = thousands(documents);
    match view.status() {
        BatchStatus::Draft => format!("Draft with {count} objects"),
        BatchStatus::Queued | BatchStatus::Processing if view.batch.cancel.is_some() => {
            "Being canceled".to_string()
        }
        BatchStatus::Queued => format!("Waiting to process {count} objects"),
        BatchStatus::Processing => match sight {
            Some(sight) => processing(sight),
            None => format!("Waiting to go on with {count} objects"),
        },
        BatchStatus::Completed => format!("Completed {count} objects, {documents} documents"),
        BatchStatus::CompletedWithErrors => {
            let failed: u64 = view
                .record
                .iter()
                .flat_map(|record| &record.collections)
                .map(|summary| summary.funnel.failed)
                .sum();
            let failed = thousands(failed);
            format!("Completed {count} objects, {documents} documents, {failed} rows failed")
        }
        BatchStatus::Failed => format!("Failed: {}", view.error().unwrap_or("unknown")),
        BatchStatus::Canceled => "Canceled".to_string(),
    }
}

/// ISO 8601.
pub(super) fn after(now: chrono::DateTime<chrono::Utc>, seconds: f64) -> Option<String> {
    let milliseconds = (seconds * 1000.0).clamp(0.0, 1e14) as i64;
    let at = now.checked_add_signed(TimeDelta::milliseconds(milliseconds))?;
    Some(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}
