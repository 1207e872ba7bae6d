//! `quarry extractor`: one file a subcommand.

mod build;
mod grants;
mod inspect;
mod list;

use super::Done;
use super::options::GlobalOptions;
use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Command {
    Build(build::Arguments),
    Grant(grants::GrantArguments),
    Grants(grants::ListArguments),
    Inspect(inspect::Arguments),
    List(list::Arguments),
    Revoke(grants::RevokeArguments),
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::Build(arguments) => build::run(options, arguments),
        Command::Grant(arguments) => grants::grant(options, arguments),
        Command::Grants(arguments) => grants::list(options, arguments),
        Command::Inspect(arguments) => inspect::run(options, arguments),
        Command::List(arguments) => list::run(options, arguments),
        Command::Revoke(arguments) => grants::revoke(options, arguments),
    }
}
