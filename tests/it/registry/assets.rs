//! Files that belong to a component go where it goes, and are what it names.

use super::{Site, read, redact};
use crate::support::api::Bed;
use crate::support::oci::OciRegistry;
use crate::support::quarry::components;
use quarry::plugin::{AssetEntry, AssetSource, inspect, with_assets};
use serde_json::json;

const WORDS: &[u8] = b"one\ntwo\nthree\n";

/// A site with `redact.wasm` and two files that it names.
fn packed() -> Site {
    let site = Site::new();
    site.bring("redact.wasm", &redact());
    std::fs::create_dir(site.0.path("redact.assets")).unwrap();
    site.bring("redact.assets/words.txt", WORDS);
    site.bring("redact.assets/table.bin", &vec![7; 100_000]);
    let made = site.json(&["extractor", "pack", "redact.wasm"]);
    let names: Vec<&str> =
        made["assets"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["table.bin", "words.txt"]);
    assert_eq!(made["assets"][1]["media_type"], "text/plain");
    site
}

/// The files of the data directory's store, by their content.
fn stored(site: &Site) -> Vec<Vec<u8>> {
    let folder = site.0.path("quarry-data/extractors/assets");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<Vec<u8>> = entries.map(|entry| read(&entry.unwrap().path())).collect();
    files.sort();
    files
}

#[test]
fn packing_names_files_by_their_digests_and_once_more_changes_nothing() {
    let site = packed();
    let wasm = read(&site.0.path("redact.wasm"));
    let assets = inspect(&wasm).unwrap().assets;
    assert_eq!(assets[1].bytes, WORDS.len() as u64);
    assert_eq!(assets[1].digest, quarry::client::oci::sha256(WORDS));
    site.json(&["extractor", "pack", "redact.wasm"]);
    assert_eq!(read(&site.0.path("redact.wasm")), wasm);
    // Another file makes another component, whose own list is the one that counts.
    site.bring("redact.assets/words.txt", b"four\n");
    site.json(&["extractor", "pack", "redact.wasm"]);
    let again = inspect(&read(&site.0.path("redact.wasm"))).unwrap();
    assert_eq!(again.assets[1].bytes, 5);
    assert_ne!(again.digest, inspect(&wasm).unwrap().digest);
}

#[test]
fn assets_are_installed_pushed_and_pulled_with_their_component() {
    let author = packed();
    author.json(&["extractor", "install", "redact.wasm"]);
    let files = vec![vec![7; 100_000], WORDS.to_vec()];
    assert_eq!(stored(&author), files);
    let registry = OciRegistry::start();
    let tagged = format!("{}/acme/it:1.0.0", registry.host);
    author.json(&["extractor", "push", &tagged, "redact.wasm"]);
    let other = Site::new();
    other.json(&["extractor", "pull", &tagged]);
    assert_eq!(stored(&other), files);
    assert_eq!(other.run(&[]).ok().json()["batch"]["status"], "COMPLETED");
    other.json(&["extractor", "pull", &tagged, "--out", "it.wasm"]);
    assert_eq!(read(&other.0.path("it.assets/words.txt")), WORDS);
    let third = Site::new();
    registry.flip("1.0.0", "text/plain");
    third.refused(&["extractor", "pull", &tagged], 74, "is not what its digest says");
    assert_eq!(stored(&third), [vec![7; 100_000]]);
}

