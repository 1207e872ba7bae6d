//! Each row is a word, `WHAT` or `WHAT ARGUMENT`; its document tells what that gave.

use quarry_extractor::http::Request;
use quarry_extractor::prelude::*;
use quarry_extractor::{assets, clock, environment, random};
use std::time::Duration;

input! {
    /// What to try.
    pub struct Input<'a> {
        /// `clock`, `random`, `env NAME`, `asset NAME`, `assets` or `http URL`.
        pub text: &'a str,
    }
}

output! {
    /// What it gave.
    pub struct Report<'a> {
        /// In words.
        pub report: &'a str,
    }
}

/// The extractor.
pub struct Capable;

impl Extractor for Capable {
    const NAME: &'static str = "capable";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Tells what each capability gives it.";
    type Input<'a> = Input<'a>;
    type Output<'a> = Report<'a>;
    type Parameters = NoParameters;

    fn new(_: NoParameters) -> Result<Self, String> {
        Ok(Self)
    }

    fn describe(&self, description: &mut Description) {
        for ask in ["http", "clock", "random", "env:QUARRY_PROBE", "env:QUARRY_OTHER", "assets"] {
            description.capability(ask);
        }
    }

    fn extract(&mut self, input: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        let (what, argument) = input.text.split_once(' ').unwrap_or((input.text, ""));
        let report = match what {
            "clock" => clocks(),
            "random" => chance(),
            "env" => environment::get(argument).unwrap_or_else(|| "none".to_owned()),
            "assets" => assets::names().join(" "),
            "asset" => match assets::read_all(argument) {
                Ok(bytes) => format!("{} bytes", bytes.len()),
                Err(error) => error,
            },
            "http" => http(Request::get(argument)),
            "http-slow" => {
                let mut request = Request::get(argument);
                request.timeout = Some(Duration::from_millis(100));
                http(request)
            }
            "http-header" => http(Request::get(argument).header("authorization", "mine")),
            "post" => http(Request::post(argument, "a body")),
            _ => "what?".to_owned(),
        };
        documents.push(Report { report: &report });
        Ok(())
    }
}

fn clocks() -> String {
    let (before, after) = (clock::monotonic(), clock::monotonic());
    let goes = if after >= before { "on" } else { "back" };
    format!("{} and {goes}", clock::now().as_secs())
}

fn chance() -> String {
    let (mut one, mut two) = ([0; 16], [0; 16]);
    random::fill(&mut one);
    random::fill(&mut two);
    if one == two { "the same twice".to_owned() } else { "16 bytes".to_owned() }
}

fn http(request: Request) -> String {
    match request.send() {
        Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
        Err(error) => error.to_string(),
    }
}

quarry_extractor::export!(Capable);
