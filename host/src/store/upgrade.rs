//! Takes a state that an older version of this program wrote to the layout of this one.

use super::{Op, Store, VERSION_KEY};
use crate::error::{Code, Error, Result};
use std::path::Path;

/// From one version to the next: what it returns is committed together with the new number, so a
/// crash leaves the state before or after it.
pub type Upgrade = fn(&Store) -> Result<Vec<Op>>;

/// The n-th leads from version n to n + 1, counted from 1. None is ever removed or changed: a state
/// may be as old as the first release.
pub const UPGRADES: &[Upgrade] = &[];

const FIRST: u32 = 1;

/// The version that these upgrades lead to.
pub(super) fn newest(upgrades: &[Upgrade]) -> u32 {
    FIRST + upgrades.len() as u32
}

pub(super) fn run(store: &Store, directory: &Path, upgrades: &[Upgrade]) -> Result<()> {
    let newest = newest(upgrades);
    let Some(found) = store.get::<u32>(VERSION_KEY)? else {
        return store.commit(vec![Op::put(VERSION_KEY, &newest)?]);
    };
    if !(FIRST..=newest).contains(&found) {
        let message = format!("the state in {} has version {found}", directory.display());
        let hint = format!("this binary reads versions up to {newest}; use the one that wrote it");
        return Err(Error::new(Code::Corrupt, message).hint(hint));
    }
    for (from, upgrade) in (FIRST..).zip(upgrades).skip((found - FIRST) as usize) {
        let mut ops = upgrade(store)?;
        ops.push(Op::put(VERSION_KEY, &(from + 1))?);
        store.commit(ops)?;
        tracing::info!("the state in {} has version {} now", directory.display(), from + 1);
    }
    Ok(())
}
