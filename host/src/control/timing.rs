//! When schedules come due. Pure: the time is given.

use crate::error::{Error, Result};
use crate::store::catalog::Timing;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Seconds after its time a run is still on time; after that it was missed.
pub const MISSED_AFTER_S: i64 = 60;
/// Seconds of an interval.
pub const INTERVAL_S_MIN: u64 = 60;
pub const INTERVAL_S_MAX: u64 = 366 * 24 * 3600;
/// Missed times that are counted.
const MISSED_MAX: u64 = 1_000;

fn cron(expression: &str) -> Result<Cron> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(expression).map_err(|error| {
        Error::invalid("the cron expression can not be read")
            .field("/cron")
            .hint("minute, hour, day of month, month, day of week: `0 6 * * MON-FRI`")
            .source(error)
    })
}

fn zone(name: &str) -> Result<Tz> {
    name.parse().map_err(|_| {
        Error::invalid(format!("there is no time zone `{name}`"))
            .field("/time_zone")
            .hint("a name of the IANA database: `Europe/Berlin`, `UTC`")
    })
}

fn moment(text: &str) -> Result<DateTime<Utc>> {
    let read = DateTime::parse_from_rfc3339(text);
    read.map(|at| at.to_utc())
        .map_err(|error| Error::internal(format!("`{text}` is not a time")).source(error))
}

/// The first time after `now`; `None` if there is none any more.
///
/// Cron: a fixed time that the clock on the wall leaves out when it is set forward is run once,
/// right after; one that it shows twice when it is set back is run at the first of the two. Steps
/// and wildcards follow what the clock shows: what it leaves out is not run, what it shows twice
/// is.
pub fn next_time(timing: &Timing, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    match timing {
        Timing::Cron { expression, time_zone } => {
            let local = now.with_timezone(&zone(time_zone)?);
            let found = cron(expression)?.find_next_occurrence(&local, false);
            Ok(found.ok().map(|at| at.to_utc()))
        }
        Timing::Interval { seconds, from } => {
            let from = moment(from)?;
            if from > now {
                return Ok(Some(from));
            }
            let seconds = i64::try_from(*seconds).unwrap_or(i64::MAX).max(1);
            let passed = (now - from).num_seconds() / seconds + 1;
            let ahead = TimeDelta::try_seconds(passed.saturating_mul(seconds));
            Ok(ahead.and_then(|ahead| from.checked_add_signed(ahead)))
        }
    }
}

/// How many times there were after `due` up to `now`, `due` itself included; counted up to a limit.
pub(super) fn times_until(timing: &Timing, due: DateTime<Utc>, now: DateTime<Utc>) -> Result<u64> {
    let mut count = 0;
    let mut at = due;
    while at <= now && count < MISSED_MAX {
        count += 1;
        match next_time(timing, at)? {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(count)
}
