//! Small forms of `./x torture`; the full ones take minutes to hours.

#[path = "../torture/mod.rs"]
#[allow(dead_code)]
pub(crate) mod kinds;

use kinds::Torture;
