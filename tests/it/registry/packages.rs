//! Push and pull, and what a registry that lies is caught at.

use super::{Site, read, rebuilt, redact};
use crate::support::oci::OciRegistry;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

/// A registry with the signed `redact-pii@1.0.0`, who put it there, and the public key.
fn published() -> (OciRegistry, Site, String) {
    let registry = OciRegistry::start();
    let author = Site::new();
    author.bring("redact.wasm", &redact());
    let key = author.key("author");
    author.json(&["extractor", "sign", "redact.wasm", "--key", "author.key"]);
    author.json(&["extractor", "push", &repository(&registry), "redact.wasm"]);
    (registry, author, key)
}

fn repository(registry: &OciRegistry) -> String {
    format!("{}/acme/it", registry.host)
}

fn tagged(registry: &OciRegistry) -> String {
    format!("{}/acme/it:1.0.0", registry.host)
}

#[test]
fn what_is_pulled_elsewhere_makes_identical_documents() {
    let (registry, author, _) = published();
    let installed = author.json(&["extractor", "install", "redact.wasm"]);
    assert_eq!(author.run(&[]).ok().json()["batch"]["status"], "COMPLETED");
    let other = Site::new();
    let answer = other.run(&[]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("there is no extractor `redact-pii@1.0.0`"),
        "{}",
        answer.stderr
    );
    let pulled = other.json(&["extractor", "pull", &tagged(&registry)]);
    assert_eq!(pulled["extractor"], "redact-pii@1.0.0");
    assert_eq!((&pulled["digest"], &pulled["signed"]), (&installed["digest"], &json!(true)));
    assert_eq!(other.run(&[]).ok().json()["batch"]["status"], "COMPLETED");
    for collection in ["clean", "found"] {
        let documents = other.0.documents(collection);
        assert_eq!(documents.len(), 3);
        assert_eq!(documents, author.0.documents(collection));
    }
    // Once more changes nothing.
    assert_eq!(other.json(&["extractor", "pull", &tagged(&registry)]), pulled);
}

#[test]
fn a_package_is_pulled_by_its_digest_to_a_file_with_its_signature() {
    let (registry, author, _) = published();
    let pushed = author.json(&["extractor", "push", &tagged(&registry), "redact.wasm"]);
    let pinned = pushed["reference"].as_str().unwrap();
    assert!(pinned.starts_with(&format!("{}@sha256:", repository(&registry))), "{pinned}");
    let other = Site::new();
    let pulled = other.json(&["extractor", "pull", pinned, "--out", "it.wasm"]);
    assert_eq!(pulled, pushed);
    assert_eq!(read(&other.0.path("it.wasm")), redact());
    assert_eq!(read(&other.0.path("it.wasm.sig")), read(&author.0.path("redact.wasm.sig")));
    let nothing = pinned.replace("sha256:", "sha256:0");
    let nothing = &nothing[..nothing.len() - 1];
    other.refused(&["extractor", "pull", nothing], 4, "there is no ");
    let bare = repository(&registry);
    other.refused(&["extractor", "pull", &bare], 2, "names no version");
    other.refused(&["extractor", "pull", &format!("{bare}:9.9.9")], 4, "there is no ");
}

#[test]
fn a_tag_that_moved_to_another_component_is_refused_by_who_knows_the_first() {
    let (registry, author, _) = published();
    let pushed = author.json(&["extractor", "push", &tagged(&registry), "redact.wasm"]);
    let other = Site::new();
    other.json(&["extractor", "pull", &tagged(&registry)]);
    author.bring("again.wasm", &rebuilt(&redact()));
    // The command does not move it.
    let push = ["extractor", "push", &tagged(&registry), "again.wasm"];
    author.refused(&push, 1, "already");
    // The registry's owner can.
    author.json(&["extractor", "push", &format!("{}:latest", repository(&registry)), "again.wasm"]);
    registry.change(|content| {
        let moved = content.manifests["latest"].clone();
        content.manifests.insert("1.0.0".to_string(), moved);
    });
    let pull = ["extractor", "pull", &tagged(&registry)];
    other.refused(&pull, 1, "there is another redact-pii@1.0.0 already");
    // Under its digest is what always was there.
    let pinned = pushed["reference"].as_str().unwrap();
    assert_eq!(other.json(&["extractor", "pull", pinned]), pushed);
    let digest = pinned.split_once('@').unwrap().1.to_string();
    registry.change(|content| {
        let moved = content.manifests["latest"].clone();
        content.manifests.insert(digest, moved);
    });
    other.refused(&["extractor", "pull", pinned], 74, "is not what its digest says");
}

#[test]
fn a_flipped_byte_in_component_or_signature_is_noticed() {
    let (registry, _, key) = published();
    let other = Site::new();
    let trusting = ["extractor", "pull", &tagged(&registry), "--trusted-key", &key];
    let signature = registry.change(|content| {
        let tag = content.manifests.keys().find(|tag| tag.ends_with(".quarry-sig"));
        tag.unwrap().clone()
    });
    registry.flip(&signature, "application/vnd.quarry.signature.v1+json");
    other.refused(&trusting, 74, "is not what its digest says");
    registry.flip(&signature, "application/vnd.quarry.signature.v1+json");
    registry.flip("1.0.0", "application/wasm");
    other.refused(&trusting, 74, "is not what its digest says");
    registry.flip("1.0.0", "application/wasm");
    other.json(&trusting);
}

