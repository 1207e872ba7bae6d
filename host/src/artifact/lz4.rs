//! LZ4 where it is worth its time. Random bytes, ids and short shuffled texts hardly shrink, and
//! compressing them anyway costs more than the extraction of their rows.

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use std::cell::RefCell;

thread_local! {
    /// A worker compresses hundreds of parts: fresh memory for each costs more than compressing.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        table: CompressTable::large(),
        output: Vec::new(),
    });
}

struct Scratch {
    table: CompressTable,
    output: Vec<u8>,
}

/// Tried first where there is much more.
const SAMPLE_BYTES: usize = 16 << 10;

/// Appends the bytes compressed; or says no, and appends nothing, when that saves less than a
/// quarter of them.
pub(super) fn append(bytes: &[u8], into: &mut Vec<u8>) -> bool {
    SCRATCH.with_borrow_mut(|scratch| {
        if bytes.len() > 4 * SAMPLE_BYTES && scratch.compress(&bytes[..SAMPLE_BYTES]).is_none() {
            return false;
        }
        let compressed = scratch.compress(bytes);
        into.extend_from_slice(compressed.unwrap_or_default());
        compressed.is_some()
    })
}

impl Scratch {
    fn compress(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        let needed = get_maximum_output_size(bytes.len());
        if self.output.len() < needed {
            self.output.resize(needed, 0);
        }
        let size = compress_into_with_table(bytes, &mut self.output, &mut self.table).ok()?;
        (size < bytes.len() / 4 * 3).then(|| &self.output[..size])
    }
}
