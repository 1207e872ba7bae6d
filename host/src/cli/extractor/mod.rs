//! `quarry extractor`: one file a subcommand.

mod build;
mod inspect;
mod list;
mod new;

use super::Done;
use super::options::GlobalOptions;
use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Command {
    New(new::Arguments),
    Build(build::Arguments),
    Inspect(inspect::Arguments),
    List(list::Arguments),
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::New(arguments) => new::run(options, arguments),
        Command::Build(arguments) => build::run(options, arguments),
        Command::Inspect(arguments) => inspect::run(options, arguments),
        Command::List(arguments) => list::run(options, arguments),
    }
}
