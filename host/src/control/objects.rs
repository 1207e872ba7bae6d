//! Objects.

use super::{Control, not_found};
use crate::error::Result;
use crate::store::catalog::{Bucket, Object};

fn place(bucket: &Bucket, id: &str) -> String {
    format!("{}/{id}", bucket.id)
}

impl Control {
    /// Oldest first; those after the id `after` where one is given.
    pub fn objects_of<'a>(
        &'a self,
        bucket: &Bucket,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<Object>> + 'a {
        let after = after.map(|id| place(bucket, id));
        self.engine
            .store
            .each::<Object>(&place(bucket, ""), after.as_deref())
            .map(|entry| entry.map(|(_, object)| object))
    }

    pub fn object(&self, bucket: &Bucket, identifier: &str) -> Result<Object> {
        let found = self.engine.store.find(&place(bucket, identifier))?;
        found.ok_or_else(|| not_found("object", identifier))
    }

    pub fn has_object(&self, bucket: &Bucket, identifier: &str) -> Result<bool> {
        Ok(self.engine.store.find::<Object>(&place(bucket, identifier))?.is_some())
    }
}
