//! What `sdk/README.md` says of publishing works, line by line.

use super::{Site, redact};
use crate::support::oci::OciRegistry;
use crate::support::quarry::root;

#[test]
fn the_guide_s_commands_for_publishing_work_in_their_order() {
    let guide = std::fs::read_to_string(root().join("sdk/README.md")).unwrap();
    let (_, section) = guide.split_once("### Signatures and registries").unwrap();
    let block = section.split("```").nth(1).unwrap().strip_prefix("text\n").unwrap();
    let registry = OciRegistry::start();
    let site = Site::new();
    site.bring("letters.wasm", &redact());
    let commands: Vec<&str> = block.lines().collect();
    assert_eq!(commands.len(), 5);
    for command in commands {
        let key = std::fs::read_to_string(site.0.path("release.pub")).unwrap_or_default();
        let command = command
            .replace("registry.example", &registry.host)
            .replace("ed25519:…", key.trim())
            .replace(":0.1.0", ":1.0.0");
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(words[0], "quarry");
        site.quarry(&words[1..]).ok();
    }
    let listed = site.json(&["extractor", "list"]);
    let pulled = listed.as_array().unwrap().iter().find(|row| row["name"] == "redact-pii").unwrap();
    assert_eq!(pulled["state"], "registered");
}
