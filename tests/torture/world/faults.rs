//! The gate that every effect of a simulated process goes through: it counts them, and lets some
//! fail.

use super::super::batch::mix;
use quarry::env::Env;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How an effect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It does not happen; trying again helps.
    Transient,
    /// It happens and the answer is lost; trying again helps.
    Lost,
    /// Half of it happens, where it has halves; trying again helps.
    Torn,
    /// It happens after a minute.
    Slow,
    /// It does not happen, and trying again does not help until somebody mends it.
    Permanent,
    /// No space left, until somebody makes room.
    Full,
}

impl Failure {
    pub(crate) const ALL: [Failure; 6] = [
        Failure::Transient,
        Failure::Lost,
        Failure::Torn,
        Failure::Slow,
        Failure::Permanent,
        Failure::Full,
    ];
}

/// The site of calls of the extractor.
pub(crate) const GUEST: &str = "guest call";

/// What is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Calm,
    /// The process dies at this effect (from 1): before it happens, or after.
    Crash {
        effect: u64,
        after: bool,
    },
    /// This effect fails. What does not pass by itself fails from then on, at the same site, until
    /// it is mended.
    Fail {
        effect: u64,
        failure: Failure,
    },
    /// Of 1,000 effects so many fail, for all reasons that pass; and the process dies at an effect.
    Random {
        seed: u64,
        per_mille: u64,
        crash: Option<u64>,
    },
}

/// What becomes of one effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    Fail(Failure),
    DieBefore,
    DieAfter,
}

pub(crate) struct Faults {
    state: Mutex<State>,
    env: Env,
}

struct State {
    plan: Plan,
    count: u64,
    dead: bool,
    /// Site that fails until it is mended.
    broken: Option<(&'static str, Failure)>,
    /// Tries at the broken site.
    tries: u64,
    sites: Vec<&'static str>,
    /// What somebody does when so many effects were begun.
    later: Option<(u64, Box<dyn FnOnce() + Send>)>,
}

/// Why an effect did not happen or was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Transient,
    Permanent,
    Full,
    Dead,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refusal::Transient => "simulated: out of reach",
            Refusal::Permanent => "simulated: refused",
            Refusal::Full => "simulated: No space left on device",
            Refusal::Dead => "simulated: the process is dead",
        })
    }
}

impl std::error::Error for Refusal {}

impl Faults {
    pub(crate) fn new(env: Env) -> Arc<Faults> {
        let state = State {
            plan: Plan::Calm,
            count: 0,
            dead: false,
            broken: None,
            tries: 0,
            sites: Vec::new(),
            later: None,
        };
        Arc::new(Faults { state: Mutex::new(state), env })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new process, in which that goes wrong.
    pub(crate) fn begin(&self, plan: Plan) {
        let mut state = self.state();
        (state.plan, state.count, state.dead) = (plan, 0, false);
        (state.broken, state.tries, state.later) = (None, 0, None);
        state.sites.clear();
    }

    /// Before the effect after so many more, somebody does that; not where the process ends first.
    pub(crate) fn after(&self, effects: u64, act: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        state.later = Some((state.count + 1 + effects, Box::new(act)));
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// From here on nothing happens any more.
    pub(crate) fn die(&self) {
        self.state().dead = true;
    }

    /// The sites of all effects since [`Faults::begin`].
    pub(crate) fn sites(&self) -> Vec<&'static str> {
        self.state().sites.clone()
    }

    /// Calls that the broken site refused.
    pub(crate) fn tries(&self) -> u64 {
        self.state().tries
    }

    fn enter(&self, site: &'static str) -> Verdict {
        let mut state = self.state();
        if state.dead {
            return Verdict::DieBefore;
        }
        state.count += 1;
        state.sites.push(site);
        let now = state.count;
        if let Some((_, act)) = state.later.take_if(|(effect, _)| *effect == now) {
            act();
        }
        if let Some((broken, failure)) = state.broken
            && broken == site
        {
            state.tries += 1;
            return Verdict::Fail(failure);
        }
        let count = state.count;
        let verdict = match state.plan {
            Plan::Crash { effect, after } if effect == count => match after {
                true => Verdict::DieAfter,
                false => Verdict::DieBefore,
            },
            Plan::Fail { effect, failure } if effect == count => {
                if matches!(failure, Failure::Permanent | Failure::Full) {
                    (state.broken, state.tries) = (Some((site, failure)), 1);
                }
                Verdict::Fail(failure)
            }
            Plan::Random { seed, crash, .. } if crash == Some(count) => {
                match mix(seed ^ count) % 2 {
                    0 => Verdict::DieBefore,
                    _ => Verdict::DieAfter,
                }
            }
            // A guest that fails without a reason would bury rows.
            Plan::Random { seed, per_mille, .. }
                if site != GUEST && mix(seed.wrapping_add(count)) % 1_000 < per_mille =>
            {
                Verdict::Fail(Failure::ALL[(mix(seed ^ (count << 8)) % 4) as usize])
            }
            Plan::Calm | Plan::Crash { .. } | Plan::Fail { .. } | Plan::Random { .. } => {
                Verdict::Go
            }
        };
        state.dead = matches!(verdict, Verdict::DieBefore | Verdict::DieAfter);
        verdict
    }

    /// Whether the effect happens, and what is answered if not.
    pub(crate) fn judge(&self, site: &'static str) -> Judgement {
        match self.enter(site) {
            Verdict::Go => Judgement { happens: Happens::Whole, answer: None },
            Verdict::DieBefore => Judgement { happens: Happens::Not, answer: Some(Refusal::Dead) },
            Verdict::DieAfter => Judgement { happens: Happens::Whole, answer: Some(Refusal::Dead) },
            Verdict::Fail(Failure::Slow) => {
                self.env.pause(Duration::from_secs(60), |_| ());
                Judgement { happens: Happens::Whole, answer: None }
            }
            Verdict::Fail(Failure::Lost) => {
                Judgement { happens: Happens::Whole, answer: Some(Refusal::Transient) }
            }
            Verdict::Fail(Failure::Torn) => {
                Judgement { happens: Happens::Half, answer: Some(Refusal::Transient) }
            }
            Verdict::Fail(Failure::Transient) => {
                Judgement { happens: Happens::Not, answer: Some(Refusal::Transient) }
            }
            Verdict::Fail(Failure::Permanent) => {
                Judgement { happens: Happens::Not, answer: Some(Refusal::Permanent) }
            }
            Verdict::Fail(Failure::Full) => {
                Judgement { happens: Happens::Not, answer: Some(Refusal::Full) }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happens {
    Not,
    Half,
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) happens: Happens,
    pub(crate) answer: Option<Refusal>,
}
