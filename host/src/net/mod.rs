//! Connections to where somebody else chose: by webhooks, and by extractors.
//!
//! **Invariant:** the address is checked where the connection is made, so a name can not be pointed
//! elsewhere between a check and its use.

mod address;
mod fetch;
mod guard;

pub use address::is_public;
pub use fetch::{Fetch, Fetched, Fetcher, Unfetched};
pub use guard::{Guard, Lookup};

/// An error with what caused it, where that says more, in so many bytes at most.
pub fn chain(error: &dyn std::error::Error, bytes_max: usize) -> String {
    let mut text = crate::error::chain(error);
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}
