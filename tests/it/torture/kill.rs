//! Processes that die, for real and as they leave the state behind.

use super::figure;
use super::kinds::kill;

#[test]
fn killed_in_every_step_a_batch_ends_with_the_same_documents() {
    println!("{}", figure(kill::run, &[("kills", 14), ("objects", 200), ("seed", 1)]));
}
