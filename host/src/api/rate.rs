//! How many requests a key may make.

use super::Failed;
use crate::control::Caller;
use crate::error::{Code, Error};
use crate::model::KeyId;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;

/// Keys whose counts are kept before those that have recovered are dropped.
const KEYS_KEPT: usize = 1024;

/// Requests of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub per_second: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

type Limiter =
    RateLimiter<KeyId, DefaultKeyedStateStore<KeyId>, DefaultClock, StateInformationMiddleware>;

/// Whoever works without a key on this machine is not limited.
pub(super) struct Rates(Option<(Rate, Limiter)>);

impl Rates {
    pub(super) fn new(rate: Option<Rate>) -> Rates {
        Rates(rate.map(|rate| {
            let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
            (rate, RateLimiter::keyed(quota).with_middleware())
        }))
    }

    /// Counts a request; headers that say what is left.
    pub(super) fn count(&self, caller: &Caller) -> Result<Vec<(&'static str, String)>, Failed> {
        let (Some((rate, limiter)), Some(key)) = (&self.0, &caller.key) else {
            return Ok(Vec::new());
        };
        if limiter.len() > KEYS_KEPT {
            limiter.retain_recent();
        }
        let (burst, per_second) = (rate.burst, rate.per_second);
        let window = burst.get().div_ceil(per_second.get());
        let policy = ("ratelimit-policy", format!("\"key\";q={burst};w={window}"));
        let headers = |left: u32, seconds: u64| {
            vec![policy, ("ratelimit", format!("\"key\";r={left};t={seconds}"))]
        };
        match limiter.check_key(key) {
            Ok(state) => Ok(headers(state.remaining_burst_capacity(), 1)),
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
                let message = format!("the key may make {per_second} requests a second");
                let hint = format!("try again in {seconds} s");
                let mut failed = Failed::from(Error::new(Code::TooMany, message).hint(hint));
                failed.headers = headers(0, seconds);
                failed.headers.push(("retry-after", seconds.to_string()));
                Err(failed)
            }
        }
    }
}
