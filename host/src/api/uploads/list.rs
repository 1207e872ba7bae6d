//! Lists of uploads.

use super::model::{UploadModel, model};
use super::readable;
use crate::api::call::Call;
use crate::api::listing::{Direction, ListRequest, Pagination, Paging, Wanted};
use crate::api::stream::{Asked, Walk, page};
use crate::error::{Code, Result};
use crate::store::catalog::{Bucket, Upload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const LIMIT: u64 = 20;

#[derive(Deserialize, JsonSchema)]
pub(super) struct ListUploads {
    #[serde(flatten)]
    list: ListRequest,
    /// With links to the bytes, valid for an hour.
    return_presigned_urls: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct UploadList {
    results: Vec<UploadModel>,
    pagination: Pagination,
    /// Of all uploads that fit.
    stats: UploadStats,
}

#[derive(Default, Serialize, JsonSchema)]
struct UploadStats {
    total_uploads: u64,
    total_size_bytes: u64,
    uploads_by_status: BTreeMap<String, u64>,
    avg_file_size_bytes: f64,
    unique_buckets: u64,
}

struct OfBucket<'a> {
    call: &'a Call<'a>,
    bucket: &'a Bucket,
}

impl Walk for OfBucket<'_> {
    type Item = Upload;

    fn forth(&self, after: Option<&str>) -> Box<dyn Iterator<Item = Result<Upload>> + '_> {
        Box::new(self.call.control.uploads_of(self.bucket, after))
    }

    fn back(&self, before: Option<&str>) -> Box<dyn Iterator<Item = Result<Upload>> + '_> {
        Box::new(self.call.control.uploads_back(self.bucket, before))
    }

    fn find(&self, id: &str) -> Result<Option<Upload>> {
        match self.call.control.upload(self.bucket, id) {
            Ok(upload) => Ok(Some(upload)),
            Err(error) if error.code() == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn id<'i>(&self, item: &'i Upload) -> &'i str {
        item.id.as_str()
    }

    fn view(&self, item: &Upload) -> Result<Value> {
        Ok(json!(model(self.call.control, item.clone())))
    }

    fn is_searched(&self, field: &str) -> bool {
        ["filename", "metadata"].contains(&field)
    }
}

pub(super) fn list(call: &Call, query: Paging, body: Option<ListUploads>) -> Result<UploadList> {
    let (namespace, bucket) = call.bucket()?;
    let mut wanted = Wanted::new(&query, body.as_ref().map(|body| &body.list))?;
    let asked = |list: &ListRequest| list.limit.is_some() || list.page_size.is_some();
    let limited = query.limit.is_some() || query.page_size.is_some();
    if !limited && !body.as_ref().is_some_and(|body| asked(&body.list)) {
        wanted.limit = LIMIT;
    }
    let mut stats = UploadStats::default();
    let mut tally = |upload: &Upload| {
        let shown = model(call.control, upload.clone());
        stats.total_uploads += 1;
        stats.total_size_bytes += shown.file_size_bytes.unwrap_or(0);
        let state = json!(shown.status).as_str().unwrap_or_default().to_string();
        *stats.uploads_by_status.entry(state).or_insert(0) += 1;
    };
    // The stats are of all of them, so they are counted in any case.
    let asked = Asked { wanted: &wanted, counted: true, direction: Direction::Desc };
    let mut found = page(&OfBucket { call, bucket: &bucket }, &asked, &mut tally)?;
    if stats.total_uploads > 0 {
        stats.avg_file_size_bytes = stats.total_size_bytes as f64 / stats.total_uploads as f64;
        stats.unique_buckets = 1;
    }
    let wants_links = body.and_then(|body| body.return_presigned_urls).unwrap_or(false);
    let results = found
        .items
        .drain(..)
        .map(|upload| readable(call, &namespace, &bucket, upload, wants_links))
        .collect::<Result<_>>()?;
    Ok(UploadList { results, pagination: found.pagination, stats })
}
