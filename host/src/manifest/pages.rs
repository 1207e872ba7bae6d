//! Pages that are looked at before they are decoded: the decoders make room for as many values as a
//! page claims, and a damaged or crafted one claims gigabytes that no allocator gives.
//!
//! Encodings: the Parquet format's `Encodings.md`, DELTA_BINARY_PACKED and those made of it.
//! Headers: its `parquet.thrift`, `PageHeader`, in Thrift's compact protocol.

use super::group::Chunk;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::SerializedPageReader;

/// A page may have so many bytes decompressed, and so many more for each that it has compressed.
/// The library makes room for what the header claims before it decompresses (60.1: `decode_page`),
/// twice with Brotli. Gzip saves a factor of 1,032 at most; others save more, of few bytes.
const PAGE_BYTES_MIN: u64 = 64 << 20;
const PAGE_RATIO_MAX: u64 = 1024;
/// A field of 32 bits in a struct of Thrift, one after the field before.
const NEXT_I32: u8 = 0x15;

/// Looks at the sizes with which the header of a page begins.
pub(super) fn check_header(header: &[u8]) -> Result<()> {
    let Some((decompressed, compressed)) = sizes(header) else {
        let message = "a page does not begin with its type and its sizes";
        return Err(ParquetError::General(message.to_string()));
    };
    let most = PAGE_BYTES_MIN.saturating_add(compressed.saturating_mul(PAGE_RATIO_MAX));
    match decompressed <= most {
        true => Ok(()),
        false => {
            let message = format!("a page of {compressed} bytes claims to be {decompressed}");
            Err(ParquetError::General(message))
        }
    }
}

/// Bytes of the page after and before decompression. All writers write fields in their order.
fn sizes(mut header: &[u8]) -> Option<(u64, u64)> {
    let mut next = || {
        let (&NEXT_I32, rest) = header.split_first()? else { return None };
        header = rest;
        // Zigzag; what is negative the library refuses.
        Some(varint(&mut header)? >> 1)
    };
    let _type = next()?;
    Some((next()?, next()?))
}

pub(super) struct CheckedPages {
    pages: SerializedPageReader<Chunk>,
    /// Of the whole column chunk.
    values: u64,
    repeated: bool,
    optional: bool,
}

impl CheckedPages {
    pub(super) fn new(
        pages: SerializedPageReader<Chunk>,
        chunk: &ColumnChunkMetaData,
    ) -> CheckedPages {
        CheckedPages {
            pages,
            values: u64::try_from(chunk.num_values()).unwrap_or(0),
            repeated: chunk.column_descr().max_rep_level() > 0,
            optional: chunk.column_descr().max_def_level() > 0,
        }
    }

    fn check(&self, page: &Page) -> Result<()> {
        let (claimed, most) = match page {
            Page::DictionaryPage { buf, num_values, .. } => {
                (u64::from(*num_values), buf.len() as u64)
            }
            Page::DataPage { buf, num_values, encoding, .. } => {
                let values = self.after_levels(buf);
                let most = u64::from(*num_values);
                (values.map_or(0, |bytes| claimed(bytes, *encoding, most)).max(most), self.values)
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                let most = u64::from(*num_values);
                let values = buf.get(levels..);
                (values.map_or(0, |bytes| claimed(bytes, *encoding, most)).max(most), self.values)
            }
        };
        match claimed <= most {
            true => Ok(()),
            false => {
                let message = format!("a page claims {claimed} values where {most} can be");
                Err(ParquetError::General(message))
            }
        }
    }

    /// Levels of this version of pages begin with their length, if they are run-length encoded. The
    /// encoding that is not has been deprecated for ten years, and nothing is claimed by it.
    fn after_levels<'a>(&self, mut page: &'a [u8]) -> Option<&'a [u8]> {
        for _ in 0..usize::from(self.repeated) + usize::from(self.optional) {
            let (length, rest) = page.split_first_chunk::<4>()?;
            page = rest.get(u32::from_le_bytes(*length) as usize..)?;
        }
        Some(page)
    }
}

/// How many values the bytes say they hold; 0 where an encoding says nothing of it.
fn claimed(bytes: &[u8], encoding: Encoding, most: u64) -> u64 {
    match encoding {
        Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY => {
            packed(bytes, most).map_or(0, |(claimed, _)| claimed)
        }
        // Lengths of the prefixes, then lengths of the rest.
        Encoding::DELTA_BYTE_ARRAY => packed(bytes, most).map_or(0, |(prefixes, rest)| {
            prefixes.max(packed(rest, most).map_or(0, |(suffixes, _)| suffixes))
        }),
        _ => 0,
    }
}

/// How many numbers are packed here, and what comes after them. What is cut off the decoder finds.
fn packed(mut bytes: &[u8], most: u64) -> Option<(u64, &[u8])> {
    let block = varint(&mut bytes)?;
    let miniblocks = usize::try_from(varint(&mut bytes)?).ok()?;
    let claimed = varint(&mut bytes)?;
    if claimed > most {
        return Some((claimed, &[]));
    }
    varint(&mut bytes)?;
    let each = block.checked_div(miniblocks as u64).filter(|each| *each > 0)?;
    let mut left = claimed.saturating_sub(1);
    while left > 0 {
        varint(&mut bytes)?;
        let (widths, mut rest) = bytes.split_at_checked(miniblocks)?;
        for width in widths {
            if left > 0 {
                let bits = each.checked_mul(u64::from(*width))?;
                rest = rest.get(usize::try_from(bits / 8).ok()?..)?;
                left = left.saturating_sub(each);
            }
        }
        bytes = rest;
    }
    Some((claimed, bytes))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.as_ref().map_or(Ok(()), |page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.pages.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>> {
        let page = self.pages.take_deferred_dictionary()?;
        page.as_ref().map_or(Ok(()), |page| self.check(page))?;
        Ok(page)
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}
