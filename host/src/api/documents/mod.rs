//! `/v1/collections/{collection}/documents`.

mod aggregate;
mod lineage;
mod list;
mod media;
mod metric;
mod shown;
mod write;

use super::call::Call;
use super::operation::{NoQuery, Table};
use crate::control::Selection;
use crate::error::{Code, Error, Result};
use crate::model::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shown::{DocumentModel, Shape, Shower, Vectors};

pub(super) fn declare(table: &mut Table) {
    table.tag("documents");
    let all = "/v1/collections/{collection_identifier}/documents";
    table.post(all, "create_document", "Give a document", write::create).bytes_max(16 << 20);
    table.get(all, "list_documents_get", "List documents", list::list_get);
    table.post(
        "/v1/collections/{collection_identifier}/documents/list",
        "list_documents",
        "List documents",
        list::list,
    );
    table.get(
        "/v1/collections/{collection_identifier}/documents/count",
        "count_documents",
        "Count the documents of a collection",
        count,
    );
    let distinct = "/v1/collections/{collection_identifier}/documents/distinct";
    table
        .post(
            distinct,
            "distinct_document_values",
            "Count the values of a field",
            aggregate::distinct,
        )
        .scope(Scope::Read);
    let aggregate = "/v1/collections/{collection_identifier}/documents/aggregate";
    table
        .post(aggregate, "aggregate_documents", "Group documents and compute", aggregate::aggregate)
        .scope(Scope::Read);
    let validate = "/v1/collections/{collection_identifier}/documents/schema/validate";
    table
        .post(validate, "validate_document_schema", "Check a document", media::validate)
        .scope(Scope::Read);
    let batch = "/v1/collections/{collection_identifier}/documents/batch";
    table.post(batch, "batch_update", "Change several documents", write::batch_update);
    table.delete(batch, "batch_delete", "Delete several documents", write::batch_delete);
    let bulk = "/v1/collections/{collection_identifier}/documents/bulk";
    table.patch(bulk, "bulk_update", "Change all documents that match", write::bulk_update);
    let one = "/v1/collections/{collection_identifier}/documents/{document_id}";
    table.get(one, "get_document", "Read a document", get);
    table.patch(one, "patch_document", "Change fields of a document", write::change);
    table.put(one, "update_document", "Change fields of a document", write::change);
    table.delete(one, "delete_document", "Delete a document", write::delete);
    let below = "/v1/collections/{collection_identifier}/documents/{document_id}/ancestors";
    table.get(below, "get_document_ancestors", "What it was made from", lineage::ancestors);
    let below = "/v1/collections/{collection_identifier}/documents/{document_id}/descendants";
    table.get(below, "get_document_descendants", "What was made from it", lineage::descendants);
    let below = "/v1/collections/{collection_identifier}/documents/{document_id}/diagnostics";
    table.get(below, "get_document_diagnostics", "Why it is as it is", lineage::diagnostics);
    let below = "/v1/collections/{collection_identifier}/documents/{document_id}/download";
    table.get(below, "download_document_media", "Where its bytes are", media::download);
    table.download(
        "/v1/collections/{collection_identifier}/documents/{document_id}/blobs/{field}",
        "get_document_blob",
        "Read the bytes of a field",
        "application/octet-stream",
        media::blob,
    );
    let below = "/v1/collections/{collection_identifier}/documents/{document_id}/acl";
    table.patch(below, "update_document_acl", "Not supported", update_acl);
}

#[derive(Deserialize, JsonSchema)]
struct GetQuery {
    return_presigned_urls: Option<bool>,
    return_vectors: Option<bool>,
    /// Names with commas between; `true` for all.
    return_vector_names: Option<String>,
    /// Fields with ids of documents to show as well, with commas between; `children` for those
    /// made from it.
    expand: Option<String>,
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(str::to_string).collect()
}

fn get(call: &Call, query: GetQuery) -> Result<DocumentModel> {
    let (namespace, collection) = call.collection()?;
    let vectors = match query.return_vector_names.as_deref() {
        None | Some("" | "false") => Vectors::new(query.return_vectors, None),
        Some("true") => Vectors::All,
        Some(names) => Vectors::new(None, Some(words(names))),
    };
    let shape = Shape {
        vectors,
        presigned: query.return_presigned_urls.unwrap_or(false),
        select: None,
        expand: query.expand.as_deref().map(words).unwrap_or_default(),
    };
    let id = call.path("document_id");
    let document = call.control.document(&namespace, &collection, id, shape.vectors.wanted())?;
    Shower::new(call, &namespace, shape)?.one(document)
}

#[derive(Serialize, JsonSchema)]
struct DocumentCount {
    collection_id: String,
    count: u64,
}

fn count(call: &Call, _: NoQuery) -> Result<DocumentCount> {
    let (namespace, collection) = call.collection()?;
    let all = Selection::new(&collection, None, None)?;
    let count = call.control.count_documents(&namespace, &all)?;
    Ok(DocumentCount { collection_id: collection.id.to_string(), count })
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "part of the API")]
struct UpdateAcl {
    read: Option<Vec<String>>,
    write: Option<Vec<String>>,
    public: Option<bool>,
}

/// A list of readers that is kept and not enforced would be worse than none: whoever sets it relies
/// on it. Keys are bound to namespaces, which is enforced everywhere.
fn update_acl(call: &Call, _: NoQuery, _: UpdateAcl) -> Result<DocumentModel> {
    let (namespace, collection) = call.collection()?;
    call.control.document(&namespace, &collection, call.path("document_id"), false)?;
    let message = "documents have no access lists: who may read a namespace reads all of it";
    Err(Error::new(Code::Unsupported, message)
        .hint("put what others must not see into another namespace, and bind keys to it"))
}
