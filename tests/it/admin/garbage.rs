//! Garbage collection takes everything that nothing refers to, and nothing else.

use super::{entries, files, home, settings, small_batch};
use crate::support::quarry::Bench;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, StringArray};
use arrow_schema::DataType;
use proptest::prelude::*;
use proptest::sample::select;
use quarry::admin::{Collected, Home, Sweep};
use quarry::artifact::{Artifacts, PartReader};
use quarry::engine::{batch_folder, history};
use quarry::model::BatchStatus;
use quarry::store::{BatchRecord, Store};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

const BATCHES: usize = 4;
const PIPELINE: &str = r#"
namespace = "test"

[buckets.pictures.schema]
image = "image"

[collections.pictures]
source = "bucket:pictures"
extractor = "image-features@1.0.0"
parameters = { thumbnail_px = 8 }
"#;

/// Source: RFC 2083, with a stored block of RFC 1951 as its data.
fn png(shade: u8) -> Vec<u8> {
    const SIDE: u32 = 16;
    let chunk = |kind: &[u8], data: &[u8]| {
        let body = [kind, data].concat();
        let sum = crc32fast::hash(&body).to_be_bytes();
        [&(data.len() as u32).to_be_bytes()[..], &body, &sum].concat()
    };
    let rows: Vec<u8> =
        (0..SIDE).flat_map(|_| [vec![0], vec![shade; SIDE as usize]].concat()).collect();
    let length = rows.len() as u16;
    let (mut a, mut b) = (1u32, 0u32);
    for byte in &rows {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let zlib = [
        &[0x78, 0x01, 0x01][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        &rows,
        &((b << 16) | a).to_be_bytes(),
    ]
    .concat();
    let side = SIDE.to_be_bytes();
    let head = [&side[..], &side, &[8, 0, 0, 0, 0]].concat();
    let chunks = [chunk(b"IHDR", &head), chunk(b"IDAT", &zlib), chunk(b"IEND", b"")].concat();
    [&b"\x89PNG\r\n\x1a\n"[..], &chunks].concat()
}

/// A data directory with four batches. Each has a part with thumbnails of its own, one that the
/// next batch has as well, and a dead letter.
fn prepared() -> &'static Path {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    let bench = BENCH.get_or_init(|| {
        let bench = Bench::new();
        bench.write("p.toml", PIPELINE);
        for batch in 0..BATCHES as u8 {
            let images = [png(20 * batch), png(20 * batch + 20), b"no image".to_vec()];
            let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
            let ids: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
            let images: ArrayRef = Arc::new(BinaryArray::from(images));
            let name = format!("m{batch}.parquet");
            bench.parquet(&name, vec![("object_id", ids), ("image", images)]);
            let run = ["run", "p.toml", "--manifest", &name, "--sink", "none"];
            let ended = bench.json(&run);
            assert_eq!(ended["batch"]["status"], "COMPLETED_WITH_ERRORS", "{ended}");
        }
        bench
    });
    // Leaked with the statics: the bench lives as long as the process.
    static DATA: OnceLock<PathBuf> = OnceLock::new();
    DATA.get_or_init(|| bench.path("quarry-data"))
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Finished,
    /// Unfinished, its partition in the state.
    Recorded,
    /// Unfinished, the process died between the marker and the state.
    Marked,
    /// Unfinished, the process died before the marker.
    Uncommitted,
    /// The state does not know it.
    Unknown,
    /// The state does not know it, and it was never queued.
    Draft,
}

fn fate() -> impl Strategy<Value = Fate> {
    use Fate::*;
    select(vec![Finished, Recorded, Marked, Uncommitted, Unknown, Draft])
}

