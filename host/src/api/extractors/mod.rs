//! Extractors: as the client lists them, and `/v1/extractors`, where components come and go.

mod grants;
mod model;

pub(super) use model::{VectorIndex, feature_uri, vector_index};

use super::call::Call;
use super::listing::{Pagination, Paging, Wanted};
use super::operation::{NoQuery, Table};
use crate::error::{Code, Error, Result};
use crate::model::Scope;
use crate::plugin::ASSET_BYTES_MAX;
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{ExtractorModel, Origin, model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// As large as the engine takes a component at most.
const COMPONENT_BYTES_MAX: usize = 64 << 20;

pub(super) fn declare(table: &mut Table) {
    table.tag("extractors");
    // Existing clients show no key here, so none is asked for: what extractors take and give is
    // documentation.
    table
        .get(
            "/v1/collections/features/extractors",
            "list_feature_extractors",
            "List extractors",
            features,
        )
        .public();
    table
        .get(
            "/v1/collections/features/extractors/{feature_extractor_id}",
            "get_feature_extractor_by",
            "Read an extractor",
            feature,
        )
        .public();
    table.get(
        "/v1/namespaces/{namespace_identifier}/extractors",
        "list_extractors_namespaces",
        "List the extractors of a namespace",
        in_namespace,
    );
    table.get(
        "/v1/namespaces/{namespace_identifier}/extractors/{extractor_id}",
        "get_extractor_namespaces",
        "Read an extractor of a namespace",
        one_in_namespace,
    );
    table.get("/v1/extractors", "list_extractors", "List extractors", list);
    table
        .upload(
            Method::POST,
            "/v1/extractors",
            "upload_extractor",
            "Register a WebAssembly component",
            COMPONENT_BYTES_MAX,
            upload,
        )
        .scope(Scope::Admin);
    table
        .upload(
            Method::POST,
            "/v1/extractor-assets",
            "upload_extractor_asset",
            "Keep a file that an extractor will name by its digest",
            ASSET_BYTES_MAX as usize,
            upload_asset,
        )
        .scope(Scope::Admin);
    let one = "/v1/extractors/{extractor}";
    table.get(one, "inspect_extractor", "Read an extractor and its component", inspect);
    table
        .delete(one, "delete_extractor", "Take back an extractor that nothing uses", delete)
        .scope(Scope::Admin);
    grants::declare(table);
}

fn all(call: &Call) -> Result<Vec<ExtractorModel>> {
    Ok(call.control.extractors()?.iter().map(model).collect())
}

fn features(call: &Call, _: NoQuery) -> Result<Vec<ExtractorModel>> {
    all(call)
}

fn feature(call: &Call, _: NoQuery) -> Result<ExtractorModel> {
    Ok(model(&call.control.extractor(call.path("feature_extractor_id"))?))
}

#[derive(Deserialize, JsonSchema)]
struct NamespaceQuery {
    /// Only those of this origin.
    source: Option<Origin>,
    /// Taken: there are no disabled extractors.
    #[allow(dead_code, reason = "part of the API")]
    include_disabled: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct NamespaceExtractors {
    success: bool,
    extractors: Vec<ExtractorModel>,
    total: u64,
    namespace_id: String,
    builtin_count: u64,
    custom_count: u64,
}

fn in_namespace(call: &Call, query: NamespaceQuery) -> Result<NamespaceExtractors> {
    let namespace = call.namespace_named(call.path("namespace_identifier"))?;
    let mut extractors = all(call)?;
    extractors.retain(|found| query.source.is_none_or(|wanted| found.source == wanted));
    let count = |origin| extractors.iter().filter(|found| found.source == origin).count() as u64;
    Ok(NamespaceExtractors {
        success: true,
        total: extractors.len() as u64,
        namespace_id: namespace.id.to_string(),
        builtin_count: count(Origin::Builtin),
        custom_count: count(Origin::Custom),
        extractors,
    })
}

fn one_in_namespace(call: &Call, _: NoQuery) -> Result<ExtractorModel> {
    call.namespace_named(call.path("namespace_identifier"))?;
    Ok(model(&call.control.extractor(call.path("extractor_id"))?))
}

#[derive(Serialize, JsonSchema)]
struct ExtractorList {
    results: Vec<ExtractorModel>,
    total_count: u64,
    pagination: Pagination,
}

fn list(call: &Call, query: Paging) -> Result<ExtractorList> {
    let listed =
        Wanted::new(&query, None)?.page(all(call)?, |found| &found.feature_extractor_id)?;
    Ok(ExtractorList {
        results: listed.items,
        total_count: listed.total,
        pagination: listed.pagination,
    })
}

/// Extractors belong to all namespaces, so a key of one namespace may not bring or take one.
fn check_unbound(call: &Call) -> Result<()> {
    match &call.caller.namespace {
        None => Ok(()),
        Some(_) => Err(Error::new(Code::Forbidden, "the key is bound to a namespace")
            .hint("extractors belong to all namespaces: use a key that is not bound to one")),
    }
}

#[derive(Deserialize, JsonSchema)]
struct UploadQuery {
    /// The component's `.sig` file, in base64 without padding, with `-` and `_` (RFC 4648 §5).
    #[schemars(length(max = 32768))]
    signature: Option<String>,
}

fn upload(call: &Call, query: UploadQuery, wasm: &[u8]) -> Result<ExtractorModel> {
    check_unbound(call)?;
    let decoded = query.signature.map(|text| URL_SAFE_NO_PAD.decode(text)).transpose();
    let signature = decoded.map_err(|error| {
        Error::invalid("the signature is not base64").field("/signature").source(error)
    })?;
    Ok(model(&call.control.add_extractor(wasm, signature.as_deref())?))
}

/// A file that is kept.
#[derive(Serialize, JsonSchema)]
struct KeptAsset {
    /// `sha256:` and 64 hexadecimal digits.
    digest: String,
    bytes: u64,
}

fn upload_asset(call: &Call, _: NoQuery, bytes: &[u8]) -> Result<KeptAsset> {
    check_unbound(call)?;
    let digest = call.control.engine.registry.keep_asset(bytes)?;
    Ok(KeptAsset { digest: format!("sha256:{digest}"), bytes: bytes.len() as u64 })
}

/// An extractor, and what its component is made of.
#[derive(Serialize, JsonSchema)]
struct Inspected {
    #[serde(flatten)]
    extractor: ExtractorModel,
    bytes: u64,
    /// Version of the contract it was built for.
    api: Option<String>,
    imports: Vec<String>,
    exports: Vec<String>,
    /// Bytes of linear memory it expects to need.
    memory_bytes: u64,
}

fn inspect(call: &Call, _: NoQuery) -> Result<Inspected> {
    let known = call.control.extractor(call.path("extractor"))?;
    let inspection = call.control.inspect_extractor(&known)?;
    Ok(Inspected {
        extractor: model(&known),
        bytes: inspection.bytes as u64,
        api: inspection.api,
        imports: inspection.imports,
        exports: inspection.exports,
        memory_bytes: known.description.memory_bytes,
    })
}

/// What was taken back.
#[derive(Serialize, JsonSchema)]
struct Removed {
    success: bool,
    message: String,
    feature_extractor_id: String,
}

fn delete(call: &Call, _: NoQuery, (): ()) -> Result<Removed> {
    check_unbound(call)?;
    let gone = call.control.remove_extractor(call.path("extractor"))?;
    let id = gone.id();
    Ok(Removed {
        success: true,
        message: format!("extractor {id} is not registered any more"),
        feature_extractor_id: id,
    })
}
