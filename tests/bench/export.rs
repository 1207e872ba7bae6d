//! The documents of the benchmark as anybody's Parquet. The parts of the last collection are that
//! already (object_id, chunk_index, text, metadata, vector as a list of 384 f32), so the export is
//! a hard link to each of them, or a copy where the folder is on another disk.

use anyhow::{Context, Result, ensure};
use quarry::app::App;
use quarry::store::BatchRecord;
use std::path::Path;

pub(crate) fn export(app: &App, record: &BatchRecord, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out)?;
    for entry in std::fs::read_dir(out)? {
        let path = entry?.path();
        let ours = path.extension().is_some_and(|extension| extension == "parquet");
        ensure!(ours, "{} is in the way: the export wants a folder of its own", path.display());
        std::fs::remove_file(path)?;
    }
    for part in app.engine.parts(record, 1)? {
        let from = app.engine.part_location(record, &part);
        let from = from.strip_prefix("file://").unwrap_or(&from);
        let name = Path::new(&part).file_name().context("a part without a name")?;
        let to = out.join(name);
        std::fs::hard_link(from, &to)
            .or_else(|_| std::fs::copy(from, &to).map(|_| ()))
            .with_context(|| format!("can not export {from}"))?;
    }
    Ok(())
}
