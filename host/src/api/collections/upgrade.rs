//! Another version of a collection's extractor.

use super::source::roots;
use super::trigger::{Made, Over, there};
use crate::api::call::Call;
use crate::api::operation::{NoQuery, Table};
use crate::control::Place;
use crate::error::{Error, Result};
use crate::model::CollectionId;
use crate::store::catalog::{Collection, Namespace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn declare(table: &mut Table) {
    table.post(
        "/v1/collections/{collection_identifier}/upgrade",
        "upgrade_collection",
        "Make a collection with another version of its extractor",
        upgrade,
    );
}

/// One of `to`, `switch` and `drop_old`.
#[derive(Deserialize, JsonSchema)]
struct UpgradeRequest {
    /// `name@version`; `name@2` is the highest version that begins with `2.`. An older one takes
    /// the collection back.
    #[schemars(length(min = 1, max = 200))]
    to: Option<String>,
    /// Only say what would be done.
    dry_run: Option<bool>,
    /// Where the vectors have another shape: from now on the name means the collection with the new
    /// version. Once more, and it is the old one again.
    switch: Option<bool>,
    /// Delete the collection that the name does not mean any more, with its documents.
    drop_old: Option<bool>,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// Nothing was changed.
    Planned,
    /// New documents take the place of the old ones, one by one.
    InPlace,
    /// New documents go to a collection beside this one.
    Beside,
    Switched,
    Dropped,
}

#[derive(Serialize, JsonSchema)]
struct UpgradeModel {
    /// What the name means now.
    collection_id: String,
    step: Step,
    /// `name@version`.
    from: String,
    to: String,
    /// Whether the new vectors have the shape of the old ones.
    same_shape: bool,
    /// SHA-256 of the new version's component.
    digest: String,
    /// The collection beside this one: the new one before the switch, the old one after it.
    beside: Option<String>,
    /// Names of the collections that are made, the upgraded one first; what they read stays.
    collections: Vec<String>,
    /// That the present ones hold; none is deleted to make room.
    documents: u64,
    /// Over all objects that the collection comes from.
    batch_ids: Vec<String>,
    task_ids: Vec<String>,
}

fn upgrade(call: &Call, _: NoQuery, body: UpgradeRequest) -> Result<UpgradeModel> {
    let (namespace, collection) = call.collection()?;
    match (body.to, body.switch.unwrap_or(false), body.drop_old.unwrap_or(false)) {
        (Some(to), false, false) => {
            begin(call, &namespace, &collection, &to, body.dry_run.unwrap_or(false))
        }
        (None, true, false) => {
            let named = call.control.switch_upgrade(&namespace, &collection)?;
            ended(call, &namespace, &collection, &named, Step::Switched)
        }
        (None, false, true) => {
            let named = call.control.drop_upgraded(&namespace, &collection)?;
            ended(call, &namespace, &collection, &named, Step::Dropped)
        }
        _ => Err(Error::invalid("one of `to`, `switch` and `drop_old` is wanted").field("/to")),
    }
}

fn begin(
    call: &Call,
    namespace: &Namespace,
    collection: &Collection,
    to: &str,
    dry_run: bool,
) -> Result<UpgradeModel> {
    let control = call.control;
    let planned = control.plan_upgrade(namespace, collection, to)?;
    let mut made = Made::default();
    let mut again = planned.again.clone();
    if !dry_run {
        again = control.upgrade(namespace, &planned)?;
        let all = control.collections(namespace)?;
        let ids: Vec<CollectionId> = again.iter().map(|it| it.id.clone()).collect();
        for bucket in there(call, namespace, roots(collection, &all).iter())? {
            let name = format!("upgrade {} to {}", collection.name, planned.to);
            let over = Over { namespace, bucket: &bucket, name, collections: ids.clone() };
            over.all(call, &mut made)?;
        }
    }
    let beside = planned.place == Place::Beside;
    Ok(UpgradeModel {
        collection_id: collection.id.to_string(),
        step: match (dry_run, beside) {
            (true, _) => Step::Planned,
            (false, true) => Step::Beside,
            (false, false) => Step::InPlace,
        },
        from: collection.extractor.to_string(),
        to: planned.to.to_string(),
        same_shape: !beside,
        digest: planned.digest,
        beside: again.first().filter(|_| beside && !dry_run).map(|it| it.name.clone()),
        collections: again.into_iter().map(|it| it.name).collect(),
        documents: planned.documents,
        batch_ids: made.batches,
        task_ids: made.tasks,
    })
}

/// After a switch or its end: `named` has the name now.
fn ended(
    call: &Call,
    namespace: &Namespace,
    before: &Collection,
    named: &Collection,
    step: Step,
) -> Result<UpgradeModel> {
    let beside = named.beside.as_ref();
    let beside = beside.map(|id| call.control.collection(namespace, id.as_str())).transpose()?;
    Ok(UpgradeModel {
        collection_id: named.id.to_string(),
        step,
        from: before.extractor.to_string(),
        to: named.extractor.to_string(),
        same_shape: false,
        digest: named.shape.digest.clone(),
        beside: beside.map(|it| it.name),
        collections: Vec::new(),
        documents: call.control.collection_stats(named)?.documents,
        batch_ids: Vec::new(),
        task_ids: Vec::new(),
    })
}
