//! `quarry admin compact`: writes the state into fresh files and swaps. sled 0.34 never gives back
//! what it once took.

use super::{Home, file};
use crate::error::Result;
use crate::store::{Replaced, Rewrite};
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compacted {
    pub records: u64,
    pub bytes_before: u64,
    pub bytes_after: u64,
}

impl Home {
    pub fn compact(&self) -> Result<Compacted> {
        let store = self.store()?;
        let mut rewrite = Rewrite::begin(&self.state())?;
        for entry in store.entries() {
            let (key, bytes) = entry?;
            rewrite.add(key, bytes)?;
        }
        drop(store);
        let bytes_before = file::size(&self.state())?;
        let records = rewrite.finish(&Replaced::Removed)?;
        Ok(Compacted { records, bytes_before, bytes_after: file::size(&self.state())? })
    }
}