#[test]
fn a_component_without_its_files_is_not_registered() {
    let site = packed();
    site.bring("redact.assets/words.txt", b"others");
    let install = ["extractor", "install", "redact.wasm"];
    site.refused(&install, 74, "is not the file that the component names");
    std::fs::remove_file(site.0.path("redact.assets/words.txt")).unwrap();
    site.refused(&install, 4, "can not read redact.assets/words.txt");
    let told = "the asset `words.txt` of the extractor is missing";
    let bed = Bed::new();
    let mut request = bed.request("POST", "/v1/extractors", None);
    request.body = read(&site.0.path("redact.wasm"));
    let error = bed.send(request.clone()).refused(422);
    assert!(error["message"].as_str().unwrap().starts_with("the asset `table.bin`"), "{error}");
    let mut asset = bed.request("POST", "/v1/extractor-assets", None);
    asset.body = vec![7; 100_000];
    let kept = bed.send(asset.clone()).ok();
    assert_eq!(kept["bytes"], 100_000);
    assert_eq!(bed.send(request.clone()).refused(422)["message"], told);
    asset.body = WORDS.to_vec();
    bed.send(asset).ok();
    let made = bed.send(request).ok();
    let store = bed.app.engine.registry.assets();
    let digest = made["digest"].as_str().unwrap();
    assert_eq!(store.read(digest, "words.txt", 4, 3).unwrap(), "two");
    assert_eq!(store.read(digest, "words.txt", 8, 100).unwrap(), "three\n");
    assert_eq!(store.read(digest, "words.txt", 100, 100).unwrap(), "");
    assert!(store.read(digest, "others.txt", 0, 1).is_err());
    assert_eq!(store.list(digest).unwrap()[1].bytes, WORDS.len() as u64);
    // A file that was changed is not read.
    let path =
        bed.path("data/extractors/assets").join(&store.entries(digest).unwrap()[0].digest[7..]);
    std::fs::write(path, vec![8; 100_000]).unwrap();
    let error = store.read(digest, "table.bin", 0, 1).unwrap_err();
    assert_eq!(error.code(), quarry::error::Code::Corrupt);
}

#[test]
fn assets_beside_a_component_in_a_folder_are_registered_with_it() {
    let site = packed();
    std::fs::create_dir(site.0.path("mine")).unwrap();
    for name in ["redact.wasm", "redact.assets"] {
        std::fs::rename(site.0.path(name), site.0.path("mine").join(name)).unwrap();
    }
    let embed = components("QUARRY_EXTRACTORS", "extractors").join("text-embed.wasm");
    site.bring("mine/text-embed.wasm", &read(&embed));
    let hidden = site.0.path("mine/redact.assets/words.txt");
    std::fs::rename(&hidden, site.0.path("words.txt")).unwrap();
    let answer = site.run(&["--extractors", "mine"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(answer.stderr.contains("the asset `words.txt` of the extractor is missing"));
    std::fs::rename(site.0.path("words.txt"), hidden).unwrap();
    site.run(&["--extractors", "mine"]).ok();
    assert_eq!(stored(&site).len(), 2);
}

#[test]
fn a_list_of_assets_that_lies_is_refused() {
    let good = AssetEntry {
        name: "words.txt".to_string(),
        digest: format!("sha256:{}", "0".repeat(64)),
        bytes: 1,
        media_type: "text/plain".to_string(),
    };
    let wasm = redact();
    let listed = std::slice::from_ref(&good);
    let packed = with_assets(wasm.clone(), listed).unwrap();
    assert_eq!(inspect(&packed).unwrap().assets, listed);
    for bad in [
        AssetEntry { name: "../words".to_string(), ..good.clone() },
        AssetEntry { name: ".hidden".to_string(), ..good.clone() },
        AssetEntry { name: String::new(), ..good.clone() },
        AssetEntry { digest: "sha256:12".to_string(), ..good.clone() },
        AssetEntry { digest: "0".repeat(64), ..good.clone() },
        AssetEntry { bytes: (64 << 20) + 1, ..good.clone() },
        AssetEntry { media_type: "text".to_string(), ..good.clone() },
    ] {
        let error = with_assets(wasm.clone(), &[bad]).unwrap_err();
        assert!(error.to_string().contains("lists its assets wrongly"), "{error}");
    }
    assert!(with_assets(wasm.clone(), &[good.clone(), good.clone()]).is_err());
    let many = (0..65).map(|at| AssetEntry { name: format!("{at}"), ..good.clone() });
    assert!(with_assets(wasm.clone(), &many.collect::<Vec<_>>()).is_err());
    // A section with anything in it.
    let mut forged = wasm;
    let json = json!([{ "name": "x" }]).to_string();
    forged.extend([0, 14 + json.len() as u8, 13]);
    forged.extend(b"quarry:assets");
    forged.extend(json.as_bytes());
    let error = inspect(&forged).unwrap_err();
    assert!(error.to_string().contains("lists its assets wrongly"), "{error}");
}
