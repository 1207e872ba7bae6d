//! `quarry config`.

use super::options::GlobalOptions;
use super::{DONE, Done, printer};
use crate::config::Config;
use clap::Subcommand;
use serde_json::{Map, Value, json};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show all settings as they count; what is secret is hidden
    #[command(before_help = "Example: quarry config show --origin")]
    Show {
        /// Also where each comes from
        #[arg(long)]
        origin: bool,
    },
    /// Check the settings, without doing anything
    #[command(before_help = "Example: quarry config check --config quarry.toml")]
    Check,
    /// Print the JSON Schema of a file with settings
    #[command(before_help = "Example: quarry config schema > quarry.schema.json")]
    Schema,
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::Show { origin } => show(options, *origin)?,
        Command::Check => {
            options.resolve(Map::new())?;
            let value = json!({ "status": "fine" });
            printer::one(options, &value, &[("settings", "/status")]);
        }
        Command::Schema => printer::text(&format!("{:#}", Config::json_schema())),
    }
    Ok(DONE)
}

fn show(options: &GlobalOptions, origin: bool) -> crate::error::Result<()> {
    let resolved = options.resolve(Map::new())?;
    let Value::Object(shown) = resolved.config.shown() else { return Ok(()) };
    let rows: Vec<Value> = shown
        .iter()
        .map(|(name, value)| {
            let mut row = json!({ "name": name, "value": value });
            if origin {
                let from = resolved.origins.get(name).map(ToString::to_string);
                row["origin"] = json!(from);
            }
            row
        })
        .collect();
    let columns = [("setting", "/name"), ("value", "/value"), ("origin", "/origin")];
    printer::list(options, &rows, if origin { &columns } else { &columns[..2] });
    Ok(())
}
