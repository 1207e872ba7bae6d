//! What extractors were granted: `/v1/extractors/{extractor}/grants` and lists of all.

use super::check_unbound;
use crate::api::call::Call;
use crate::api::operation::{NoQuery, Table};
use crate::control::Granted;
use crate::error::Result;
use crate::model::{Grants, Scope};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn declare(table: &mut Table) {
    let one = "/v1/extractors/{extractor}/grants";
    table
        .get(one, "get_extractor_grants", "Read what an extractor asks for and has", read)
        .scope(Scope::Admin);
    table
        .put(one, "put_extractor_grants", "Grant an extractor this and nothing else", put)
        .scope(Scope::Admin);
    table
        .delete(one, "delete_extractor_grants", "Take everything back", delete)
        .scope(Scope::Admin);
    table.get("/v1/grants", "list_grants", "List what was granted", list).scope(Scope::Admin);
    table
        .get("/v1/grant-events", "list_grant_events", "What was granted, revoked, denied", events)
        .scope(Scope::Admin);
}

/// What one component asks for and was granted; it belongs to the digest, not to the name.
#[derive(Serialize, JsonSchema)]
struct GrantedModel {
    feature_extractor_id: String,
    digest: String,
    /// What its description asks for.
    asks: Vec<String>,
    grants: Grants,
    /// Of what it asks for.
    missing: Vec<String>,
    granted_at: Option<String>,
}

fn model(granted: Granted) -> GrantedModel {
    GrantedModel {
        missing: granted.missing(),
        feature_extractor_id: granted.extractor.id(),
        asks: granted.extractor.description.capabilities,
        digest: granted.extractor.digest,
        grants: granted.grants,
        granted_at: granted.granted_at,
    }
}

fn read(call: &Call, _: NoQuery) -> Result<GrantedModel> {
    Ok(model(call.control.granted(call.path("extractor"))?))
}

fn put(call: &Call, _: NoQuery, grants: Grants) -> Result<GrantedModel> {
    check_unbound(call)?;
    Ok(model(call.control.grant(call.path("extractor"), grants)?))
}

fn delete(call: &Call, _: NoQuery, (): ()) -> Result<GrantedModel> {
    check_unbound(call)?;
    Ok(model(call.control.grant(call.path("extractor"), Grants::default())?))
}

#[derive(Serialize, JsonSchema)]
struct GrantItem {
    feature_extractor_id: String,
    digest: String,
    grants: Grants,
    granted_at: String,
}

#[derive(Serialize, JsonSchema)]
struct GrantList {
    results: Vec<GrantItem>,
}

fn list(call: &Call, _: NoQuery) -> Result<GrantList> {
    let grants = call.control.grants()?.into_iter().map(|grant| GrantItem {
        feature_extractor_id: format!("{}@{}", grant.name, grant.version),
        digest: grant.digest,
        grants: grant.grants,
        granted_at: grant.granted_at,
    });
    Ok(GrantList { results: grants.collect() })
}

#[derive(Serialize, JsonSchema)]
struct GrantEventItem {
    at: String,
    /// `granted`, `revoked` or `denied`.
    kind: &'static str,
    feature_extractor_id: String,
    digest: String,
    /// What it had from then on.
    grants: Option<Grants>,
    /// What it was denied: the first time in a process.
    denied: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct GrantEventList {
    results: Vec<GrantEventItem>,
}

fn events(call: &Call, _: NoQuery) -> Result<GrantEventList> {
    let events = call.control.grant_events()?.into_iter().map(|event| GrantEventItem {
        at: event.at,
        kind: event.kind.as_str(),
        feature_extractor_id: event.extractor,
        digest: event.digest,
        grants: event.grants,
        denied: event.denied,
    });
    Ok(GrantEventList { results: events.collect() })
}
