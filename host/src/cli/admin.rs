//! `quarry admin`.

use super::options::GlobalOptions;
use super::{DONE, Done, printer};
use crate::admin::{Backup, Home, Rebuild, Restore, Sweep};
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const FOUND: u8 = 1;

#[derive(Subcommand)]
pub(super) enum Command {
    #[command(before_help = "Example: quarry admin backup -o backups/")]
    /// Copies state and extractors to a tar file with checksums. It appears whole or not at all.
    Backup {
        /// A file that is not there yet, or a folder: the file in it is named after the time
        #[arg(short = 'o', long, value_name = "FILE|DIR")]
        to: PathBuf,
        /// Objects and vectors as well
        #[arg(long)]
        all: bool,
    },
    #[command(
        before_help = "Example: quarry admin restore quarry-20260101T000000Z.tar --data-dir new"
    )]
    /// Puts a backup in the place of the state. Everything in it is checked before anything
    /// changes.
    Restore {
        file: PathBuf,
        /// Set aside what is there
        #[arg(long)]
        force: bool,
    },
    #[command(before_help = "Example: quarry admin verify --deep")]
    /// Checks every record and everything that records name; exits with 1 when something is wrong.
    /// Changes nothing.
    Verify {
        /// Also reads all parts and counts the documents in the sinks
        #[arg(long)]
        deep: bool,
    },
    #[command(before_help = "Example: quarry admin compact")]
    /// Writes the state into fresh files: sled never gives back space.
    Compact,
    #[command(before_help = "Example: quarry admin gc --dry-run")]
    /// Removes files that nothing refers to: what crashes and canceled work left behind.
    Gc {
        /// Only report
        #[arg(long)]
        dry_run: bool,
        /// Also batches that have a manifest and no record, which are kept otherwise, because the
        /// state may have been lost
        #[arg(long)]
        unknown_batches: bool,
    },
    #[command(before_help = "Example: quarry admin rebuild")]
    /// Derives the state from the object store, when state/ is lost. `quarry run --resume` then
    /// goes on with unfinished batches.
    Rebuild {
        /// An object store besides the data directory's own; may be repeated
        #[arg(long, value_name = "URL")]
        artifacts: Vec<String>,
        /// Set aside the state that is there
        #[arg(long)]
        force: bool,
    },
}

pub(super) fn run(options: &GlobalOptions, command: &Command) -> Done {
    match command {
        Command::Backup { to, all } => backup(options, to, *all),
        Command::Restore { file, force } => restore(options, file, *force),
        Command::Verify { deep } => verify(options, *deep),
        Command::Compact => compact(options),
        Command::Gc { dry_run, unknown_batches } => {
            gc(options, Sweep { dry_run: *dry_run, unknown_batches: *unknown_batches })
        }
        Command::Rebuild { artifacts, force } => {
            rebuild(options, &Rebuild { artifacts: artifacts.clone(), force: *force })
        }
    }
}

fn backup(options: &GlobalOptions, to: &Path, all: bool) -> Done {
    let home = Home::open(&options.settings()?)?;
    let copied = home.back_up(&Backup { to: to.to_path_buf(), all })?;
    printer::one(options, &json!(copied), &BACKUP);
    left_out(options, &copied.omitted);
    Ok(DONE)
}

fn left_out(options: &GlobalOptions, omitted: &[String]) {
    if !omitted.is_empty() {
        printer::note(options, &format!("not in the backup: {}", omitted.join(", ")));
    }
}

fn restore(options: &GlobalOptions, file: &Path, force: bool) -> Done {
    let home = Home::create(&options.settings()?)?;
    let restored = home.restore(&Restore { from: file.to_path_buf(), force })?;
    printer::one(options, &json!(restored), &RESTORE);
    left_out(options, &restored.omitted);
    Ok(DONE)
}

fn verify(options: &GlobalOptions, deep: bool) -> Done {
    let verified = Home::open(&options.settings()?)?.verify(deep)?;
    let rows: Vec<Value> = verified.findings.iter().map(|finding| json!(finding)).collect();
    printer::list(options, &rows, &FINDINGS);
    let read = match deep {
        true => format!(", {} rows read", printer::thousands(verified.rows)),
        false => String::new(),
    };
    printer::note(
        options,
        &format!(
            "{} records, {} batches, {} objects{read}: {} findings",
            printer::thousands(verified.records),
            printer::thousands(verified.batches),
            printer::thousands(verified.objects),
            rows.len()
        ),
    );
    Ok(if rows.is_empty() { DONE } else { FOUND })
}

fn compact(options: &GlobalOptions) -> Done {
    let compacted = Home::open(&options.settings()?)?.compact()?;
    printer::one(options, &json!(compacted), &COMPACT);
    Ok(DONE)
}

fn gc(options: &GlobalOptions, sweep: Sweep) -> Done {
    let collected = Home::open(&options.settings()?)?.collect_garbage(sweep)?;
    let orphans = collected.orphans.iter().map(|orphan| {
        let action = if collected.removed { "removed" } else { "would remove" };
        json!({ "action": action, "path": orphan.path, "bytes": orphan.bytes, "why": orphan.why })
    });
    let kept = collected
        .kept
        .iter()
        .map(|kept| json!({ "action": "kept", "path": kept.path, "bytes": null, "why": kept.why }));
    let rows: Vec<Value> = orphans.chain(kept).collect();
    printer::list(options, &rows, &GARBAGE);
    let count = printer::thousands(collected.orphans.len() as u64);
    let bytes = printer::thousands(collected.bytes);
    let verb = if collected.removed { "removed" } else { "to remove" };
    printer::note(options, &format!("{count} files of {bytes} bytes {verb}"));
    Ok(DONE)
}

fn rebuild(options: &GlobalOptions, rebuild: &Rebuild) -> Done {
    let rebuilt = Home::open(&options.settings()?)?.rebuild(rebuild)?;
    printer::one(options, &json!(rebuilt), &REBUILD);
    for skipped in &rebuilt.skipped {
        printer::note(options, &format!("passed over {}: {}", skipped.path, skipped.why));
    }
    if rebuilt.unfinished > 0 {
        printer::note(options, "`quarry run … --resume` goes on with what is unfinished");
    }
    Ok(DONE)
}

const BACKUP: [printer::Column; 6] = [
    ("backup", "/file"),
    ("bytes", "/bytes"),
    ("created", "/created"),
    ("records", "/records"),
    ("batches", "/batches"),
    ("files", "/files"),
];

const RESTORE: [printer::Column; 5] = [
    ("created", "/created"),
    ("written by", "/version"),
    ("records", "/records"),
    ("files", "/files"),
    ("set aside", "/kept"),
];

const FINDINGS: [printer::Column; 3] =
    [("thing", "/thing"), ("problem", "/problem"), ("fix", "/fix")];

const COMPACT: [printer::Column; 3] =
    [("records", "/records"), ("bytes before", "/bytes_before"), ("bytes after", "/bytes_after")];

const GARBAGE: [printer::Column; 4] =
    [("action", "/action"), ("path", "/path"), ("bytes", "/bytes"), ("why", "/why")];

const REBUILD: [printer::Column; 6] = [
    ("batches", "/batches"),
    ("unfinished", "/unfinished"),
    ("partitions", "/partitions"),
    ("namespaces", "/namespaces"),
    ("extractors", "/extractors"),
    ("set aside", "/kept"),
];
