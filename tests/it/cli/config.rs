//! Settings: where they come from, what is refused, what is not shown.

use crate::support::quarry::{Answer, Bench};
use serde_json::Value;

fn shown(bench: &Bench, words: &[&str], environment: &[(&str, &str)]) -> Vec<Value> {
    let words = [&["config", "show", "--origin", "--output", "json"], words].concat();
    let mut command = bench.command(&words);
    let answer: Answer = command.envs(environment.iter().copied()).output().unwrap().into();
    answer.ok().json().as_array().unwrap().clone()
}

fn setting<'a>(shown: &'a [Value], name: &str) -> (&'a Value, &'a str) {
    let found = shown.iter().find(|row| row["name"] == name).unwrap();
    (&found["value"], found["origin"].as_str().unwrap())
}

#[test]
fn a_setting_comes_from_the_first_place_that_has_it() {
    let bench = Bench::new();
    let defaults = shown(&bench, &[], &[]);
    assert_eq!(setting(&defaults, "requests_max"), (&64.into(), "default"));
    std::fs::create_dir_all(bench.path("user/quarry")).unwrap();
    bench.write("user/quarry/config.toml", "requests_max = 10\nsink = \"none\"\nworkers = 3\n");
    bench.write("quarry.toml", "requests_max = 20\ncors_origins = [\"https://a.example\"]\n");
    let user = bench.path("user");
    let environment = [
        ("XDG_CONFIG_HOME", user.to_str().unwrap()),
        ("QUARRY_WORKERS", "5"),
        ("QUARRY_KEYS_REQUIRED", "true"),
        ("QUARRY_STORAGE_OPTIONS", "aws_region=eu-1"),
    ];
    let all = shown(&bench, &["--data-dir", "elsewhere"], &environment);
    assert_eq!(setting(&all, "requests_max"), (&20.into(), "quarry.toml"));
    assert!(setting(&all, "sink").1.ends_with("user/quarry/config.toml"));
    assert_eq!(setting(&all, "workers"), (&5.into(), "QUARRY_WORKERS"));
    assert_eq!(setting(&all, "keys_required"), (&true.into(), "QUARRY_KEYS_REQUIRED"));
    assert_eq!(setting(&all, "data_dir"), (&"elsewhere".into(), "flag"));
    assert_eq!(setting(&all, "storage_options").0["aws_region"], "eu-1");
    bench.write("only.toml", "requests_max = 30\n");
    let only = shown(&bench, &["--config", "only.toml"], &environment);
    assert_eq!(setting(&only, "requests_max"), (&30.into(), "only.toml"));
    assert_eq!(setting(&only, "sink"), (&"edge".into(), "default"));
}

#[test]
fn what_is_secret_is_not_shown() {
    let bench = Bench::new();
    bench.write(
        "quarry.toml",
        "sink = \"qdrant://me:s3cr3t@host:6334\"\n\
         artifacts = \"https://host/store?sig=s3cr3t\"\n\
         [storage_options]\naws_secret_access_key = \"s3cr3t\"\naws_region = \"here\"\n",
    );
    let shown = shown(&bench, &[], &[]);
    assert!(!format!("{shown:?}").contains("s3cr3t"), "{shown:?}");
    assert_eq!(setting(&shown, "storage_options").0["aws_region"], "here");
}

#[test]
fn a_wrong_setting_is_refused_with_its_place() {
    let bench = Bench::new();
    let check = |text: &str, place: &str| {
        bench.write("quarry.toml", text);
        let refused = bench.quarry(&["config", "check"]);
        assert_eq!(refused.code, 2, "{}", refused.stdout);
        assert!(refused.stderr.contains(place), "{place}: {}", refused.stderr);
    };
    check("sink = \"none\"\ncolour = \"red\"\n", "quarry.toml:2:1");
    check("requests_max = 0\n", "quarry.toml:1:1");
    check("listen = \"nowhere\"\n", "quarry.toml:1:1");
    check("sink = [\n", "quarry.toml:");
    bench.write("quarry.toml", "sink = \"none\"\n");
    bench.quarry(&["config", "check"]).ok();
    let mut wrong = bench.command(&["config", "check"]);
    let wrong: Answer = wrong.env("QUARRY_INSECURE", "perhaps").output().unwrap().into();
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("QUARRY_INSECURE"), "{}", wrong.stderr);
    assert_eq!(bench.quarry(&["config", "check", "--config", "none.toml"]).code, 4);
}

#[test]
fn the_schema_of_settings_takes_what_is_shown() {
    let bench = Bench::new();
    let schema = bench.quarry(&["config", "schema"]).ok().json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let all: serde_json::Map<String, Value> = shown(&bench, &[], &[])
        .iter()
        .map(|row| (row["name"].as_str().unwrap().to_string(), row["value"].clone()))
        .collect();
    let errors: Vec<String> =
        validator.iter_errors(&Value::Object(all)).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}