/// Something that nothing refers to; `{}` is replaced by a folder of a batch and a number.
const ORPHANS: [&str; 15] = [
    "{batch}/tier-0/pictures/part-00-00000.f{n}.parquet",
    "{batch}/tier-1/other/part-00-00000.00001.f{n}.parquet",
    "{batch}/dead/tier-0/pictures/00-00000.f{n}.parquet",
    "{batch}/tier-0/pictures/rows-00-1{n}.parquet",
    "{batch}/tier-0/pictures/part-00-00000.f1.parquet#{n}",
    "{batch}/manifest.json#{n}",
    "objects/test/batches/btch_0{n}/tier-0/pictures/rows-00-00000.parquet",
    "objects/test/blobs/{hex2}/{hex}",
    "objects/test/blobs/{hex2}/{hex}#{n}",
    "extractors/{hex}.wasm",
    "extractors/{hex}.wasm.sig",
    "extractors/assets/{hex}",
    "extractors/{hex}.tmp-{n}",
    "cache/{hex}-0011223344556677.cwasm",
    "tmp/spill-{n}",
];

/// Something of no known form.
const FOREIGN: [&str; 6] = [
    "{batch}/notes-{n}.txt",
    "objects/readme-{n}",
    "objects/test/blobs/{n}/readme",
    "objects/test/batches/mine-{n}/tier-0/pictures/part-00-00000.f1.parquet",
    "extractors/readme-{n}",
    "cache/readme-{n}",
];

/// Copies the prepared directory and gives its batches their fates. What is an orphan now comes
/// back.
struct Layout {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    orphans: BTreeSet<String>,
}

