//! The manifest file: row groups into a hidden file beside the target, then one rename.

use super::column::{Columns, Rows};
use crate::error::{Code, Context, Error, Result};
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ROW_GROUP_ROWS_MAX: usize = 1_024;
const ROW_GROUP_BYTES_MAX: usize = 16 << 20;
/// Parquet numbers row groups with an i16.
const ROW_GROUPS_MAX: usize = 32_767;

/// A local path whose directory exists.
#[derive(Debug)]
pub(super) struct Target {
    /// Canonical.
    directory: PathBuf,
    name: String,
}

impl Target {
    pub(super) fn resolve(output: &Path) -> Result<Self> {
        let text = output.to_string_lossy();
        let url = url::Url::parse(&text).ok().filter(|_| text.contains("://"));
        let path = match &url {
            None => output.to_path_buf(),
            Some(url) => {
                url.to_file_path().ok().filter(|_| url.scheme() == "file").ok_or_else(|| {
                    let message = format!("a manifest can not be written to {text}");
                    Error::invalid(message).hint("write a local file and copy it there")
                })?
            }
        };
        let name = path.file_name().and_then(|name| name.to_str()).filter(|_| !path.is_dir());
        let name = name.ok_or_else(|| {
            let message = format!("{text} can not be the manifest");
            Error::invalid(message).hint("name a file, for example objects.parquet")
        })?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let directory = parent.canonicalize().map_err(|error| {
            let message =
                format!("the directory of the manifest, {}, is not there", parent.display());
            Error::new(Code::NotFound, message).hint("create it first").source(error)
        })?;
        Ok(Target { directory, name: name.to_string() })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// Whether `path` (canonical but for its last parts) is this manifest, or a part of one that
    /// was left behind: neither is an object.
    pub(super) fn is_own(&self, path: &Path) -> bool {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
        let partial = name
            .strip_prefix('.')
            .and_then(|rest| rest.strip_prefix(&self.name))
            .is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".partial"));
        (partial || name == self.name) && path.parent() == Some(&self.directory)
    }
}

pub(super) struct Published {
    pub(super) bytes: u64,
    pub(super) row_groups: usize,
}

pub(super) struct Output {
    // Dropped in this order: the writer's file is closed before its name is removed.
    writer: ArrowWriter<File>,
    partial: Partial,
    schema: SchemaRef,
    rows: Rows,
    target: PathBuf,
    row_groups: usize,
}

/// Removed when it goes out of scope, unless it was renamed.
struct Partial(Option<PathBuf>);

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Nothing can be done about it, and the error that led here matters more.
            fs::remove_file(path).ok();
        }
    }
}

impl Output {
    pub(super) fn create(target: &Target, columns: &Columns) -> Result<Self> {
        let path = target.path();
        let name = format!(".{}.{}.partial", target.name, uuid::Uuid::now_v7().simple());
        let partial = target.directory.join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&partial);
        let file = file.map_err(|error| write_error(&path, error))?;
        let partial = Partial(Some(partial));
        let schema = Arc::new(Schema::new(columns.fields()));
        let level = ZstdLevel::try_new(3).map_err(|error| parquet_error(&path, error))?;
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))
            .map_err(|error| parquet_error(&path, error))?;
        let rows = columns.rows();
        Ok(Output { writer, partial, schema, rows, target: path, row_groups: 0 })
    }

    pub(super) fn push(
        &mut self,
        object_id: &str,
        fields: &[(&str, super::column::Cell<'_>)],
    ) -> Result<()> {
        self.rows.push(object_id, fields)?;
        if self.rows.rows == ROW_GROUP_ROWS_MAX || self.rows.bytes >= ROW_GROUP_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.row_groups == ROW_GROUPS_MAX {
            let message = format!("the sources fill more than {ROW_GROUPS_MAX} row groups");
            return Err(Error::invalid(message).hint("split them over several manifests"));
        }
        let batch = RecordBatch::try_new(self.schema.clone(), self.rows.finish())
            .context(Code::Internal, || "the columns of the manifest do not fit".to_string())?;
        self.writer
            .write(&batch)
            .and_then(|()| self.writer.flush())
            .map_err(|error| parquet_error(&self.target, error))?;
        self.row_groups += 1;
        Ok(())
    }

    /// Writes what is left and gives the file its name; after that it survives a power cut.
    pub(super) fn publish(mut self) -> Result<Published> {
        if self.rows.rows > 0 {
            self.flush()?;
        }
        let Output { writer, mut partial, target, row_groups, .. } = self;
        let file = writer.into_inner().map_err(|error| parquet_error(&target, error))?;
        let bytes =
            sync_and_rename(&file, &mut partial, &target).map_err(|e| write_error(&target, e))?;
        Ok(Published { bytes, row_groups })
    }
}

/// The content is on disk before the name points at it, the name before this returns.
fn sync_and_rename(file: &File, partial: &mut Partial, target: &Path) -> io::Result<u64> {
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    if let Some(path) = &partial.0 {
        // The same content again keeps the old file and its times: to a batch it is unchanged.
        if same_content(path, target) {
            return Ok(bytes);
        }
        fs::rename(path, target)?;
    }
    partial.0 = None;
    if let Some(directory) = target.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(bytes)
}

/// Whether both can be read and hold the same bytes.
fn same_content(a: &Path, b: &Path) -> bool {
    let same = || -> io::Result<bool> {
        if fs::metadata(a)?.len() != fs::metadata(b)?.len() {
            return Ok(false);
        }
        let (mut a, mut b) = (BufReader::new(File::open(a)?), BufReader::new(File::open(b)?));
        loop {
            let (left, right) = (a.fill_buf()?, b.fill_buf()?);
            let shared = left.len().min(right.len());
            if left[..shared] != right[..shared] || (shared == 0 && left.len() != right.len()) {
                return Ok(false);
            }
            if shared == 0 {
                return Ok(true);
            }
            a.consume(shared);
            b.consume(shared);
        }
    };
    same().unwrap_or(false)
}

fn write_error(path: &Path, error: io::Error) -> Error {
    let code = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::Unavailable,
    };
    Error::new(code, format!("cannot write {}", path.display())).source(error)
}

/// The writer wraps the disk's errors.
fn parquet_error(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => write_error(path, *error),
            Err(source) => {
                Error::internal(format!("cannot encode {}", path.display())).source(source)
            }
        },
        error => Error::internal(format!("cannot encode {}", path.display())).source(error),
    }
}
