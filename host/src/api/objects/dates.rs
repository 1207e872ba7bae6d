//! Parts of a time, in UTC.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum DateTrunc {
    Year,
    Month,
    /// From Monday on.
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum DatePart {
    Year,
    Month,
    /// ISO 8601.
    Week,
    Day,
    /// 1 is Sunday.
    DayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
}

/// A date, or a date and a time; without a zone it is UTC.
fn parse(value: &Value) -> Option<NaiveDateTime> {
    let text = value.as_str()?;
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.naive_utc());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    date.map(|date| date.and_time(NaiveTime::MIN))
        .or_else(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok())
}

/// Where the unit that a time is in begins; null for what is no time.
pub(super) fn truncated(value: &Value, unit: DateTrunc) -> Value {
    let Some(time) = parse(value) else { return Value::Null };
    let date = time.date();
    let first = |month: u32| NaiveDate::from_ymd_opt(date.year(), month, 1).unwrap_or(date);
    let hour = |minute: u32, second: u32| {
        NaiveTime::from_hms_opt(time.hour(), minute, second).unwrap_or(NaiveTime::MIN)
    };
    let (date, clock) = match unit {
        DateTrunc::Year => (first(1), NaiveTime::MIN),
        DateTrunc::Month => (first(date.month()), NaiveTime::MIN),
        DateTrunc::Week => {
            let days = TimeDelta::days(i64::from(date.weekday().num_days_from_monday()));
            (date.checked_sub_signed(days).unwrap_or(date), NaiveTime::MIN)
        }
        DateTrunc::Day => (date, NaiveTime::MIN),
        DateTrunc::Hour => (date, hour(0, 0)),
        DateTrunc::Minute => (date, hour(time.minute(), 0)),
        DateTrunc::Second => (date, hour(time.minute(), time.second())),
    };
    Value::from(date.and_time(clock).format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

pub(super) fn part(value: &Value, unit: DatePart) -> Value {
    let Some(time) = parse(value) else { return Value::Null };
    Value::from(match unit {
        DatePart::Year => i64::from(time.year()),
        DatePart::Month => i64::from(time.month()),
        DatePart::Week => i64::from(time.iso_week().week()),
        DatePart::Day => i64::from(time.day()),
        DatePart::DayOfWeek => i64::from(time.weekday().number_from_sunday()),
        DatePart::DayOfYear => i64::from(time.ordinal()),
        DatePart::Hour => i64::from(time.hour()),
        DatePart::Minute => i64::from(time.minute()),
        DatePart::Second => i64::from(time.second()),
    })
}