impl Layout {
    fn new(fates: &[Fate]) -> Layout {
        let folder = tempfile::tempdir().unwrap();
        super::copy(prepared(), folder.path());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut layout = Layout { folder, runtime, orphans: BTreeSet::new() };
        let store = Store::open(&layout.data().join("state")).unwrap();
        // Their recorded object store is where they were made.
        let own = format!("file://{}", layout.data().join("objects").display());
        let mut live_blobs = BTreeSet::new();
        for (record, fate) in store.batches().unwrap().into_iter().zip(fates) {
            let record = BatchRecord { artifacts: own.clone(), ..record };
            let blobs = layout.blobs(&record);
            layout.end(&store, record, *fate);
            if !matches!(fate, Fate::Uncommitted | Fate::Draft) {
                live_blobs.extend(blobs);
            }
        }
        let all = files(&layout.data().join("objects/test/blobs")).into_keys();
        let dead = all.filter(|name| !live_blobs.contains(&name[3..]));
        layout.orphans.extend(dead.map(|name| format!("objects/test/blobs/{name}")));
        layout
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn artifacts(&self, record: &BatchRecord) -> Artifacts {
        let objects = self.data().join("objects");
        let handle = self.runtime.handle().clone();
        let root = Artifacts::open(objects.to_str().unwrap(), &[], handle).unwrap();
        root.folder(&batch_folder(record))
    }

    /// Digests that the documents of a batch name.
    fn blobs(&self, record: &BatchRecord) -> BTreeSet<String> {
        let folder = self.artifacts(record);
        let mut found = BTreeSet::new();
        history::read(&folder, record.history.as_ref().unwrap(), &mut |_, partition| {
            let text = serde_json::to_value(&partition.state).unwrap();
            for rows in PartReader::read(&folder, text["part"].as_str().unwrap(), None, None)? {
                for column in rows.columns().iter().filter(|c| c.data_type() == &DataType::Utf8) {
                    let texts = column.as_string::<i32>();
                    let blobs = texts.iter().flatten().filter_map(|t| t.strip_prefix("blob:"));
                    found.extend(blobs.map(str::to_string));
                }
            }
            Ok(true)
        })
        .unwrap();
        assert_eq!(found.len(), 2, "each batch makes two thumbnails");
        found
    }

    fn end(&mut self, store: &Store, mut record: BatchRecord, fate: Fate) {
        let at = format!("objects/{}", batch_folder(&record));
        let folder = self.data().join(&at);
        let partitions = || {
            let mut found = Vec::new();
            let name = record.history.as_ref().unwrap();
            history::read(&self.artifacts(&record), name, &mut |key, partition| {
                found.push((key, partition));
                Ok(true)
            })
            .unwrap();
            found
        };
        let orphans = |keep: fn(&String) -> bool| {
            let names = files(&folder).into_keys().filter(keep);
            names.map(|name| format!("{at}/{name}")).collect::<Vec<_>>()
        };
        let mut ops = Vec::new();
        match fate {
            Fate::Finished => {}
            Fate::Recorded => {
                for (key, partition) in partitions() {
                    ops.push(Store::put_partition(&record.id, &key, &partition).unwrap());
                }
                std::fs::remove_dir_all(folder.join("commits")).unwrap();
            }
            Fate::Marked => {}
            Fate::Uncommitted => {
                std::fs::remove_dir_all(folder.join("commits")).unwrap();
                self.orphans
                    .extend(orphans(|name| name.contains("part-") || name.contains("dead/")));
            }
            Fate::Unknown => ops.push(Store::delete_batch(&record.id)),
            Fate::Draft => {
                ops.push(Store::delete_batch(&record.id));
                std::fs::remove_file(folder.join("manifest.json")).unwrap();
                self.orphans.extend(orphans(|_| true));
            }
        }
        if matches!(fate, Fate::Recorded | Fate::Marked | Fate::Uncommitted) {
            std::fs::remove_file(folder.join(record.history.take().unwrap())).unwrap();
            std::fs::remove_file(folder.join("summary.json")).unwrap();
            (record.status, record.ended_at) = (BatchStatus::Processing, None);
        }
        if !matches!(fate, Fate::Unknown | Fate::Draft) {
            ops.push(Store::put_batch(&record).unwrap());
        }
        store.commit(ops).unwrap();
    }

    /// Writes a file by its form; its path comes back.
    fn plant(&self, form: &str, number: usize) -> String {
        let batches = std::fs::read_dir(self.data().join("objects/test/batches")).unwrap();
        let mut known: Vec<String> = batches
            .flatten()
            .filter(|batch| batch.path().join("manifest.json").exists())
            .filter(|batch| self.knows(batch.file_name().to_str().unwrap()))
            .map(|batch| format!("objects/test/batches/{}", batch.file_name().to_str().unwrap()))
            .collect();
        known.sort();
        let batch = match known.is_empty() {
            true => "objects/test/batches/btch_none",
            false => &known[number % known.len()],
        };
        let hex = format!("{number:064x}");
        let path = form
            .replace("{batch}", batch)
            .replace("{hex2}", &hex[..2])
            .replace("{hex}", &hex)
            .replace("{n}", &(10 + number).to_string());
        let file = self.data().join(&path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "whatever").unwrap();
        path
    }

    fn knows(&self, batch: &str) -> bool {
        entries(self.data()).contains_key(&format!("batch/{batch}"))
    }

    fn collect(&self, sweep: Sweep) -> Collected {
        Home::open(&settings(self.data())).unwrap().collect_garbage(sweep).unwrap()
    }

    /// Everything but the state and the lock.
    fn files(&self) -> BTreeSet<String> {
        let all = files(self.data()).into_keys();
        all.filter(|name| !name.starts_with("state/") && name != "lock").collect()
    }
}

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn orphans_go_and_nothing_else(
        fates in prop::collection::vec(fate(), BATCHES),
        planted in prop::collection::vec((select(ORPHANS.to_vec()), 0..50usize), 0..12),
        foreign in prop::collection::vec((select(FOREIGN.to_vec()), 0..50usize), 0..4),
    ) {
        let mut layout = Layout::new(&fates);
        for (form, number) in foreign {
            layout.plant(form, number);
        }
        for (form, number) in planted {
            let path = layout.plant(form, number);
            layout.orphans.insert(path);
        }
        // Where no batch is known, what was planted in one is in a folder without a manifest:
        // all of that goes, whatever it is.
        let nobody = "objects/test/batches/btch_none/";
        let before = layout.files();
        layout.orphans.extend(before.iter().filter(|name| name.starts_with(nobody)).cloned());
        let state = entries(layout.data());
        let sweep = Sweep { dry_run: true, ..Sweep::default() };
        let dry = layout.collect(sweep);
        prop_assert_eq!(&layout.files(), &before, "a dry run changed something");
        let done = layout.collect(Sweep::default());
        let named: BTreeSet<String> = done.orphans.iter().map(|o| o.path.clone()).collect();
        prop_assert_eq!(&named, &layout.orphans);
        let expected: BTreeSet<String> = before.difference(&layout.orphans).cloned().collect();
        prop_assert_eq!(&layout.files(), &expected);
        prop_assert_eq!(dry.orphans, done.orphans);
        prop_assert_eq!(entries(layout.data()), state);
        let again = layout.collect(Sweep::default());
        prop_assert_eq!(again.orphans.len(), 0);
        prop_assert_eq!(again.kept, done.kept);
    }
}

