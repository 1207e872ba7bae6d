//! The project's chores. Run them through the launcher at the root: `./x help`.

mod bench;
mod cargo;
mod client;
mod demo;
mod guests;
mod host;
mod languages;
mod lint;
mod planted;
mod registry;
mod steps;
mod test;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::tree::Tree;

const HELP: &str = "\
The project's chores: ./x COMMAND

  demo [NAME…]     build everything, then run the examples (all, or those named)
  test [FILTER…]   build everything and run the tests (all, or those whose name contains a filter)
  bench ARG…       build everything, then run the benchmark: ./x bench engine
  torture KIND …   build everything, then break it: ./x torture (lists the kinds)
  planted [NAME…]  plant known bugs in a copy, one by one: `torture sim` has to find each
  client-check     build everything, then call every operation through the public Python client
  fuzz-api ARG…    build everything, then fuzz the API: ./x fuzz-api --cases 10000 --seed 1
  guests           build the extractors: plugins, hostile test guests, examples
  fmt              format the code
  lint             check the format, then clippy
  docs             build the API documentation; a broken link is an error
  help             this text

Environment
  CARGO_TARGET_DIR   where everything built goes (default: target)
  QUARRY_TOOLCHAIN   rustup or debian: use only that family of Rust";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    let (command, rest) = words.split_first().map_or(("help", words), |(c, rest)| (c, rest));
    let takes_arguments =
        matches!(command, "demo" | "test" | "bench" | "torture" | "planted" | "fuzz-api");
    if let (false, Some(word)) = (takes_arguments, rest.first()) {
        bail!("`./x {command}` takes no arguments, but got `{word}`");
    }
    let tree = Tree::find()?;
    match command {
        "demo" => demo::run(&tree, rest),
        "test" => test::run(&tree, rest),
        "bench" => bench::run(&tree, rest),
        "torture" => bench::run(&tree, &[&["torture".to_string()], rest].concat()),
        "planted" => planted::run(&tree, rest),
        "client-check" => client::check_alone(&tree),
        "fuzz-api" => client::fuzz_alone(&tree, rest),
        "guests" => guests::run(&tree),
        "fmt" => lint::format(&tree),
        "lint" => lint::run(&tree),
        "docs" => lint::docs(&tree),
        "help" | "-h" | "--help" => {
            println!("{HELP}");
            Ok(())
        }
        other => bail!("there is no command `{other}`\nhint: ./x help"),
    }
}
