//! Another version of a collection's extractor, in place.

use super::source::roots;
use super::trigger::{Made, Over, there};
use crate::api::call::Call;
use crate::api::operation::{NoQuery, Table};
use crate::error::Result;
use crate::model::CollectionId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub(super) fn declare(table: &mut Table) {
    table.post(
        "/v1/collections/{collection_identifier}/upgrade",
        "upgrade_collection",
        "Make a collection with another version of its extractor",
        upgrade,
    );
}

#[derive(Deserialize, JsonSchema)]
struct UpgradeRequest {
    /// `name@version`; `name@2` is the highest version that begins with `2.`. An older one takes
    /// the collection back.
    #[schemars(length(min = 1, max = 200))]
    to: String,
    /// Only say what would be done.
    dry_run: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct UpgradeModel {
    collection_id: String,
    /// `name@version`.
    from: String,
    to: String,
    /// SHA-256 of the new version's component.
    digest: String,
    /// Names of the collections that are made again, this one first; what they read stays.
    collections: Vec<String>,
    /// That these hold now; each is written over, none is deleted to make room.
    documents: u64,
    dry_run: bool,
    /// Over all objects that the collection comes from; empty for a dry run.
    batch_ids: Vec<String>,
    task_ids: Vec<String>,
}

fn upgrade(call: &Call, _: NoQuery, body: UpgradeRequest) -> Result<UpgradeModel> {
    let (namespace, collection) = call.collection()?;
    let control = call.control;
    let planned = control.plan_upgrade(&namespace, &collection, &body.to)?;
    let dry_run = body.dry_run.unwrap_or(false);
    let mut made = Made::default();
    if !dry_run {
        control.upgrade(&namespace, &planned)?;
        let all = control.collections(&namespace)?;
        let again: Vec<CollectionId> = planned.again.iter().map(|it| it.id.clone()).collect();
        // What reads the collection may come from other buckets as well: those documents stay.
        let buckets: BTreeSet<String> = roots(&collection, &all).into_iter().collect();
        for bucket in there(call, &namespace, buckets.iter())? {
            let name = format!("upgrade {} to {}", collection.name, planned.to);
            let collections = again.clone();
            let over = Over { namespace: &namespace, bucket: &bucket, name, collections };
            over.all(call, &mut made)?;
        }
    }
    Ok(UpgradeModel {
        collection_id: collection.id.to_string(),
        from: collection.extractor.to_string(),
        to: planned.to.to_string(),
        digest: planned.digest,
        collections: planned.again.into_iter().map(|it| it.name).collect(),
        documents: planned.documents,
        dry_run,
        batch_ids: made.batches,
        task_ids: made.tasks,
    })
}
