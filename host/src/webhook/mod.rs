//! Webhooks on the wire: signed messages to addresses that somebody else chose.
//!
//! **Invariant:** nothing is sent to an address that is not public, unless the operator allowed it;
//! the check is made where the connection is made, so a name can not be pointed elsewhere between.

mod client;
mod retry;
mod sign;
mod target;

pub use client::{Answer, Client, Message, Outcome, RESPONSE_BYTES_MAX};
pub use retry::{ATTEMPTS_MAX, pause, retry_after, slows_down};
pub use sign::{SECRET_PREFIX, Secret, shared_signature};
pub use target::{Reach, check};
