//! `quarry collection`.

use super::options::GlobalOptions;
use super::reach::{Ask, Server};
use super::{DONE, Done, printer};
use clap::Subcommand;
use serde_json::json;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a collection with another version of its extractor: documents of unchanged shape are
    /// written over in place, and only this collection and what is made of it runs again
    #[command(before_help = "Example: quarry collection upgrade passages --to text-embed@2")]
    Upgrade {
        /// Name or id
        collection: String,
        /// name@version; name@2 is the highest version that begins with 2
        #[arg(long, value_name = "EXTRACTOR")]
        to: String,
        /// Only show what would be done
        #[arg(long)]
        dry_run: bool,
        /// Name or id; `default` if absent
        #[arg(long)]
        namespace: Option<String>,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    let Command::Upgrade { collection, to, dry_run, namespace, server } = command;
    let words: Vec<String> = collection.bytes().map(escaped).collect();
    let ask = Ask {
        method: "POST".to_string(),
        path: format!("/v1/collections/{}/upgrade", words.concat()),
        namespace: namespace.clone(),
        content_type: "application/json",
        body: json!({ "to": to, "dry_run": dry_run }).to_string().into_bytes(),
        ..Ask::default()
    };
    let done = server.reach(options, false)?.ask(ask)?;
    printer::one(options, &done, &COLUMNS);
    Ok(DONE)
}

fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    }
}

const COLUMNS: [printer::Column; 6] = [
    ("from", "/from"),
    ("to", "/to"),
    ("digest", "/digest"),
    ("made again", "/collections"),
    ("documents", "/documents"),
    ("batches", "/batch_ids"),
];
