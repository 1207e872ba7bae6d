//! Extractors on their way: signed, pushed to registries, pulled from them, and let in or not.

mod assets;
mod entry;
mod guide;
mod packages;
mod real;
mod rest;

use crate::cli::notes;
use crate::support::quarry::{Answer, Bench, binary, components};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const PIPELINE: &str = "namespace = \"r\"\n[buckets.b.schema]\ntext = \"text\"\n\
    [collections.clean]\nsource = \"bucket:b\"\nextractor = \"redact-pii@1.0.0\"\n\
    [collections.found]\nsource = \"collection:clean\"\nextractor = \"text-embed@1.0.0\"\n\
    passthrough = [\"text\"]\n";
const ROWS: [(&str, &str); 3] = [
    ("a", "write to ann@example.org or call +49 30 1234567"),
    ("b", "nothing to hide"),
    ("c", "bob@example.com"),
];

/// A data directory in a folder of its own, which knows no extractor folder but the one beside the
/// binary; `redact-pii` is not there.
struct Site(Bench);

impl Site {
    fn new() -> Site {
        let site = Site(Bench::new());
        site.0.write("p.toml", PIPELINE);
        notes(&site.0, "m.parquet", &ROWS);
        site
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .current_dir(self.0.path(""))
            .args(words)
            .args(["--output", "json"])
            .env("QUARRY_EXTRACTORS", components("QUARRY_EXTRACTORS", "extractors"))
            .env("XDG_CONFIG_HOME", self.0.path("no-settings"))
            .env("DOCKER_CONFIG", self.0.path("docker"))
            .env_remove("REGISTRY_AUTH_FILE")
            .env_remove("XDG_RUNTIME_DIR");
        command
    }

    fn quarry(&self, words: &[&str]) -> Answer {
        self.command(words).output().unwrap().into()
    }

    fn json(&self, words: &[&str]) -> Value {
        self.quarry(words).ok().json()
    }

    /// The command fails with this exit code and says this.
    #[track_caller]
    fn refused(&self, words: &[&str], code: i32, told: &str) {
        let answer = self.quarry(words);
        assert_eq!(answer.code, code, "{}{}", answer.stdout, answer.stderr);
        assert!(answer.stderr.contains(told), "{}", answer.stderr);
    }

    /// A copy of a component in the site's folder.
    fn bring(&self, name: &str, wasm: &[u8]) {
        std::fs::write(self.0.path(name), wasm).unwrap();
    }

    /// A pair of keys in files of this name; the public one.
    fn key(&self, name: &str) -> String {
        let made = self.json(&["extractor", "key-gen", name]);
        made["public_key"].as_str().unwrap().to_string()
    }

    fn run(&self, more: &[&str]) -> Answer {
        self.quarry(&[&["run", "p.toml", "--manifest", "m.parquet"], more].concat())
    }
}

fn redact() -> Vec<u8> {
    read(&components("QUARRY_TEST_GUESTS", "test-guests").join("redact-pii.wasm"))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// The same extractor by name, version and deeds, but another component.
fn rebuilt(wasm: &[u8]) -> Vec<u8> {
    let mut other = wasm.to_vec();
    // A custom section: its id, its length, and a name of two bytes.
    other.extend([0, 3, 2, b'h', b'i']);
    other
}
