//! Wherever an extractor comes in, the same is asked of it.

use super::{Site, read, rebuilt, redact};
use crate::support::quarry::{Answer, components};
use serde_json::Value;

const UNSIGNED: &str = "redact-pii@1.0.0 is not signed, and signatures are required";

/// A site with a signed component, whose settings require signatures by that key.
fn strict() -> (Site, String) {
    let site = Site::new();
    site.bring("redact.wasm", &redact());
    let key = site.key("own");
    site.json(&["extractor", "sign", "redact.wasm", "--key", "own.key"]);
    let settings = format!("require_signature = true\ntrusted_keys = [\"{key}\"]\n");
    site.0.write("quarry.toml", &settings);
    (site, key)
}

#[test]
fn a_folder_s_extractor_runs_only_with_its_signature_beside_it() {
    let (site, _) = strict();
    std::fs::create_dir(site.0.path("mine")).unwrap();
    site.bring("mine/redact-pii.wasm", &redact());
    let embed = components("QUARRY_EXTRACTORS", "extractors").join("text-embed.wasm");
    site.bring("mine/text-embed.wasm", &read(&embed));
    for name in ["redact-pii", "text-embed"] {
        let refused = site.run(&["--extractors", "mine"]);
        assert_eq!(refused.code, 5, "{}", refused.stderr);
        assert!(refused.stderr.contains(name), "{}", refused.stderr);
        assert!(refused.stderr.contains("signatures are required"), "{}", refused.stderr);
        site.json(&["extractor", "sign", &format!("mine/{name}.wasm"), "--key", "own.key"]);
    }
    let run = site.run(&["--extractors", "mine"]).ok().json();
    assert_eq!(run["batch"]["status"], "COMPLETED");
    // From the environment as well as from the file.
    let mut command = site.command(&["extractor", "verify", "redact.wasm"]);
    command.env("QUARRY_TRUSTED_KEYS", format!("{},{}", site.key("a"), site.key("b")));
    let answer = Answer::from(command.output().unwrap());
    assert_eq!(answer.code, 5, "{}", answer.stderr);
    assert!(answer.stderr.contains("which is not trusted"), "{}", answer.stderr);
}

#[test]
fn what_was_registered_before_signatures_were_required_is_asked_again() {
    let (site, key) = strict();
    std::fs::rename(site.0.path("quarry.toml"), site.0.path("strict.toml")).unwrap();
    std::fs::rename(site.0.path("redact.wasm.sig"), site.0.path("kept.sig")).unwrap();
    site.json(&["extractor", "install", "redact.wasm"]);
    site.run(&[]).ok();
    let strictly = ["--config", "strict.toml", "--force"];
    let refused = site.run(&strictly);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("signatures are required"), "{}", refused.stderr);
    // A signature may come later.
    let install = ["extractor", "install", "redact.wasm", "--signature", "kept.sig"];
    site.json(&install);
    let embed = components("QUARRY_EXTRACTORS", "extractors");
    site.bring("embed.wasm", &read(&embed.join("text-embed.wasm")));
    site.json(&["extractor", "sign", "embed.wasm", "--key", "own.key"]);
    site.json(&["extractor", "install", "embed.wasm"]);
    site.run(&strictly).ok();
    let verified = site.json(&[
        "extractor",
        "verify",
        "redact.wasm",
        "--signature",
        "kept.sig",
        "--trusted-key",
        &key,
    ]);
    assert_eq!(verified["name"], "redact-pii");
}

#[test]
fn installing_needs_a_signature_that_fits() {
    let (site, _) = strict();
    let install = ["extractor", "install", "redact.wasm"];
    let signature = read(&site.0.path("redact.wasm.sig"));
    std::fs::remove_file(site.0.path("redact.wasm.sig")).unwrap();
    site.refused(&install, 5, UNSIGNED);
    let text = String::from_utf8(signature.clone()).unwrap();
    let mut parsed: Value = serde_json::from_str(&text).unwrap();
    let own = parsed["signature"].as_str().unwrap();
    let flipped = own.replacen(&own[..1], if own.starts_with('A') { "B" } else { "A" }, 1);
    parsed["signature"] = flipped.into();
    site.bring("redact.wasm.sig", parsed.to_string().as_bytes());
    site.refused(&install, 5, "is wrong");
    site.bring("redact.wasm.sig", &signature);
    site.bring("again.wasm", &rebuilt(&redact()));
    let other = ["extractor", "install", "again.wasm", "--signature", "redact.wasm.sig"];
    site.refused(&other, 5, "is for another component");
    // A wrong key: it is not trusted here.
    site.key("other");
    site.json(&["extractor", "sign", "redact.wasm", "--key", "other.key"]);
    site.refused(&install, 5, "which is not trusted");
    site.bring("redact.wasm.sig", &signature);
    site.json(&install);
    // A key is not written over, and a component is not signed with what is none.
    site.refused(&["extractor", "key-gen", "own"], 1, "is there already");
    let sign = ["extractor", "sign", "redact.wasm", "--key", "own.pub"];
    site.refused(&sign, 2, "this is no private Ed25519 key in PEM");
}

#[test]
fn a_registered_file_that_was_changed_is_not_run() {
    let (site, _) = strict();
    std::fs::remove_file(site.0.path("quarry.toml")).unwrap();
    let installed = site.json(&["extractor", "install", "redact.wasm"]);
    let digest = installed["digest"].as_str().unwrap();
    let path = site.0.path(&format!("quarry-data/extractors/{digest}.wasm"));
    assert_eq!(read(&path.with_added_extension("sig")), read(&site.0.path("redact.wasm.sig")));
    let mut changed = read(&path);
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(&path, changed).unwrap();
    let answer = site.run(&[]);
    assert_eq!(answer.code, 74, "{}", answer.stderr);
    assert!(answer.stderr.contains("is not what its name says"), "{}", answer.stderr);
}
