//! `/v1/buckets/{bucket}/batches` and `/v1/batches`.

mod again;
mod health;
mod inspect;
mod life;
mod list;
mod model;
mod submit;
mod text;
mod watch;

pub(super) use watch::{END, EVENT_STREAM};

use super::call::Call;
use super::operation::Table;
use crate::control::BatchView;
use crate::error::{Code, Error, Result};
use crate::model::{CollectionId, Scope};
use crate::store::catalog::{Bucket, Namespace};
use model::{BatchModel, Names};

/// A batch can be retried so often, unless the request says less.
pub(super) const RETRIES_MAX: u32 = 10;

pub(super) fn declare(table: &mut Table) {
    table.tag("batches");
    life::declare(table);
    submit::declare(table);
    list::declare(table);
    again::declare(table);
    inspect::declare(table);
    watch::declare(table);
}

fn missing(id: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no batch `{id}`"))
}

/// The batch `{batch_id}`, by id or by its unique name, of the bucket where the path names one.
fn find(call: &Call) -> Result<(Namespace, BatchView)> {
    let id = call.path("batch_id");
    let view = match call.control.batch(id) {
        Ok(view) => view,
        Err(error) if error.code() == Code::NotFound => return Err(missing(id)),
        Err(error) => return Err(error),
    };
    let namespace = call.namespace_of(&view.batch.namespace)?;
    Ok((namespace.ok_or_else(|| missing(id))?, view))
}

fn find_in_bucket(call: &Call) -> Result<(Namespace, Bucket, BatchView)> {
    let (namespace, bucket) = call.bucket()?;
    let (_, view) = find(call)?;
    match view.batch.bucket == bucket.id {
        true => Ok((namespace, bucket, view)),
        false => Err(missing(call.path("batch_id"))),
    }
}

fn shown(call: &Call, namespace: &Namespace, view: &BatchView) -> Result<BatchModel> {
    model::model(call, &Names::of(call, namespace)?, view)
}

/// Ids or names of collections.
fn collections(
    call: &Call,
    namespace: &Namespace,
    given: Option<Vec<String>>,
) -> Result<Option<Vec<CollectionId>>> {
    let Some(given) = given else { return Ok(None) };
    let mut ids = Vec::new();
    for (at, identifier) in given.iter().enumerate() {
        let found = call.control.collection(namespace, identifier);
        ids.push(found.map_err(|error| error.field(format!("/collection_ids/{at}")))?.id);
    }
    Ok(Some(ids))
}

/// `{tier_num}`, of a batch that has it.
fn tier(call: &Call, view: &BatchView) -> Result<usize> {
    let text = call.path("tier_num");
    let tiers = model::plan_of(call, view).map_or(0, |plan| plan.tiers());
    match text.parse::<usize>() {
        Ok(tier) if tier < tiers => Ok(tier),
        _ => Err(Error::new(Code::NotFound, format!("the batch has no tier `{text}`"))
            .hint(format!("it has {tiers}, counted from 0"))),
    }
}

/// Reads through POST need no more than reads.
const READ: Scope = Scope::Read;
