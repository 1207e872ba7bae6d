//! Large cells, read in ranges.

use std::fmt;

/// Most bytes one read of a blob brings: larger reads are cut into several.
pub const READ_BYTES_MAX: usize = 64 << 10;

/// Access to the cells of blob columns by column and row of the batch.
pub(crate) trait Cells {
    fn cell_len(&self, column: u32, row: u32) -> Result<u64, String>;
    /// Reads up to `into.len()` bytes, at most [`READ_BYTES_MAX`]; fewer only at the end.
    fn cell_read(
        &self,
        column: u32,
        row: u32,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, String>;
}

/// A file, an upload or a reference: its bytes stay with the host until they are read.
#[derive(Clone, Copy)]
pub struct Blob<'a> {
    pub(crate) cells: &'a dyn Cells,
    pub(crate) column: u32,
    pub(crate) row: u32,
}

/// Why a blob could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobError {
    /// The host could not bring the bytes, with its reason.
    Read(String),
    /// The blob has more bytes than the caller takes.
    TooLarge {
        /// What it has.
        len: u64,
        /// What the caller takes.
        limit: u64,
    },
}

impl fmt::Display for BlobError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(reason) => write!(formatter, "cannot read the blob: {reason}"),
            Self::TooLarge { len, limit } => {
                write!(formatter, "the blob has {len} bytes, the limit is {limit}")
            }
        }
    }
}

impl std::error::Error for BlobError {}

impl From<BlobError> for crate::Reject {
    fn from(error: BlobError) -> Self {
        let code = match error {
            BlobError::Read(_) => "blob_unreadable",
            BlobError::TooLarge { .. } => "blob_too_large",
        };
        Self::new(code, error.to_string())
    }
}

impl Blob<'_> {
    /// Its size in bytes.
    pub fn len(&self) -> Result<u64, BlobError> {
        self.cells.cell_len(self.column, self.row).map_err(BlobError::Read)
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> Result<bool, BlobError> {
        Ok(self.len()? == 0)
    }

    /// Fills `into` from `offset` on and returns how many bytes there were; fewer than asked for
    /// only at the end of the blob.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, BlobError> {
        let mut filled = 0;
        while filled < into.len() {
            let end = into.len().min(filled + READ_BYTES_MAX);
            let at = offset.saturating_add(filled as u64);
            let range = &mut into[filled..end];
            let read =
                self.cells.cell_read(self.column, self.row, at, range).map_err(BlobError::Read)?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        Ok(filled)
    }

    /// All bytes, or [`BlobError::TooLarge`] when there are more than `limit`.
    pub fn read_all(&self, limit: usize) -> Result<Vec<u8>, BlobError> {
        let len = self.len()?;
        if len > limit as u64 {
            return Err(BlobError::TooLarge { len, limit: limit as u64 });
        }
        let mut bytes = vec![0; len as usize];
        let read = self.read(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}
