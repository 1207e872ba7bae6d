//! `quarry extractor grants`, `grant` and `revoke`.

use super::super::options::GlobalOptions;
use super::super::reach::{Ask, Reach, Server};
use super::super::{DONE, Done, printer};
use crate::error::{Code, Context, Error, Result};
use crate::model::{Credential, Grants, HostPattern, Network};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
#[command(before_help = "Example: quarry extractor grants geocode@1.2.0")]
/// What extractors ask for and were granted; with --audit what was granted, revoked and denied.
pub(in crate::cli) struct ListArguments {
    /// name@version or digest; all that were granted anything if absent
    extractor: Option<String>,
    /// Every grant, revocation and denial, oldest first
    #[arg(long)]
    audit: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
#[command(before_help = "Example: quarry extractor grant geocode@1.2.0 --http https://*.osm.org")]
/// Let an extractor use what it asks for. A grant belongs to one digest: a new build has none.
pub(in crate::cli) struct GrantArguments {
    /// name@version or digest
    extractor: String,
    #[command(flatten)]
    what: What,
    /// Network beside the internet that a granted host may be in, such as 10.1.0.0/16
    #[arg(long = "network", value_name = "CIDR")]
    networks: Vec<Network>,
    /// Header that is added to requests, its whole value from a variable of the host:
    /// `https://api.example.com=authorization:API_TOKEN`
    #[arg(long = "credential", value_name = "HOST=HEADER:VARIABLE", value_parser = credential)]
    credentials: Vec<Credential>,
    /// Limit of its own, such as call_ms_max=60000, up to the operator's ceiling
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_parser = limit)]
    limits: Vec<(String, u64)>,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
#[command(before_help = "Example: quarry extractor revoke geocode@1.2.0 --clock")]
/// Take back what an extractor was granted; everything where nothing is named.
pub(in crate::cli) struct RevokeArguments {
    /// name@version or digest
    extractor: String,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
struct What {
    /// Requests to `https://api.example.com` or `https://*.example.com`; may be repeated
    #[arg(long, value_name = "HOST")]
    http: Vec<HostPattern>,
    /// What time it is
    #[arg(long)]
    clock: bool,
    /// Random bytes
    #[arg(long)]
    random: bool,
    /// A variable of the environment; may be repeated
    #[arg(long = "env", value_name = "NAME")]
    environment: Vec<String>,
    /// The files it was registered with
    #[arg(long)]
    assets: bool,
}

fn credential(text: &str) -> std::result::Result<Credential, String> {
    let parts = text.split_once('=').and_then(|(hosts, rest)| {
        rest.split_once(':').map(|(header, variable)| (hosts, header, variable))
    });
    let (hosts, header, variable) = parts.ok_or("write HOST=HEADER:VARIABLE")?;
    let hosts = hosts.parse().map_err(|error: Error| error.chain())?;
    Ok(Credential { hosts, header: header.to_string(), variable: variable.to_string() })
}

fn limit(text: &str) -> std::result::Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=NUMBER")?;
    Ok((name.to_string(), value.parse().map_err(|_| "write NAME=NUMBER")?))
}

fn path(extractor: &str) -> String {
    format!("/v1/extractors/{extractor}/grants")
}

fn granted(reach: &Reach, extractor: &str) -> Result<Grants> {
    let found = reach.ask(Ask::json("GET", path(extractor), None))?;
    serde_json::from_value(found["grants"].clone())
        .context(Code::Internal, || "the answer is no grant".to_string())
}

pub(super) fn list(options: &GlobalOptions, arguments: &ListArguments) -> Done {
    let reach = arguments.server.reach(options, false)?;
    if arguments.audit {
        let events = reach.ask(Ask::json("GET", "/v1/grant-events", None))?;
        let mut rows = events["results"].as_array().cloned().unwrap_or_default();
        if let Some(wanted) = &arguments.extractor {
            let of = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_string();
            rows.retain(|row| {
                of(row, "feature_extractor_id") == *wanted || of(row, "digest").starts_with(wanted)
            });
        }
        printer::list(options, &rows, &EVENTS);
        return Ok(DONE);
    }
    match &arguments.extractor {
        Some(extractor) => {
            let found = reach.ask(Ask::json("GET", path(extractor), None))?;
            printer::one(options, &found, &GRANTED);
        }
        None => {
            let found = reach.ask(Ask::json("GET", "/v1/grants", None))?;
            let rows = found["results"].as_array().cloned().unwrap_or_default();
            printer::list(options, &rows, &LIST);
        }
    }
    Ok(DONE)
}

pub(super) fn grant(options: &GlobalOptions, arguments: &GrantArguments) -> Done {
    let GrantArguments { extractor, what, networks, credentials, limits, server } = arguments;
    let reach = server.reach(options, true)?;
    let mut grants = granted(&reach, extractor)?;
    add(&mut grants.http, &what.http);
    add(&mut grants.networks, networks);
    add(&mut grants.credentials, credentials);
    grants.clock |= what.clock;
    grants.random |= what.random;
    grants.assets |= what.assets;
    grants.environment.extend(what.environment.iter().cloned());
    grants.limits.extend(limits.iter().cloned());
    put(options, &reach, extractor, &grants)
}

pub(super) fn revoke(options: &GlobalOptions, arguments: &RevokeArguments) -> Done {
    let RevokeArguments { extractor, what, server } = arguments;
    let reach = server.reach(options, false)?;
    let mut grants = granted(&reach, extractor)?;
    let nothing = what.http.is_empty()
        && what.environment.is_empty()
        && !(what.clock || what.random || what.assets);
    if nothing {
        grants = Grants::default();
    }
    grants.http.retain(|hosts| !what.http.contains(hosts));
    let http = grants.http.clone();
    grants.credentials.retain(|one| http.iter().any(|hosts| hosts.covers(&one.hosts)));
    grants.clock &= !what.clock;
    grants.random &= !what.random;
    grants.assets &= !what.assets;
    grants.environment.retain(|name| !what.environment.contains(name));
    put(options, &reach, extractor, &grants)
}

fn put(options: &GlobalOptions, reach: &Reach, extractor: &str, grants: &Grants) -> Done {
    let now = reach.ask(Ask::json("PUT", path(extractor), Some(&json!(grants))))?;
    printer::one(options, &now, &GRANTED);
    Ok(DONE)
}

fn add<T: Clone + PartialEq>(all: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

const GRANTED: [printer::Column; 5] = [
    ("extractor", "/feature_extractor_id"),
    ("digest", "/digest"),
    ("asks for", "/asks"),
    ("not granted", "/missing"),
    ("grants", "/grants"),
];

const LIST: [printer::Column; 4] = [
    ("extractor", "/feature_extractor_id"),
    ("digest", "/digest"),
    ("granted", "/granted_at"),
    ("grants", "/grants"),
];

const EVENTS: [printer::Column; 6] = [
    ("at", "/at"),
    ("event", "/kind"),
    ("extractor", "/feature_extractor_id"),
    ("digest", "/digest"),
    ("denied", "/denied"),
    ("grants", "/grants"),
];
