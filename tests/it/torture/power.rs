//! What a simulated power cut does, and the small form of the run.

use super::kinds::power::dice::Dice;
use super::kinds::power::disk::{self, Fate, Weather};
use super::kinds::power::run;
use super::kinds::power::shadow::Shadow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Rolls of the dice where chance decides.
const SEEDS: u64 = 64;

struct Scene {
    work: tempfile::TempDir,
    shadow: Shadow,
}

impl Scene {
    fn new() -> Scene {
        let work = tempfile::tempdir().unwrap();
        for folder in ["live", "shadow"] {
            fs::create_dir(work.path().join(folder)).unwrap();
        }
        let shadow = Shadow::new(&work.path().join("shadow"));
        Scene { work, shadow }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work.path().join("live").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn sync_file(&self, name: &str) {
        self.shadow.keep_file(&File::open(self.path(name)).unwrap()).unwrap();
    }

    fn sync_directory(&self, name: &str) {
        self.shadow.keep_directory(&self.path(name)).unwrap();
    }

    /// Name and text of each file that is left.
    fn cut(&self, names: Fate, bytes: Fate, seed: u64) -> BTreeMap<String, String> {
        let target = self.work.path().join("disk");
        let weather = Weather { names, bytes };
        disk::cut(&self.path(""), &self.shadow, &target, weather, &mut Dice::new(seed)).unwrap();
        let mut left = BTreeMap::new();
        collect(&target, &target, &mut left);
        fs::remove_dir_all(target).unwrap();
        left
    }
}

fn collect(root: &Path, folder: &Path, left: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, left);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
            left.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

fn files(expected: &[(&str, &str)]) -> BTreeMap<String, String> {
    expected.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
}

#[test]
fn a_cut_leaves_what_was_synced_and_of_the_rest_what_the_weather_says() {
    let scene = Scene::new();
    scene.write("rewritten", "old");
    scene.sync_file("rewritten");
    scene.write("unsynced", "text");
    scene.sync_directory("");
    scene.write("rewritten", "new");
    scene.write("unnamed", "text");
    scene.sync_file("unnamed");
    let durable = files(&[("rewritten", "old"), ("unsynced", "")]);
    assert_eq!(scene.cut(Fate::Lost, Fate::Lost, 1), durable);
    let named = files(&[("rewritten", "old"), ("unnamed", "text"), ("unsynced", "")]);
    assert_eq!(scene.cut(Fate::Kept, Fate::Lost, 1), named);
    let all = files(&[("rewritten", "new"), ("unnamed", "text"), ("unsynced", "text")]);
    assert_eq!(scene.cut(Fate::Kept, Fate::Kept, 1), all);
}

#[test]
fn a_directory_whose_name_was_not_synced_takes_everything_with_it() {
    let scene = Scene::new();
    fs::create_dir(scene.path("made")).unwrap();
    scene.write("made/file", "text");
    scene.sync_file("made/file");
    scene.sync_directory("made");
    assert_eq!(scene.cut(Fate::Lost, Fate::Kept, 1), files(&[]));
    scene.sync_directory("");
    assert_eq!(scene.cut(Fate::Lost, Fate::Lost, 1), files(&[("made/file", "text")]));
}

#[test]
fn a_removed_file_comes_back_until_its_directory_is_synced() {
    let scene = Scene::new();
    scene.write("gone", "text");
    scene.sync_file("gone");
    scene.sync_directory("");
    fs::remove_file(scene.path("gone")).unwrap();
    // Its inode number is free, and its bytes are nobody else's.
    scene.write("next", "");
    assert_eq!(scene.cut(Fate::Lost, Fate::Lost, 1), files(&[("gone", "text")]));
    scene.sync_directory("");
    assert_eq!(scene.cut(Fate::Lost, Fate::Lost, 1), files(&[("next", "")]));
}

#[test]
fn a_rename_over_a_file_is_atomic_in_any_weather() {
    let scene = Scene::new();
    for (name, text) in [("new", "new"), ("file", "old")] {
        scene.write(name, text);
        scene.sync_file(name);
    }
    scene.sync_directory("");
    fs::rename(scene.path("new"), scene.path("file")).unwrap();
    let before = files(&[("file", "old"), ("new", "new")]);
    let after = files(&[("file", "new")]);
    let left: Vec<_> = (0..SEEDS).map(|seed| scene.cut(Fate::Either, Fate::Lost, seed)).collect();
    assert!(left.contains(&before) && left.contains(&after));
    assert!(left.iter().all(|left| *left == before || *left == after), "{left:?}");
}

#[test]
fn a_rewritten_file_may_be_torn_anywhere() {
    let scene = Scene::new();
    let (old, new) = ("o".repeat(3 * 4_096), "n".repeat(4 * 4_096));
    scene.write("file", &old);
    scene.sync_file("file");
    scene.sync_directory("");
    scene.write("file", &new);
    let texts: Vec<String> = (0..SEEDS)
        .map(|seed| scene.cut(Fate::Lost, Fate::Either, seed).remove("file").unwrap())
        .collect();
    let pages = |text: &str| -> String { text.chars().step_by(4_096).collect() };
    assert!(texts.contains(&old) && texts.contains(&new));
    assert!(texts.iter().any(|text| pages(text).starts_with("on")), "no mixed pages");
    let within = |text: &String| text.trim_start_matches('n').starts_with('o');
    assert!(texts.iter().any(|text| text.starts_with('n') && within(text)), "no new beginning");
    assert!(texts.iter().all(|text| text.chars().all(|c| "on\0".contains(c))));
}

#[test]
fn pages_become_durable_one_by_one() {
    let scene = Scene::new();
    scene.write("file", &"o".repeat(3 * 4_096));
    scene.sync_file("file");
    scene.sync_directory("");
    scene.write("file", &"n".repeat(3 * 4_096));
    let file = File::open(scene.path("file")).unwrap();
    scene.shadow.keep_pages(&file, 4_096, 4_096).unwrap();
    let text = scene.cut(Fate::Lost, Fate::Lost, 1).remove("file").unwrap();
    let (old, new) = ("o".repeat(4_096), "n".repeat(4_096));
    assert_eq!(text, format!("{old}{new}{old}"));
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    println!("{}", super::figure(run, &[("cuts", 4), ("objects", 60)]));
}