#[test]
fn where_signatures_are_required_a_pull_needs_one_by_a_trusted_key() {
    let (registry, author, key) = published();
    let other = Site::new();
    let stranger = other.key("stranger");
    let tagged = tagged(&registry);
    let pull = |key: &str| {
        let words = ["extractor", "pull", &tagged, "--require-signature", "--trusted-key", key];
        words.map(str::to_string)
    };
    let words = |key| pull(key);
    let strange = words(&stranger);
    let strange: Vec<&str> = strange.iter().map(String::as_str).collect();
    other.refused(&strange, 5, "which is not trusted");
    let trusting = words(&key);
    let trusting: Vec<&str> = trusting.iter().map(String::as_str).collect();
    // One of another component, in its place.
    author.bring("again.wasm", &rebuilt(&redact()));
    author.json(&["extractor", "sign", "again.wasm", "--key", "author.key"]);
    let foreign = read(&author.0.path("again.wasm.sig"));
    let push = ["extractor", "push", &tagged, "redact.wasm", "--signature", "again.wasm.sig"];
    author.refused(&push, 5, "is for another component");
    let kept = registry.change(|content| {
        let tag = content.manifests.keys().find(|tag| tag.ends_with(".quarry-sig"));
        let tag = tag.unwrap().clone();
        let text = String::from_utf8(content.manifests[&tag].clone()).unwrap();
        let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        let digest = quarry::client::oci::sha256(&foreign);
        manifest["layers"][0]["digest"] = json!(digest);
        manifest["layers"][0]["size"] = json!(foreign.len());
        content.blobs.insert(digest, foreign);
        content.manifests.insert(tag.clone(), manifest.to_string().into_bytes());
        (tag, text)
    });
    other.refused(&trusting, 5, "is for another component");
    // None at all.
    registry.change(|content| content.manifests.remove(&kept.0));
    other.refused(&trusting, 5, "redact-pii@1.0.0 is not signed, and signatures are required");
    registry.change(|content| content.manifests.insert(kept.0, kept.1.into_bytes()));
    assert_eq!(other.json(&trusting)["signed"], true);
}

#[test]
fn a_registry_that_knows_its_users_is_told_who_asks() {
    let (registry, author, _) = published();
    registry.change(|content| content.user = Some(("ann".to_string(), "s3cr3t:x".to_string())));
    let pull = ["extractor", "pull", &tagged(&registry)];
    let answer = author.quarry(&pull);
    assert_eq!(answer.code, 5, "{}", answer.stderr);
    assert!(answer.stderr.contains("docker login"), "{}", answer.stderr);
    std::fs::create_dir(author.0.path("docker")).unwrap();
    let auth = |secret: &str| {
        let auth = BASE64.encode(format!("ann:{secret}"));
        let config = json!({ "auths": { registry.host.clone(): { "auth": auth } } });
        author.0.write("docker/config.json", &config.to_string());
    };
    auth("wrong");
    assert_eq!(author.quarry(&pull).code, 5);
    auth("s3cr3t:x");
    author.json(&pull);
    author.json(&["extractor", "push", &tagged(&registry), "redact.wasm"]);
}

#[test]
fn what_is_no_package_is_refused_before_it_is_fetched() {
    let (registry, author, _) = published();
    let edited = |tag: &str, edit: &dyn Fn(&mut serde_json::Value)| {
        registry.change(|content| {
            let mut manifest = serde_json::from_slice(&content.manifests["1.0.0"]).unwrap();
            edit(&mut manifest);
            content.manifests.insert(tag.to_string(), manifest.to_string().into_bytes());
        });
    };
    edited("huge", &|manifest| manifest["layers"][0]["size"] = json!(1_u64 << 40));
    edited("index", &|manifest| {
        manifest["mediaType"] = json!("application/vnd.oci.image.index.v1+json")
    });
    edited("image", &|manifest| manifest["layers"][0]["mediaType"] = json!("application/x-tar"));
    edited("path", &|manifest| manifest["layers"][0]["digest"] = json!("sha256:../../token"));
    edited("9.9.9", &|_| ());
    registry.change(|content| {
        content.manifests.insert("large".to_string(), vec![b' '; 5 << 20]);
        content.manifests.insert("text".to_string(), b"<html>".to_vec());
    });
    for (tag, code, told) in [
        ("huge", 2, "has more than 67108864 bytes"),
        ("large", 2, "has more than 4194304 bytes"),
        ("index", 2, "this is no manifest of a package"),
        ("text", 2, "this is no manifest of a package"),
        ("image", 1, "is no package of a WebAssembly component"),
        ("path", 2, "is no digest"),
        ("9.9.9", 1, "the tag 9.9.9 is not the version of redact-pii@1.0.0"),
    ] {
        let reference = format!("{}:{tag}", repository(&registry));
        author.refused(&["extractor", "pull", &reference], code, told);
    }
    let gone = "127.0.0.1:1/acme/it:1.0.0";
    author.refused(&["extractor", "pull", gone], 69, "the registry 127.0.0.1:1 does not answer");
}

#[test]
fn a_reference_that_names_nothing_is_refused_with_what_to_write() {
    let site = Site::new();
    for text in [
        "redact",
        "acme/redact:1.0.0",
        "ghcr.io/Acme/redact:1.0.0",
        "ghcr.io/acme/../redact:1.0.0",
        "ghcr.io/acme/redact:1.0.0:2",
        "ghcr.io/acme/redact@sha256:12",
        "user@ghcr.io/acme/redact",
        "https://ghcr.io/acme/redact:1",
    ] {
        let answer = site.quarry(&["extractor", "pull", text]);
        assert_eq!(answer.code, 2, "{text}: {}", answer.stderr);
        assert!(answer.stderr.contains("write "), "{text}: {}", answer.stderr);
    }
}
