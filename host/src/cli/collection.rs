//! `quarry collection`.

use super::options::GlobalOptions;
use super::reach::{Ask, Server, encoded};
use super::{DONE, Done, printer};
use clap::Subcommand;
use serde_json::json;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a collection with another version of its extractor. Where its vectors keep their shape,
    /// new documents take the place of the old ones; otherwise they go to a collection beside it,
    /// which takes over the name with --switch. Only what is made with the version runs again
    #[command(before_help = "Example: quarry collection upgrade passages --to text-embed@2")]
    Upgrade {
        /// Name or id
        collection: String,
        /// name@version; name@2 is the highest version that begins with 2
        #[arg(long, value_name = "EXTRACTOR", required_unless_present_any = ["switch", "drop_old"])]
        to: Option<String>,
        /// Only show what would be done
        #[arg(long, requires = "to")]
        dry_run: bool,
        /// The name means the collection beside it from now on; once more takes it back
        #[arg(long, conflicts_with = "to")]
        switch: bool,
        /// Delete the collection that the name does not mean any more
        #[arg(long, conflicts_with_all = ["to", "switch"])]
        drop_old: bool,
        /// Name or id; `default` if absent
        #[arg(long)]
        namespace: Option<String>,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    let Command::Upgrade { collection, to, dry_run, switch, drop_old, namespace, server } = command;
    let body = match to {
        Some(to) => json!({ "to": to, "dry_run": dry_run }),
        None => json!({ "switch": switch, "drop_old": drop_old }),
    };
    let path = format!("/v1/collections/{}/upgrade", encoded(collection));
    let ask = Ask { namespace: namespace.clone(), ..Ask::json("POST", path, Some(&body)) };
    let done = server.reach(options, false)?.ask(ask)?;
    printer::one(options, &done, &COLUMNS);
    Ok(DONE)
}

const COLUMNS: [printer::Column; 8] = [
    ("step", "/step"),
    ("from", "/from"),
    ("to", "/to"),
    ("digest", "/digest"),
    ("beside", "/beside"),
    ("made", "/collections"),
    ("documents", "/documents"),
    ("batches", "/batch_ids"),
];