#[test]
fn batches_that_the_state_does_not_know_go_only_when_asked() {
    let layout = Layout::new(&[Fate::Unknown, Fate::Finished, Fate::Finished, Fate::Finished]);
    let kept = layout.collect(Sweep::default());
    assert_eq!(kept.orphans, []);
    let why = kept.kept.iter().find(|kept| kept.path.contains("/batches/")).unwrap().why;
    assert!(why.contains("quarry admin rebuild"), "{why}");
    let sweep = Sweep { unknown_batches: true, ..Sweep::default() };
    let gone = layout.collect(sweep);
    // Its folder and the one thumbnail that no other batch has.
    let blobs = gone.orphans.iter().filter(|orphan| orphan.path.contains("/blobs/")).count();
    assert_eq!(blobs, 1, "{:?}", gone.orphans);
    assert!(gone.orphans.iter().any(|orphan| orphan.path.ends_with("manifest.json")));
    let batches = std::fs::read_dir(layout.data().join("objects/test/batches")).unwrap();
    assert_eq!(batches.count(), 3, "the empty folder goes as well");
}

#[test]
fn what_can_not_be_read_ends_it_before_anything_is_removed() {
    let layout = Layout::new(&[Fate::Finished; BATCHES]);
    let orphan = layout.plant(ORPHANS[7], 1);
    let parts = files(layout.data()).into_keys().filter(|name| name.contains("/part-"));
    let part = parts.min().unwrap();
    std::fs::write(layout.data().join(part), "rubbish").unwrap();
    let before = layout.files();
    let error = home(layout.data()).collect_garbage(Sweep::default()).unwrap_err();
    assert!(error.chain().contains("part-"), "{}", error.chain());
    assert_eq!(layout.files(), before);
    assert!(layout.data().join(orphan).exists());
}

#[test]
fn a_batch_that_has_just_ended_has_no_garbage() {
    let bench = Bench::new();
    small_batch(&bench);
    let documents = bench.documents("notes");
    assert_eq!(bench.json(&["admin", "gc"]), serde_json::json!([]));
    bench.write("quarry-data/extractors/abc.tmp-1", "half");
    let dry = bench.quarry(&["admin", "gc", "--dry-run", "--output", "json"]).ok();
    assert_eq!(dry.json()[0]["action"], "would remove");
    assert!(dry.stderr.contains("1 files of 4 bytes to remove"), "{}", dry.stderr);
    assert_eq!(bench.json(&["admin", "gc"])[0]["action"], "removed");
    assert!(!bench.path("quarry-data/extractors/abc.tmp-1").exists());
    assert_eq!(bench.documents("notes"), documents);
}

