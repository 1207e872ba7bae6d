//! `quarry key`.

use super::options::GlobalOptions;
use super::reach::{Ask, Reach, Server};
use super::{DONE, Done, printer};
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key and show its secret, this once; from the first one on keys are asked for
    #[command(before_help = "Example: quarry key create ingest --scope read --scope write")]
    Create {
        /// What it is for
        name: String,
        /// What it may do; all but admin if absent
        #[arg(long = "scope", value_name = "SCOPE")]
        #[arg(value_parser = ["read", "write", "delete", "admin"])]
        scopes: Vec<String>,
        /// The only namespace there is for it
        #[arg(long)]
        namespace: Option<String>,
        /// It is refused from then on, such as 2030-01-01T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// List keys; their secrets are not kept
    #[command(before_help = "Example: quarry key list")]
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Give a key a new secret; the one before it works for a while
    #[command(before_help = "Example: quarry key rotate key_0190… --grace-seconds 3600")]
    Rotate {
        id: String,
        /// How long the old secret still works; a day if absent
        #[arg(long, value_name = "S")]
        grace_seconds: Option<u64>,
        #[command(flatten)]
        server: Server,
    },
    /// Revoke a key: it opens nothing any more
    #[command(before_help = "Example: quarry key revoke key_0190…")]
    Revoke {
        id: String,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::Create { name, scopes, namespace, expires_at, server } => {
            let mut body = json!({ "name": name });
            if !scopes.is_empty() {
                body["scopes"] = json!(scopes);
            }
            if let Some(namespace) = namespace {
                body["namespace"] = json!(namespace);
            }
            if let Some(expires_at) = expires_at {
                body["expires_at"] = json!(expires_at);
            }
            let made = server.reach(options, true)?;
            let made = made.ask(Ask::json("POST", "/v1/keys", Some(&body)))?;
            printer::one(options, &made, &MADE);
        }
        Command::List { server } => list(options, &server.reach(options, false)?)?,
        Command::Rotate { id, grace_seconds, server } => {
            let body = grace_seconds.map(|seconds| json!({ "grace_seconds": seconds }));
            let rotated = server.reach(options, false)?;
            let rotated =
                rotated.ask(Ask::json("POST", format!("/v1/keys/{id}/rotate"), body.as_ref()))?;
            printer::one(options, &rotated, &MADE);
        }
        Command::Revoke { id, server } => {
            let revoked = server.reach(options, false)?;
            let revoked = revoked.ask(Ask::json("DELETE", format!("/v1/keys/{id}"), None))?;
            printer::one(options, &revoked, &LIST);
        }
    }
    Ok(DONE)
}

/// All pages.
fn list(options: &GlobalOptions, reach: &Reach) -> crate::error::Result<()> {
    let mut rows: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let mut page = Ask::json("GET", "/v1/keys", None);
        page.query = format!("limit=1000&cursor={cursor}");
        let page = reach.ask(page)?;
        rows.extend(page["results"].as_array().into_iter().flatten().cloned());
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = next.to_string(),
            None => break,
        }
    }
    printer::list(options, &rows, &LIST);
    Ok(())
}

const MADE: [printer::Column; 5] = [
    ("key", "/key/key_id"),
    ("name", "/key/name"),
    ("scopes", "/key/scopes"),
    ("namespace", "/key/namespace_id"),
    ("secret", "/secret"),
];

const LIST: [printer::Column; 6] = [
    ("key", "/key_id"),
    ("name", "/name"),
    ("status", "/status"),
    ("scopes", "/scopes"),
    ("namespace", "/namespace_id"),
    ("created", "/created_at"),
];
