//! `quarry extractor`: one file a subcommand.

mod assets;
mod bench;
mod build;
mod check;
mod file;
mod grants;
mod inspect;
mod install;
mod key_gen;
mod list;
mod new;
mod pack;
mod pull;
mod push;
mod remote;
mod replay;
mod run;
mod sign;
mod source;
mod subject;
mod test;
mod verify;
#[doc(hidden)]
pub mod watch;

use super::options::GlobalOptions;
use super::{DONE, Done, printer};
use crate::error::{Code, Context, Result};
use clap::Subcommand;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum Command {
    New(new::Arguments),
    Build(build::Arguments),
    Check(check::Arguments),
    Test(test::Arguments),
    Run(run::Arguments),
    Bench(bench::Arguments),
    Grant(grants::GrantArguments),
    Grants(grants::ListArguments),
    Inspect(inspect::Arguments),
    Replay(replay::Arguments),
    List(list::Arguments),
    Install(install::Arguments),
    Pack(pack::Arguments),
    Push(push::Arguments),
    Pull(pull::Arguments),
    KeyGen(key_gen::Arguments),
    Sign(sign::Arguments),
    Verify(verify::Arguments),
    Revoke(grants::RevokeArguments),
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::New(arguments) => new::run(options, arguments),
        Command::Build(arguments) => build::run(options, arguments),
        Command::Check(arguments) => check::run(options, arguments),
        Command::Test(arguments) => test::run(options, arguments),
        Command::Run(arguments) => run::run(options, arguments),
        Command::Bench(arguments) => bench::run(options, arguments),
        Command::Grant(arguments) => grants::grant(options, arguments),
        Command::Grants(arguments) => grants::list(options, arguments),
        Command::Inspect(arguments) => inspect::run(options, arguments),
        Command::Replay(arguments) => replay::run(options, arguments),
        Command::List(arguments) => list::run(options, arguments),
        Command::Install(arguments) => install::run(options, arguments),
        Command::Pack(arguments) => pack::run(options, arguments),
        Command::Push(arguments) => push::run(options, arguments),
        Command::Pull(arguments) => pull::run(options, arguments),
        Command::KeyGen(arguments) => key_gen::run(options, arguments),
        Command::Sign(arguments) => sign::run(options, arguments),
        Command::Verify(arguments) => verify::run(options, arguments),
        Command::Revoke(arguments) => grants::revoke(options, arguments),
    }
}

/// Does `once`, and with `--watch` again whenever something below `roots` changes.
fn again(
    options: &GlobalOptions,
    watching: bool,
    roots: &watch::Roots,
    once: &mut dyn FnMut() -> Done,
) -> Done {
    if !watching {
        return once();
    }
    watch::forever(roots, &mut |changed| {
        if !changed.is_empty() {
            printer::note(options, &watch::named(changed));
        }
        if let Err(error) = once() {
            printer::report(options, &error);
        }
    });
    Ok(DONE)
}

/// Roots without what this program makes itself below them.
fn roots(options: &GlobalOptions, watched: Vec<PathBuf>, out: &[&Path]) -> Result<watch::Roots> {
    let whole = |path: &Path| {
        std::path::absolute(path)
            .context(Code::Invalid, || format!("{} is not a path", path.display()))
    };
    let watched = watched.iter().map(|path| whole(path)).collect::<Result<_>>()?;
    let mut made = vec![whole(&options.data_dir()?)?];
    for path in out {
        made.push(whole(path)?);
    }
    Ok(watch::Roots { watched, made })
}

/// The files of an extractor that was named: a project folder or a component file.
fn watched(extractor: &str) -> Vec<PathBuf> {
    let path = Path::new(extractor);
    if path.exists() { vec![path.to_path_buf()] } else { Vec::new() }
}