/// Others may use an object store outside the data directory as well.
#[test]
fn in_a_shared_object_store_only_the_batches_of_this_state_are_cleaned() {
    let bench = Bench::new();
    bench.write("p.toml", crate::cli::PIPELINE);
    crate::cli::notes(&bench, "m.parquet", &crate::cli::ROWS);
    let run = ["run", "p.toml", "--manifest", "m.parquet", "--artifacts", "shared"];
    let batch = bench.json(&run)["batch"]["id"].as_str().unwrap().to_string();
    let before: BTreeSet<String> = files(&bench.path("shared")).into_keys().collect();
    let plant = |name: &str| {
        let path = bench.path("shared").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "whatever").unwrap();
        name.to_string()
    };
    let loser = plant(&format!("test/batches/{batch}/tier-1/notes/part-00-00000.f9.parquet"));
    // Somebody is flattening this one, and has written that blob for a part to come.
    let foreign = [
        plant("test/batches/btch_foreign/tier-0/chunks/rows-00-00000.parquet"),
        plant(&format!("test/blobs/00/{}", "0".repeat(64))),
    ];
    let collected = bench.json(&["admin", "gc"]);
    assert_eq!(collected.as_array().unwrap().len(), 1, "{collected}");
    assert!(collected[0]["path"].as_str().unwrap().ends_with(&loser), "{collected}");
    let expected: BTreeSet<String> = before.into_iter().chain(foreign).collect();
    assert_eq!(files(&bench.path("shared")).into_keys().collect::<BTreeSet<_>>(), expected);
    // What is elsewhere is found again there.
    std::fs::remove_dir_all(bench.path("quarry-data/state")).unwrap();
    assert_eq!(bench.json(&["admin", "rebuild"])["batches"], 0);
    let rebuilt = bench.json(&["admin", "rebuild", "--force", "--artifacts", "shared"]);
    assert_eq!(rebuilt["batches"], 1, "{rebuilt}");
    assert_eq!(bench.json(&run)["changed"], false);
    assert_eq!(bench.json(&["admin", "verify", "--deep"]), serde_json::json!([]));
}

#[test]
fn exports_go_with_their_collection_or_after_a_week() {
    let bench = Bench::new();
    bench.write("p.toml", PIPELINE);
    bench.json(&["apply", "p.toml"]);
    let words = ["api", "get_collection", "--namespace", "test"];
    let name = ["--path", "collection_identifier=pictures"];
    let collection = bench.json(&[&words[..], &name].concat());
    let id = collection["collection_id"].as_str().unwrap();
    let now = chrono::Utc::now().timestamp() as u64;
    let export = |collection: &str, days: u64, ending: &str| {
        let at = uuid::Timestamp::from_unix(uuid::NoContext, now - days * 86_400, 0);
        let file = format!("{}{ending}", uuid::Uuid::new_v7(at).simple());
        let name = format!("quarry-data/objects/test/exports/{collection}/{file}");
        std::fs::create_dir_all(bench.path(&name).parent().unwrap()).unwrap();
        bench.write(&name, "rows")
    };
    let gone = id.replace(&id[id.len() - 4..], "0000");
    let orphans = [
        export(id, 8, ".parquet"),
        export(id, 9, ".vectors.jsonl"),
        export(id, 0, ".csv#1"),
        export(&gone, 0, ".csv"),
    ];
    let live = [export(id, 0, ".csv"), export(id, 6, ".jsonl"), export(id, 30, ".txt")];
    let collected = bench.json(&["admin", "gc"]);
    let removed = collected.as_array().unwrap().iter().filter(|row| {
        row["action"] == "removed" && row["path"].as_str().unwrap().contains("/exports/")
    });
    assert_eq!(removed.count(), orphans.len(), "{collected}");
    assert!(orphans.iter().all(|orphan| !orphan.exists()));
    // What has no known form is named, and stays.
    assert!(live.iter().all(|kept| kept.exists()));
}
