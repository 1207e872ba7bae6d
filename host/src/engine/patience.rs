//! What is done about failures: which pass by themselves, how long to wait, when a batch parks.

use super::run::Run;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use std::time::Duration;

/// What kind of failure it is, for whoever decides whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Passes by itself: a store or sink out of reach or busy.
    Transient,
    /// Passes when somebody makes room.
    Resource,
    /// The extractor's doing: the row is tried alone, then buried.
    Guest,
    /// Stays until somebody changes something.
    Permanent,
}

impl Class {
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Transient => "transient",
            Class::Resource => "resource",
            Class::Guest => "guest",
            Class::Permanent => "permanent",
        }
    }

    /// Of an effect that failed.
    pub fn of(code: Code) -> Class {
        match code {
            Code::Unavailable | Code::TooMany => Class::Transient,
            Code::StorageFull => Class::Resource,
            Code::Extractor => Class::Guest,
            Code::Invalid
            | Code::NotFound
            | Code::Conflict
            | Code::InUse
            | Code::Corrupt
            | Code::StateFailed
            | Code::Interrupted
            | Code::PreconditionFailed
            | Code::Unauthenticated
            | Code::Forbidden
            | Code::TooLarge
            | Code::Unsupported
            | Code::Internal => Class::Permanent,
        }
    }

    /// Of a dead letter, by its code: what the host could not read may be there the next time.
    pub fn of_dead(code: &str) -> Class {
        match code {
            "input" | "unavailable" => Class::Transient,
            "not_found" | "invalid" | "rejected" => Class::Permanent,
            _ => Class::Guest,
        }
    }
}

/// Longest pause before each next try: full jitter draws from [0, this).
/// Source: Brooker, Exponential Backoff And Jitter (2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub cap: Duration,
}

impl Backoff {
    /// `tried` calls have failed, at least one. `chance` is in [0, 1).
    pub fn pause(&self, tried: u32, chance: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(tried.saturating_sub(1)));
        doubled.min(self.cap).mul_f64(chance)
    }
}

/// How a run meets failures of its object store and its sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub backoff: Backoff,
    /// Failures in a row after which the batch says that it is parked. A full disk says so at once.
    pub tries_until_parked: u32,
    /// Parked for longer than this, the run ends; the batch can be resumed.
    pub limit: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            backoff: Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(30) },
            tries_until_parked: 4,
            limit: Duration::from_secs(600),
        }
    }
}

/// Tries a few times, with pauses: for what somebody waits for, and nothing is lost if it fails.
pub fn retry<T>(
    env: &Env,
    patience: &Patience,
    mut effect: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut tried = 0;
    loop {
        let error = match effect() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        tried += 1;
        if Class::of(error.code()) != Class::Transient || tried >= patience.tries_until_parked {
            return Err(error);
        }
        env.pause(patience.backoff.pause(tried, env.chance()), std::thread::park_timeout);
    }
}

impl Run {
    /// Runs an effect until it succeeds, fails for good, or the run is to end. Every effect may run
    /// twice.
    pub fn patiently<T>(&self, what: &str, mut effect: impl FnMut() -> Result<T>) -> Result<T> {
        let started = self.env.uptime();
        let mut tried = 0;
        let mut parked = false;
        loop {
            let error = match effect() {
                Ok(done) if parked => return self.unpark(what).map(|()| done),
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let class = Class::of(error.code());
            if !matches!(class, Class::Transient | Class::Resource) {
                return Err(error);
            }
            tried += 1;
            if self.stop.draining() {
                let message = format!("interrupted while waiting to {what}");
                return Err(Error::new(Code::Interrupted, message).source(error));
            }
            if self.env.uptime() - started >= self.patience.limit {
                return Err(error);
            }
            if !parked && (class == Class::Resource || tried >= self.patience.tries_until_parked) {
                parked = true;
                self.park(what, &error)?;
            }
            let pause = self.patience.backoff.pause(tried, self.env.chance());
            super::counts::retried(class);
            tracing::debug!(what, tried, ?pause, reason = error.chain(), "trying again");
            self.env.pause(pause, |pause| self.stop.wait(pause));
        }
    }

    /// The same for the last effects of a batch: that it was canceled does not hold them up, and
    /// they are tried a few times.
    pub(super) fn to_the_end<T>(&self, what: &str, effect: impl FnMut() -> Result<T>) -> Result<T> {
        match self.stop.canceled() {
            true => retry(&self.env, &self.patience, effect),
            false => self.patiently(what, effect),
        }
    }
}
