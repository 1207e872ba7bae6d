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
        self.fetched += other.fetched;
        self.filtered += other.filtered;
        self.missing += other.missing;
        self.submitted += other.submitted;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.documents += other.documents;
    }

    pub fn balances(&self) -> bool {
        self.fetched == self.filtered + self.missing + self.submitted
            && self.submitted == self.succeeded + self.failed + self.skipped
    }
}
