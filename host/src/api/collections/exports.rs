//! Exports: the documents of a collection as a file.

use crate::api::call::Call;
use crate::api::operation::{NoQuery, Plainly, Table};
use crate::control::{ExportFormat, ExportOrder};
use crate::error::{Code, Error, Result};
use crate::model::Filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DOCUMENTS_MAX: usize = 1_000_000;

pub(super) fn declare(table: &mut Table) {
    table.post(
        "/v1/collections/{collection_identifier}/export",
        "export_collection",
        "Write a collection's documents to a file in the object store",
        export,
    );
    table.download(
        "/v1/collections/{collection_identifier}/exports/{file}",
        "download_export",
        "Read a file that an export has written",
        "application/octet-stream",
        download,
    );
}

#[derive(Default, Deserialize, JsonSchema)]
struct ExportRequest {
    /// Parquet if absent.
    format: Option<Format>,
    /// As a second file with a document a line.
    include_vectors: Option<bool>,
    /// Columns `lineage_chain` and `document_created_at`.
    include_lineage: Option<bool>,
    /// Dotted paths; all fields if absent.
    #[schemars(length(max = 256))]
    select_fields: Option<Vec<String>>,
    filters: Option<Filter>,
    /// Documents at most.
    #[schemars(range(min = 1, max = DOCUMENTS_MAX))]
    sample_size: Option<usize>,
    /// Only false: media stay where they are.
    include_media: Option<bool>,
    /// Of tar shards, which are not written; taken.
    #[allow(dead_code, reason = "part of the API")]
    #[schemars(range(min = 1, max = 100_000))]
    samples_per_shard: Option<u32>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// One document a line.
    Json,
    Csv,
    Parquet,
    /// Not written here.
    Webdataset,
}

#[derive(Serialize, JsonSchema)]
struct ExportResponse {
    /// Path on this server; it asks for the same key and namespace.
    download_url: String,
    /// Where the file is in the object store.
    s3_path: String,
    format: Format,
    document_count: u64,
    file_size_bytes: u64,
    exported_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vectors_download_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vectors_s3_path: Option<String>,
}

fn export(call: &Call, _: NoQuery, body: Option<ExportRequest>) -> Result<ExportResponse> {
    let (namespace, collection) = call.collection()?;
    let body = body.unwrap_or_default();
    let unsupported = |what: &str, at: &str| {
        let hint = "export json, csv or parquet; documents say where the bytes are";
        Err(Error::new(Code::Unsupported, what).field(at).hint(hint))
    };
    if body.include_media == Some(true) {
        return unsupported("media are not copied into exports", "/include_media");
    }
    let format = body.format.unwrap_or(Format::Parquet);
    let order = ExportOrder {
        format: match format {
            Format::Json => ExportFormat::Json,
            Format::Csv => ExportFormat::Csv,
            Format::Parquet => ExportFormat::Parquet,
            Format::Webdataset => {
                return unsupported("tar shards are not written here", "/format");
            }
        },
        vectors: body.include_vectors.unwrap_or(false),
        lineage: body.include_lineage.unwrap_or(false),
        fields: body.select_fields,
        filter: body.filters,
        limit: body.sample_size.unwrap_or(DOCUMENTS_MAX),
    };
    let exported = call.control.export(&namespace, &collection, &order)?;
    let url = |name: &str| format!("/v1/collections/{}/exports/{name}", collection.id);
    let (vectors_name, vectors_s3_path) = exported.vectors.unzip();
    Ok(ExportResponse {
        download_url: url(&exported.name),
        s3_path: exported.location,
        format,
        document_count: exported.documents,
        file_size_bytes: exported.bytes,
        exported_at: call.control.engine.env.timestamp(),
        vectors_download_url: vectors_name.map(|name| url(&name)),
        vectors_s3_path,
    })
}

fn download(call: &Call, _: NoQuery) -> Result<Plainly> {
    let (namespace, collection) = call.collection()?;
    let bytes = call.control.exported(&namespace, &collection, call.path("file"))?;
    Ok(Plainly::Bytes { content_type: "application/octet-stream".to_string(), bytes })
}
