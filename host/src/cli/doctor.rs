//! `quarry doctor`.

use super::options::{GlobalOptions, opening};
use super::run::given;
use super::{DONE, Done, printer};
use crate::app::App;
use clap::Args;
use serde_json::{Value, json};

const FAILED: u8 = 1;
/// Less free space than this is worth a word.
const FREE_BYTES_MIN: u64 = 2 << 30;

/// Checks this machine and the data directory, and says what to do about what is wrong.
#[derive(Args)]
#[command(before_help = "Example: quarry doctor")]
pub(super) struct Arguments {
    /// Sink to check
    #[arg(long)]
    sink: Option<String>,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Done {
    let mut checks = Checks(Vec::new());
    let flags = given([("sink", arguments.sink.clone().map(Value::from))]);
    let settings = opening(&options.resolve(flags)?.config)?;
    match App::open(&settings) {
        Ok(app) => {
            checks.fine("data directory", &app.data_dir.display().to_string());
            checks.fine("sink", &settings.sink);
            extractors(&app, &mut checks);
            space(&app, &mut checks);
            state(&app, &mut checks);
        }
        Err(error) => checks.wrong("data directory or sink", &error.chain(), error.hint_text()),
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    checks.fine("cores", &cores.to_string());
    let failed = checks.0.iter().any(|check| check["status"] == "wrong");
    printer::list(options, &checks.0, &COLUMNS);
    Ok(if failed { FAILED } else { DONE })
}

struct Checks(Vec<Value>);

impl Checks {
    fn fine(&mut self, what: &str, detail: &str) {
        self.0.push(json!({ "check": what, "status": "fine", "detail": detail, "fix": null }));
    }

    fn wrong(&mut self, what: &str, detail: &str, fix: Option<&str>) {
        self.0.push(json!({ "check": what, "status": "wrong", "detail": detail, "fix": fix }));
    }
}

fn extractors(app: &App, checks: &mut Checks) {
    match app.engine.registry.find() {
        Ok(found) if found.is_empty() => {
            let fix =
                "name a folder with --extractors, or build some with `quarry extractor build`";
            checks.wrong("extractors", "no component is in the extractor folders", Some(fix));
        }
        Ok(found) => {
            let names: Vec<String> =
                found.iter().map(|f| format!("{}@{}", f.name, f.version)).collect();
            checks.fine("extractors", &names.join(", "));
        }
        Err(error) => checks.wrong("extractors", &error.chain(), error.hint_text()),
    }
}

fn space(app: &App, checks: &mut Checks) {
    match free_bytes(&app.data_dir) {
        Some(free) if free < FREE_BYTES_MIN => {
            let detail = format!("{} MiB free", free >> 20);
            checks.wrong("disk", &detail, Some("make room, or name another --data-dir"));
        }
        Some(free) => checks.fine("disk", &format!("{} GiB free", free >> 30)),
        None => checks.wrong("disk", "the free space can not be read", None),
    }
}

fn free_bytes(path: &std::path::Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a NUL-terminated string and `stat` is large enough for the answer, which
    // is only read when the call says that it filled it.
    let stat = unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return None;
        }
        stat.assume_init()
    };
    Some(stat.f_bavail * stat.f_frsize)
}

fn state(app: &App, checks: &mut Checks) {
    match app.engine.store.batches() {
        Ok(batches) => {
            let open = batches.iter().filter(|batch| !batch.status.is_terminal()).count();
            checks.fine("state", &format!("{} batches, {open} unfinished", batches.len()));
        }
        Err(error) => checks.wrong("state", &error.chain(), error.hint_text()),
    }
}

const COLUMNS: [printer::Column; 4] =
    [("check", "/check"), ("status", "/status"), ("detail", "/detail"), ("fix", "/fix")];
