//! Full disks: the batch waits, says why, and goes on when there is room.

use super::{PIPELINE, notes};
use crate::support::quarry::Bench;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A small disk in memory; `None` where it can not be had.
pub(crate) struct Disk {
    pub(crate) mount: PathBuf,
}

impl Disk {
    pub(crate) fn mount(bench: &Bench, megabytes: u64) -> Option<Disk> {
        let mount = bench.path("disk");
        std::fs::create_dir(&mount).unwrap();
        let size = format!("size={megabytes}m");
        let words = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        let output = Command::new("mount").args(words).arg(&mount).output();
        if output.is_ok_and(|output| output.status.success()) {
            return Some(Disk { mount });
        }
        println!("skipped: a tmpfs can not be mounted here (that takes root)");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.mount.join(name)
    }

    fn fill(&self, kilobytes: usize) {
        std::fs::write(self.path("filler"), vec![1; kilobytes << 10]).unwrap();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
    }
}

/// Starts a run and reads its messages until it says that it waits for room.
fn until_it_waits(bench: &Bench, words: &[&str]) -> (Child, String) {
    let mut child =
        bench.command(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.find_map(|line| line.ok().filter(|line| line.contains("waiting")));
    // Whoever writes to a closed pipe dies: the rest is read, too.
    std::thread::spawn(move || lines.count());
    (child, line.expect("the run ended without waiting"))
}

fn check(bench: &Bench, disk: &Disk, words: &[&str], data: &Path) {
    let (mut child, line) = until_it_waits(bench, words);
    assert!(line.contains("no space left"), "{line}");
    disk.make_room();
    assert!(child.wait().unwrap().success());
    let data = data.to_str().unwrap();
    let batches = bench.json(&["batch", "list", "--data-dir", data]);
    assert_eq!(batches[0]["status"], "COMPLETED", "{batches}");
    let id = batches[0]["id"].as_str().unwrap();
    let events = bench.json(&["batch", "events", id, "--data-dir", data]);
    let kinds: Vec<&str> =
        events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["claimed", "parked", "resumed", "ended"]);
    // 1,200 pieces, and a document with a vector of each.
    assert_eq!(batches[0]["documents"], 2_400);
}

/// 300 notes of 16 words: 1,200 pieces.
fn many_notes(bench: &Bench) {
    let rows: Vec<(String, String)> = (0..300)
        .map(|row| {
            let words: Vec<String> = (0..16).map(|word| format!("w{row}x{word}")).collect();
            (format!("note-{row}"), words.join(" "))
        })
        .collect();
    let rows: Vec<(&str, &str)> =
        rows.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    bench.write("p.toml", &PIPELINE.replace("dimensions = 16", "dimensions = 384"));
    notes(bench, "m.parquet", &rows);
}

#[test]
fn a_full_object_store_parks_the_batch_until_there_is_room() {
    let bench = Bench::new();
    let Some(disk) = Disk::mount(&bench, 4) else { return };
    many_notes(&bench);
    // Room for the artifacts of tier 0, not for vectors.
    disk.fill((4 << 10) - 160);
    let artifacts = disk.path("objects");
    let run = ["run", "p.toml", "--manifest", "m.parquet", "--sink", "none"];
    let words = [&run[..], &["--artifacts", artifacts.to_str().unwrap()]].concat();
    check(&bench, &disk, &words, &bench.path("quarry-data"));
}

#[test]
fn a_full_data_directory_parks_the_batch_before_the_engine_maps_what_is_not_there() {
    let bench = Bench::new();
    let Some(disk) = Disk::mount(&bench, 300) else { return };
    many_notes(&bench);
    // Room for the state, not for what the embedded engine keeps in reserve.
    disk.fill(220 << 10);
    let data = disk.path("data");
    let run = ["run", "p.toml", "--manifest", "m.parquet", "--data-dir", data.to_str().unwrap()];
    check(&bench, &disk, &run, &data);
}
