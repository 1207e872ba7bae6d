//! `quarry extractor`: one file a subcommand.

mod assets;
mod build;
mod file;
mod inspect;
mod install;
mod key_gen;
mod list;
mod pack;
mod pull;
mod push;
mod remote;
mod sign;
mod verify;

use super::Done;
use super::options::GlobalOptions;
use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Command {
    Build(build::Arguments),
    Inspect(inspect::Arguments),
    Install(install::Arguments),
    KeyGen(key_gen::Arguments),
    List(list::Arguments),
    Pack(pack::Arguments),
    Pull(pull::Arguments),
    Push(push::Arguments),
    Sign(sign::Arguments),
    Verify(verify::Arguments),
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::Build(arguments) => build::run(options, arguments),
        Command::Inspect(arguments) => inspect::run(options, arguments),
        Command::Install(arguments) => install::run(options, arguments),
        Command::KeyGen(arguments) => key_gen::run(options, arguments),
        Command::List(arguments) => list::run(options, arguments),
        Command::Pack(arguments) => pack::run(options, arguments),
        Command::Pull(arguments) => pull::run(options, arguments),
        Command::Push(arguments) => push::run(options, arguments),
        Command::Sign(arguments) => sign::run(options, arguments),
        Command::Verify(arguments) => verify::run(options, arguments),
    }
}
