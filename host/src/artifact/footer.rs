//! The schema in the footer of a Parquet file, looked at before the library reads it: that makes
//! room for as many columns as a group claims (`schema/types.rs` of 60.1), and follows groups in
//! groups until the stack ends. No allocator and no stack survives a damaged or crafted one.
//!
//! Layout: `parquet.thrift` of the Parquet format, in the compact protocol of Thrift
//! (`thrift-compact-protocol.md`). What comes after the schema is the library's to check.

use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::FooterTail;

/// Groups within groups. A list takes two of them.
const DEPTH_MAX: usize = 128;
/// The length of the metadata and the magic behind it.
pub(crate) const TAIL_BYTES: usize = 8;
/// Structs within structs that are none of the schema's.
const SKIP_DEPTH_MAX: usize = 8;
// Kinds of fields.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Bytes of the metadata, of a file that ends like this.
pub(crate) fn metadata_bytes(tail: &[u8], size: u64) -> Result<u64> {
    let tail = tail.last_chunk::<TAIL_BYTES>();
    let tail = tail.ok_or_else(|| wrong("the file is shorter than a footer"))?;
    let bytes = FooterTail::try_new(tail)?.metadata_length() as u64;
    match bytes + TAIL_BYTES as u64 <= size {
        true => Ok(bytes),
        false => Err(wrong("the footer is longer than the file")),
    }
}

/// Of a whole file.
pub(crate) fn check_file(file: &[u8]) -> Result<()> {
    let bytes = metadata_bytes(file, file.len() as u64)? as usize;
    let end = file.len() - TAIL_BYTES;
    check(&file[end - bytes..end])
}

/// Refuses what would take the process along, and whatever no writer writes: what is read otherwise
/// here than there could hide something.
pub(crate) fn check(metadata: &[u8]) -> Result<()> {
    Walk(metadata).file().unwrap_or_else(|| Err(wrong("the footer is damaged")))
}

fn wrong(message: impl Into<String>) -> ParquetError {
    ParquetError::General(message.into())
}

/// The bytes that are left. `None` where they end early or are no such structure.
struct Walk<'a>(&'a [u8]);

impl Walk<'_> {
    /// `FileMetaData` as far as its schema: `version` comes before that.
    fn file(&mut self) -> Option<Result<()>> {
        if self.field(0)?? != (1, I32) {
            return None;
        }
        self.varint()?;
        if self.field(1)?? != (2, LIST) {
            return None;
        }
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        if header & 15 == STRUCT { self.elements(count) } else { None }
    }

    /// The tree is stored as its nodes, each before its children.
    fn elements(&mut self, count: u64) -> Option<Result<()>> {
        // Children that are to come, of each group that is open.
        let mut open: Vec<u64> = Vec::new();
        for at in 0..count {
            let left = count - at - 1;
            let children = self.element()?;
            if children > left {
                let message = format!("a group claims {children} columns where {left} can be");
                return Some(Err(wrong(message)));
            }
            if let Some(siblings) = open.last_mut() {
                *siblings = siblings.saturating_sub(1);
            }
            if children > 0 {
                open.push(children);
            }
            if open.len() > DEPTH_MAX {
                let message = format!("more than {DEPTH_MAX} groups are within each other");
                return Some(Err(wrong(message)));
            }
            while open.last() == Some(&0) {
                open.pop();
            }
        }
        Some(Ok(()))
    }

    /// `SchemaElement`: how many children it claims.
    fn element(&mut self) -> Option<u64> {
        let (mut last, mut children) = (0, 0);
        while let Some((id, kind)) = self.field(last)? {
            match (id, kind) {
                // The library takes the lower half of what has no place in its type.
                (5, I32) => {
                    let claimed = i32::try_from(zigzag(self.varint()?)).ok()?;
                    children = u64::try_from(claimed).unwrap_or(0);
                }
                (1..=3 | 6..=9, I32) | (4, BINARY) => self.skip(kind, 0)?,
                (10, STRUCT) => self.logical_type()?,
                (11.., kind) => self.skip(kind, 0)?,
                _ => return None,
            }
            last = id;
        }
        Some(children)
    }

    /// `LogicalType`, a union of structs.
    fn logical_type(&mut self) -> Option<()> {
        let mut last = 0;
        while let Some((of, kind)) = self.field(last)? {
            if kind != STRUCT {
                return None;
            }
            let mut inner = 0;
            while let Some((id, kind)) = self.field(inner)? {
                match (of, id, kind) {
                    // Decimal and geography; integer and variant; time, timestamp and integer.
                    (5, 1 | 2, I32) | (18, 2, I32) => {}
                    (10 | 16, 1, BYTE) => {}
                    (7 | 8, 1, TRUE | FALSE) | (10, 2, TRUE | FALSE) => {}
                    (7 | 8, 2, STRUCT) | (17 | 18, 1, BINARY) => {}
                    (5 | 7 | 8 | 10 | 16..=18, 1 | 2, _) => return None,
                    _ => {}
                }
                self.skip(kind, 0)?;
                inner = id;
            }
            last = of;
        }
        Some(())
    }

    /// Id and kind of the next field; `None` in it at the end of a struct. Ids ascend, and never by
    /// more than the short form has room for.
    fn field(&mut self, last: i16) -> Option<Option<(i16, u8)>> {
        let header = self.byte()?;
        let (delta, kind) = (i16::from(header >> 4), header & 15);
        match (delta, kind) {
            (_, 0) => Some(None),
            (0, _) => None,
            _ => Some(Some((last.checked_add(delta)?, kind))),
        }
    }

    /// Structures of these places have no lists and no maps.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            // Their value is their kind.
            TRUE | FALSE => Some(()),
            BYTE => self.byte().map(drop),
            I16..=I64 => self.varint().map(drop),
            BINARY => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.0 = self.0.get(length..)?;
                Some(())
            }
            STRUCT if depth < SKIP_DEPTH_MAX => {
                let mut last = 0;
                while let Some((id, kind)) = self.field(last)? {
                    self.skip(kind, depth + 1)?;
                    last = id;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
