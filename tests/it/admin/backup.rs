//! A backup holds everything or is refused, and nothing changes before all of it was checked.

use super::{entries, files, home, settings, small_batch, small_batch_in};
use crate::support::quarry::Bench;
use quarry::admin::{Backup, Home, Restore};
use quarry::error::Code;
use quarry::store::{Op, Store};
use std::path::Path;

const DATA: &str = "quarry-data";

fn back_up(data: &Path, to: &Path) -> quarry::admin::Copied {
    home(data).back_up(&Backup { to: to.to_path_buf(), all: true }).unwrap()
}

#[test]
fn everything_comes_back_in_another_data_directory() {
    let bench = Bench::new();
    let run = small_batch(&bench);
    let copied = bench.json(&["admin", "backup", "-o", "all.tar", "--all"]);
    assert_eq!(copied["batches"], 1);
    assert_eq!(copied["omitted"], serde_json::json!([]));
    assert_eq!(std::fs::metadata(bench.path("all.tar")).unwrap().len(), copied["bytes"]);
    let expected = bench.documents("notes");
    let other = ["--data-dir", "elsewhere/data"];
    let restored = bench.json(&[&["admin", "restore", "all.tar"], &other[..]].concat());
    assert_eq!(restored["records"], copied["records"]);
    std::fs::remove_dir_all(bench.path(DATA)).unwrap();
    let findings = bench.json(&[&["admin", "verify", "--deep"], &other[..]].concat());
    assert_eq!(findings, serde_json::json!([]));
    std::fs::rename(bench.path("elsewhere/data"), bench.path(DATA)).unwrap();
    assert_eq!(bench.documents("notes"), expected);
    let batches = bench.json(&["batch", "list"]);
    assert_eq!(batches[0]["id"], run["batch"]["id"]);
}

#[test]
fn a_backup_of_the_state_says_what_is_not_in_it() {
    let bench = Bench::new();
    small_batch(&bench);
    std::fs::create_dir(bench.path("backups")).unwrap();
    let answer = bench.quarry(&["admin", "backup", "-o", "backups", "--output", "json"]).ok();
    assert_eq!(answer.json()["omitted"], serde_json::json!(["objects/", "vectors/"]));
    assert!(answer.stderr.contains("not in the backup: objects/, vectors/"), "{}", answer.stderr);
    let file = answer.json()["file"].as_str().unwrap().to_string();
    assert!(file.contains("backups/quarry-2") && file.ends_with("Z.tar"), "{file}");
    let before = entries(&bench.path(DATA));
    std::fs::remove_dir_all(bench.path("quarry-data/state")).unwrap();
    bench.json(&["admin", "restore", &file]);
    assert_eq!(entries(&bench.path(DATA)), before);
    assert_eq!(bench.json(&["admin", "verify", "--deep"]), serde_json::json!([]));
}

