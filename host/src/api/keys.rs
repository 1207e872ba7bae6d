//! `/v1/keys`.

use super::call::Call;
use super::listing::{Pagination, Paging, Wanted};
use super::operation::{NoQuery, Table};
use crate::control::{MadeKey, NewKey};
use crate::error::{Code, Error, Result};
use crate::model::Scope;
use crate::store::catalog::Key;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long the old secret works after a rotation, if nobody says otherwise.
const GRACE_SECONDS: u64 = 24 * 3600;
const GRACE_SECONDS_MAX: u64 = 30 * 24 * 3600;

pub(super) fn declare(table: &mut Table) {
    table.tag("keys");
    table.post("/v1/keys", "create_key", "Create an API key", create).scope(Scope::Admin).secret();
    table.get("/v1/keys", "list_keys", "List API keys", list).scope(Scope::Admin);
    let one = "/v1/keys/{key_id}";
    table.get(one, "get_key", "Read an API key", get).scope(Scope::Admin);
    table
        .delete(one, "revoke_key", "Revoke an API key: it opens nothing any more", revoke)
        .scope(Scope::Admin);
    table
        .post("/v1/keys/{key_id}/rotate", "rotate_key", "Give a key a new secret", rotate)
        .scope(Scope::Admin)
        .secret();
}

#[derive(Deserialize, JsonSchema)]
struct CreateKey {
    /// For people.
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// What it may do; all but `admin` if absent.
    #[schemars(length(min = 1, max = 4))]
    scopes: Option<Vec<Scope>>,
    /// Id or name of the only namespace that there is for it; all of them if absent.
    #[schemars(length(min = 1))]
    namespace: Option<String>,
    /// ISO 8601; it is refused from then on.
    #[schemars(extend("format" = "date-time"))]
    expires_at: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct RotateKey {
    /// How long the secret before it still works (a day).
    #[schemars(range(max = GRACE_SECONDS_MAX))]
    grace_seconds: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct KeyModel {
    key_id: String,
    name: String,
    scopes: Vec<Scope>,
    /// The only one there is for it.
    namespace_id: Option<String>,
    /// `active`, `expired` or `revoked`
    status: &'static str,
    /// Live secrets: two while it is being rotated.
    secrets: Vec<SecretModel>,
    created_at: String,
    revoked_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct SecretModel {
    created_at: String,
    expires_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct MadeModel {
    key: KeyModel,
    /// Shown this once: `Authorization: Bearer` and this.
    secret: String,
}

#[derive(Serialize, JsonSchema)]
struct KeyList {
    results: Vec<KeyModel>,
    pagination: Pagination,
    total_count: u64,
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn model(call: &Call, key: Key) -> KeyModel {
    let now = call.control.engine.env.timestamp();
    let live = |expires: &Option<String>| expires.as_ref().is_none_or(|at| *at > now);
    let secrets: Vec<SecretModel> = key
        .secrets
        .into_iter()
        .filter(|secret| live(&secret.expires_at))
        .map(|secret| SecretModel { created_at: secret.created_at, expires_at: secret.expires_at })
        .collect();
    let status = match (&key.revoked_at, secrets.is_empty()) {
        (Some(_), _) => "revoked",
        (None, true) => "expired",
        (None, false) => "active",
    };
    KeyModel {
        key_id: key.id.to_string(),
        name: key.name,
        scopes: key.scopes,
        namespace_id: key.namespace.map(|namespace| namespace.to_string()),
        status,
        secrets,
        created_at: key.created_at,
        revoked_at: key.revoked_at,
    }
}

fn made(call: &Call, made: MadeKey) -> MadeModel {
    MadeModel { secret: made.secret, key: model(call, made.key) }
}

/// Whoever is bound to a namespace sees the keys of that one only.
fn visible(call: &Call, key: &Key) -> bool {
    call.caller.namespace.is_none() || call.caller.namespace == key.namespace
}

fn find(call: &Call) -> Result<Key> {
    let id = call.path("key_id");
    let missing = || Error::new(Code::NotFound, format!("there is no key `{id}`"));
    let found = call.control.key(id);
    match found {
        Ok(key) if visible(call, &key) => Ok(key),
        Err(error) if error.code() != Code::NotFound => Err(error),
        _ => Err(missing()),
    }
}

fn create(call: &Call, _: NoQuery, body: CreateKey) -> Result<MadeModel> {
    let namespace = match (&body.namespace, &call.caller.namespace) {
        (Some(named), _) => {
            let found = call.namespace_named(named).map_err(|error| error.field("/namespace"))?;
            Some(found.id)
        }
        (None, own) => own.clone(),
    };
    let expires_at = match &body.expires_at {
        None => None,
        Some(text) => {
            let wrong = |message: &str| Error::invalid(message).field("/expires_at");
            let at = DateTime::parse_from_rfc3339(text).map_err(|_| wrong("not a time"))?.to_utc();
            if at <= call.control.engine.env.now() {
                return Err(wrong("a key can not have expired already"));
            }
            Some(stamp(at))
        }
    };
    let mut scopes = body.scopes.unwrap_or_else(|| vec![Scope::Read, Scope::Write, Scope::Delete]);
    scopes.sort();
    scopes.dedup();
    let new = NewKey { name: body.name, scopes, namespace, expires_at };
    Ok(made(call, call.control.create_key(new)?))
}

fn list(call: &Call, query: Paging) -> Result<KeyList> {
    let mut all = call.control.keys()?;
    all.retain(|key| visible(call, key));
    let all = all.into_iter().map(|key| model(call, key)).collect();
    let listed = Wanted::new(&query, None)?.page(all, |key: &KeyModel| &key.key_id)?;
    Ok(KeyList { results: listed.items, pagination: listed.pagination, total_count: listed.total })
}

fn get(call: &Call, _: NoQuery) -> Result<KeyModel> {
    Ok(model(call, find(call)?))
}

fn revoke(call: &Call, _: NoQuery, (): ()) -> Result<KeyModel> {
    let key = find(call)?;
    Ok(model(call, call.control.revoke_key(key.id.as_str())?))
}

fn rotate(call: &Call, _: NoQuery, body: Option<RotateKey>) -> Result<MadeModel> {
    let key = find(call)?;
    let grace = body.and_then(|body| body.grace_seconds).unwrap_or(GRACE_SECONDS);
    let until = call.control.engine.env.now() + TimeDelta::seconds(grace as i64);
    Ok(made(call, call.control.rotate_key(key.id.as_str(), &stamp(until))?))
}
