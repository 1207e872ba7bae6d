//! Where the rows of a partition, collection or batch went.

use serde::{Deserialize, Serialize};

/// Every row is accounted for: `fetched = filtered + missing + submitted` and
/// `submitted = succeeded + failed + skipped`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// Rows read from the source.
    pub fetched: u64,
    /// Rows that the collection's filter left out.
    pub filtered: u64,
    /// Rows without a required input.
    pub missing: u64,
    /// Rows handed to the extractor.
    pub submitted: u64,
    pub succeeded: u64,
    /// Rows in the dead letters.
    pub failed: u64,
    /// Rows that were not extracted because they were already.
    pub skipped: u64,
    /// Documents written.
    pub documents: u64,
}

impl Funnel {
    pub fn add(&mut self, other: &Funnel) {
        // Records that count too much do not balance; that is for the verdict to say.
        let sum = |own: &mut u64, other: u64| *own = own.saturating_add(other);
        sum(&mut self.fetched, other.fetched);
        sum(&mut self.filtered, other.filtered);
        sum(&mut self.missing, other.missing);
        sum(&mut self.submitted, other.submitted);
        sum(&mut self.succeeded, other.succeeded);
        sum(&mut self.failed, other.failed);
        sum(&mut self.skipped, other.skipped);
        sum(&mut self.documents, other.documents);
    }

    pub fn balances(&self) -> bool {
        let sum = |parts: [u64; 3]| parts.into_iter().try_fold(0, u64::checked_add);
        sum([self.filtered, self.missing, self.submitted]) == Some(self.fetched)
            && sum([self.succeeded, self.failed, self.skipped]) == Some(self.submitted)
    }
}