#[test]
fn tar_can_list_a_backup() {
    let bench = Bench::new();
    small_batch(&bench);
    // Longer than the hundred bytes that a plain tar header has for a name.
    let long = format!("objects/{}/{}", "n".repeat(60), "f".repeat(60));
    let path = bench.path(DATA).join(&long);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "long").unwrap();
    back_up(&bench.path(DATA), &bench.path("b.tar"));
    let tar = |words: &[&str]| {
        let output = std::process::Command::new("tar")
            .args(words)
            .current_dir(bench.path("."))
            .output()
            .expect("tar is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = tar(&["tf", "b.tar"]);
    let names: Vec<&str> = listed.lines().collect();
    assert_eq!(names[..2], ["backup.json", "state.ndjson"]);
    assert_eq!(names.last(), Some(&"manifest.json"));
    assert!(names.contains(&long.as_str()), "{listed}");
    let state = tar(&["xOf", "b.tar", "state.ndjson"]);
    assert!(state.lines().any(|line| line.contains("\"meta/version\"")), "{state}");
    home(&bench.path("other")).restore(&restore(&bench.path("b.tar"), false)).unwrap();
    assert_eq!(std::fs::read(bench.path("other").join(long)).unwrap(), b"long");
}

fn restore(from: &Path, force: bool) -> Restore {
    Restore { from: from.to_path_buf(), force }
}

#[test]
fn a_state_that_is_there_is_refused_or_set_aside() {
    let bench = Bench::new();
    small_batch(&bench);
    back_up(&bench.path(DATA), &bench.path("b.tar"));
    let before = entries(&bench.path(DATA));
    let refused = bench.quarry(&["admin", "restore", "b.tar"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(entries(&bench.path(DATA)), before);
    let restored = bench.json(&["admin", "restore", "b.tar", "--force"]);
    let kept = restored["kept"].as_array().unwrap();
    assert_eq!(kept.len(), 3, "state, objects and vectors: {kept:?}");
    for path in kept {
        let path = Path::new(path.as_str().unwrap());
        assert!(path.is_dir() && path.to_str().unwrap().contains(".replaced-"), "{path:?}");
    }
    assert_eq!(entries(&bench.path(DATA)), before);
    assert_eq!(bench.json(&["admin", "verify", "--deep"]), serde_json::json!([]));
    // A state that can not even be opened is set aside as well.
    std::fs::write(bench.path("quarry-data/state/db"), "rubbish").unwrap();
    bench.json(&["admin", "restore", "b.tar", "--force"]);
    assert_eq!(entries(&bench.path(DATA)), before);
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let bench = Bench::new();
    small_batch(&bench);
    bench.write("b.tar", "precious");
    let refused = bench.quarry(&["admin", "backup", "-o", "b.tar"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("name a new file"), "{}", refused.stderr);
    assert_eq!(std::fs::read(bench.path("b.tar")).unwrap(), b"precious");
    // One that can not be written leaves nothing.
    let nowhere = bench.quarry(&["admin", "backup", "-o", "no/such/folder/b.tar"]);
    assert_eq!(nowhere.code, 69, "{}", nowhere.stderr);
}

#[test]
fn a_record_that_can_not_be_read_is_not_left_out_in_silence() {
    let bench = Bench::new();
    small_batch(&bench);
    let store = Store::open(&bench.path(DATA).join("state")).unwrap();
    let key = "namespace/test".to_string();
    store.commit(vec![Op::Put { key, value: b"\x01rubbish".to_vec() }]).unwrap();
    drop(store);
    let backup = Backup { to: bench.path("b.tar"), all: false };
    let error = home(&bench.path(DATA)).back_up(&backup).unwrap_err();
    assert_eq!(error.code(), Code::Corrupt);
    assert!(error.to_string().contains("namespace/test"), "{error}");
    let left: Vec<_> = std::fs::read_dir(bench.path(".")).unwrap().flatten().collect();
    assert!(!left.iter().any(|file| file.file_name().to_str().unwrap().contains("b.tar")));
}

/// Whatever byte is flipped and wherever it is cut, a backup restores exactly or not at all.
#[test]
fn a_damaged_backup_changes_nothing() {
    let bench = Bench::new();
    small_batch_in(&bench, "none");
    back_up(&bench.path(DATA), &bench.path("b.tar"));
    let good = std::fs::read(bench.path("b.tar")).unwrap();
    let target = bench.path("target");
    home(&target).restore(&restore(&bench.path("b.tar"), false)).unwrap();
    let expected = (entries(&target), files(&target.join("objects")));
    let (mut refused, mut harmless) = (0, 0);
    let mut check = |bytes: &[u8]| {
        std::fs::write(bench.path("bad.tar"), bytes).unwrap();
        let home = Home::open(&settings(&target)).unwrap();
        match home.restore(&restore(&bench.path("bad.tar"), true)) {
            Err(error) => {
                assert_eq!(error.code(), Code::Corrupt, "{}", error.chain());
                refused += 1;
            }
            // The padding of tar says nothing.
            Ok(_) => harmless += 1,
        }
        drop(home);
        assert!(!target.join("restore.building").exists());
        assert_eq!((entries(&target), files(&target.join("objects"))), expected);
    };
    let distance = good.len() / 24;
    for at in (0..24).map(|step| step * distance + step * 7) {
        let mut bytes = good.clone();
        let at = at.min(bytes.len() - 1);
        bytes[at] ^= 0x10;
        check(&bytes);
    }
    // The last KiB is the end mark of tar; what is cut off before is missed.
    for cut in (1..6).map(|sixth| good.len() * sixth / 6).chain([good.len() - 1025]) {
        check(&good[..cut]);
    }
    assert!(refused >= 20, "{refused} refused, {harmless} harmless");
}

#[test]
fn a_backup_of_a_newer_program_is_refused() {
    let bench = Bench::new();
    small_batch(&bench);
    back_up(&bench.path(DATA), &bench.path("b.tar"));
    let good = std::fs::read(bench.path("b.tar")).unwrap();
    let at = good.windows(18).position(|text| text == b"\"quarry_backup\": 1").unwrap();
    let mut newer = good.clone();
    newer[at + 17] = b'7';
    std::fs::write(bench.path("newer.tar"), newer).unwrap();
    let answer = bench.quarry(&["admin", "restore", "newer.tar", "--data-dir", "new"]);
    assert_eq!(answer.code, 74);
    assert!(answer.stderr.contains("has the format 7, this binary reads 1"), "{}", answer.stderr);
    assert_eq!(bench.quarry(&["admin", "restore", "none.tar"]).code, 4);
}
