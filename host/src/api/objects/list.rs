//! Lists of objects.

use super::model::{Links, Shown, model, view};
use crate::api::call::Call;
use crate::api::listing::{Direction, ListRequest, Pagination, Paging, Wanted};
use crate::api::stream::{Asked, Walk, page};
use crate::error::{Code, Result};
use crate::store::catalog::{Bucket, Object, ObjectStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Always shown.
const IDS: [&str; 2] = ["object_id", "bucket_id"];

#[derive(Deserialize, JsonSchema)]
pub(super) struct ListObjects {
    #[serde(flatten)]
    list: ListRequest,
    include_total: Option<bool>,
    /// Only these fields (dotted paths) and the ids.
    #[schemars(length(max = 100))]
    select: Option<Vec<String>>,
    /// With links to the bytes that are here, valid for an hour.
    return_presigned_urls: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ObjectList {
    results: Vec<Shown>,
    pagination: Pagination,
    /// Of all objects that fit, with include_total.
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<ObjectStats>,
}

#[derive(Serialize, JsonSchema)]
struct ObjectStats {
    total_objects: u64,
    total_blobs: u64,
    avg_blobs_per_object: f64,
    objects_by_status: BTreeMap<String, u64>,
}

/// The objects of a bucket, one after the other.
pub(super) struct Objects<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) bucket: &'a Bucket,
}

impl Walk for Objects<'_> {
    type Item = Object;

    fn forth(&self, after: Option<&str>) -> Box<dyn Iterator<Item = Result<Object>> + '_> {
        Box::new(self.call.control.objects_of(self.bucket, after))
    }

    fn back(&self, before: Option<&str>) -> Box<dyn Iterator<Item = Result<Object>> + '_> {
        Box::new(self.call.control.objects_back(self.bucket, before))
    }

    fn find(&self, id: &str) -> Result<Option<Object>> {
        match self.call.control.object(self.bucket, id) {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.code() == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn id<'i>(&self, item: &'i Object) -> &'i str {
        item.id.as_str()
    }

    fn view(&self, item: &Object) -> Result<Value> {
        view(item)
    }

    fn is_searched(&self, field: &str) -> bool {
        const NOT_SEARCHED: [&str; 6] =
            ["blobs", "bucket_id", "source_details", "status", "created_at", "updated_at"];
        !NOT_SEARCHED.contains(&field)
    }
}

pub(super) fn get(call: &Call, query: Paging) -> Result<ObjectList> {
    listed(call, &query, None)
}

pub(super) fn post(call: &Call, query: Paging, body: Option<ListObjects>) -> Result<ObjectList> {
    listed(call, &query, body)
}

fn listed(call: &Call, query: &Paging, body: Option<ListObjects>) -> Result<ObjectList> {
    let (namespace, bucket) = call.bucket()?;
    let wanted = Wanted::new(query, body.as_ref().map(|body| &body.list))?;
    let in_body = body.as_ref().and_then(|body| body.include_total);
    let counted = query.include_total.or(in_body).unwrap_or(false);
    let asked = Asked { wanted: &wanted, counted, direction: Direction::Asc };
    let (mut objects, mut blobs, mut states) = (0, 0, BTreeMap::new());
    let mut tally = |object: &Object| {
        objects += 1;
        blobs += object.blobs.len() as u64;
        let state = match object.status {
            ObjectStatus::Pending => "PENDING",
            ObjectStatus::Completed => "COMPLETED",
            ObjectStatus::Failed => "FAILED",
        };
        *states.entry(state.to_string()).or_insert(0) += 1;
    };
    let found = page(&Objects { call, bucket: &bucket }, &asked, &mut tally)?;
    let links = Links { call, namespace: &namespace, bucket: &bucket };
    let wants_links = body.as_ref().and_then(|body| body.return_presigned_urls);
    let links = wants_links.unwrap_or(false).then_some(&links);
    let select = body.and_then(|body| body.select);
    let mut results = Vec::new();
    for object in found.items {
        let whole = json!(model(object, links)?);
        results.push(Shown(match &select {
            Some(paths) => selected(&whole, paths),
            None => whole,
        }));
    }
    let stats = counted.then(|| ObjectStats {
        total_objects: objects,
        total_blobs: blobs,
        avg_blobs_per_object: if objects == 0 { 0.0 } else { blobs as f64 / objects as f64 },
        objects_by_status: states,
    });
    Ok(ObjectList { results, pagination: found.pagination, stats })
}

/// The fields of the paths, where they are in the whole. Blobs stay whole: half of one is none.
fn selected(whole: &Value, paths: &[String]) -> Value {
    let mut kept = Map::new();
    for path in IDS.into_iter().chain(paths.iter().map(String::as_str)) {
        let path = match path.split_once('.') {
            Some((head, _)) if head != "metadata" => head,
            _ => path,
        };
        keep(&mut kept, whole, path);
    }
    Value::Object(kept)
}

fn keep(kept: &mut Map<String, Value>, whole: &Value, path: &str) {
    let (head, rest) = match path.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    };
    let Some(value) = whole.get(head) else { return };
    match rest {
        Some(rest) if value.is_object() => {
            let inner = kept.entry(head).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                keep(inner, value, rest);
            }
        }
        _ => {
            kept.insert(head.to_string(), value.clone());
        }
    }
}
