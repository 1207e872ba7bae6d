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

#[cfg(test)]
mod tests {
    use super::append;

    #[test]
    fn what_shrinks_by_a_quarter_is_compressed_and_comes_back() {
        let bytes: Vec<u8> = (0..10_000u32).flat_map(|n| (n / 50).to_le_bytes()).collect();
        let mut into = b"before".to_vec();
        assert!(append(&bytes, &mut into));
        let back = lz4_flex::block::decompress(&into[6..], bytes.len()).unwrap();
        assert_eq!((&into[..6], back), (&b"before"[..], bytes));
    }

    #[test]
    fn what_hardly_shrinks_is_refused() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let bytes: Vec<u8> = (0..10_000).map(|_| random()).collect();
        let mut into = Vec::new();
        assert!(!append(&bytes, &mut into) && into.is_empty());
    }
}
