//! 64 bytes at a time: questions about bytes, answered as bit masks.

use std::ops::BitOr;

/// Bytes in one [`Bytes64`].
pub const BLOCK: usize = 64;

/// A block of 64 bytes of text. Comparisons give blocks of 0x00 and 0xff, which can be or-ed and
/// turned into a mask of one bit a byte, lowest bit first. One turn of a loop over blocks is enough
/// work to make the check for the host's deadline in it free, and masks find words without a branch
/// for every byte.
///
/// ```
/// use quarry_extractor::Bytes64;
///
/// let block = Bytes64::at(b"two words", 0, b' ');
/// assert_eq!(block.equal(b' ').bits().trailing_zeros(), 3);
/// let letters = block.between(b'a', b'z').bits();
/// assert_eq!(letters.count_ones(), 8);
/// ```
#[derive(Clone, Copy)]
pub struct Bytes64(imp::Lanes);

impl Bytes64 {
    /// Loads a block.
    #[inline]
    pub fn new(bytes: &[u8; BLOCK]) -> Self {
        Self(imp::load(bytes))
    }

    /// Loads the block of `bytes` that starts at `from`; what is missing at the end is `fill`.
    ///
    /// # Panics
    /// When `from` is beyond the end.
    #[inline]
    pub fn at(bytes: &[u8], from: usize, fill: u8) -> Self {
        let rest = &bytes[from..];
        match rest.first_chunk() {
            Some(block) => Self::new(block),
            None => {
                let mut block = [fill; BLOCK];
                block[..rest.len()].copy_from_slice(rest);
                Self::new(&block)
            }
        }
    }

    /// 0xff where a byte is `byte`.
    #[inline]
    pub fn equal(self, byte: u8) -> Self {
        Self(imp::equal(self.0, byte))
    }

    /// 0xff where a byte is in `low..=high`.
    #[inline]
    pub fn between(self, low: u8, high: u8) -> Self {
        Self(imp::at_most(imp::subtract(self.0, low), high - low))
    }

    /// Sets bits in every byte; `with(0x20)` makes ASCII letters lower-case.
    #[inline]
    pub fn with(self, bits: u8) -> Self {
        Self(imp::or(self.0, imp::splat(bits)))
    }

    /// The highest bit of every byte.
    #[inline]
    pub fn bits(self) -> u64 {
        imp::bits(self.0)
    }
}

impl BitOr for Bytes64 {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(imp::or(self.0, other.0))
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use std::arch::wasm32::{
        u8x16_bitmask, u8x16_eq, u8x16_le, u8x16_splat, u8x16_sub, v128, v128_load, v128_or,
    };

    pub(super) type Lanes = [v128; 4];

    #[inline]
    pub(super) fn load(bytes: &[u8; 64]) -> Lanes {
        let pointer = bytes.as_ptr().cast::<v128>();
        // SAFETY: four unaligned loads of 16 bytes, within the 64 of the array.
        unsafe { [0, 1, 2, 3].map(|lane| v128_load(pointer.add(lane))) }
    }

    #[inline]
    pub(super) fn splat(byte: u8) -> Lanes {
        [u8x16_splat(byte); 4]
    }

    #[inline]
    pub(super) fn equal(lanes: Lanes, byte: u8) -> Lanes {
        lanes.map(|lane| u8x16_eq(lane, u8x16_splat(byte)))
    }

    #[inline]
    pub(super) fn subtract(lanes: Lanes, byte: u8) -> Lanes {
        lanes.map(|lane| u8x16_sub(lane, u8x16_splat(byte)))
    }

    #[inline]
    pub(super) fn at_most(lanes: Lanes, byte: u8) -> Lanes {
        lanes.map(|lane| u8x16_le(lane, u8x16_splat(byte)))
    }

    #[inline]
    pub(super) fn or(left: Lanes, right: Lanes) -> Lanes {
        [0, 1, 2, 3].map(|lane| v128_or(left[lane], right[lane]))
    }

    #[inline]
    pub(super) fn bits(lanes: Lanes) -> u64 {
        let [a, b, c, d] = lanes.map(|lane| u64::from(u8x16_bitmask(lane)));
        a | b << 16 | c << 32 | d << 48
    }
}

#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8, _mm_sub_epi8,
    };

    pub(super) type Lanes = [__m128i; 4];

    #[inline]
    pub(super) fn load(bytes: &[u8; 64]) -> Lanes {
        let pointer = bytes.as_ptr().cast::<__m128i>();
        // SAFETY: four unaligned loads of 16 bytes, within the 64 of the array.
        unsafe { [0, 1, 2, 3].map(|lane| _mm_loadu_si128(pointer.add(lane))) }
    }

    #[inline]
    fn splat_one(byte: u8) -> __m128i {
        // SAFETY: SSE2 is part of x86_64.
        unsafe { _mm_set1_epi8(byte.cast_signed()) }
    }

    #[inline]
    pub(super) fn splat(byte: u8) -> Lanes {
        [splat_one(byte); 4]
    }

    #[inline]
    pub(super) fn equal(lanes: Lanes, byte: u8) -> Lanes {
        // SAFETY: SSE2 is part of x86_64.
        lanes.map(|lane| unsafe { _mm_cmpeq_epi8(lane, splat_one(byte)) })
    }

    #[inline]
    pub(super) fn subtract(lanes: Lanes, byte: u8) -> Lanes {
        // SAFETY: SSE2 is part of x86_64.
        lanes.map(|lane| unsafe { _mm_sub_epi8(lane, splat_one(byte)) })
    }

    #[inline]
    pub(super) fn at_most(lanes: Lanes, byte: u8) -> Lanes {
        // SAFETY: SSE2 is part of x86_64.
        lanes.map(|lane| unsafe { _mm_cmpeq_epi8(_mm_min_epu8(lane, splat_one(byte)), lane) })
    }

    #[inline]
    pub(super) fn or(left: Lanes, right: Lanes) -> Lanes {
        // SAFETY: SSE2 is part of x86_64.
        [0, 1, 2, 3].map(|lane| unsafe { _mm_or_si128(left[lane], right[lane]) })
    }

    #[inline]
    pub(super) fn bits(lanes: Lanes) -> u64 {
        // SAFETY: SSE2 is part of x86_64.
        let bits = |lane| u64::from(unsafe { _mm_movemask_epi8(lane) }.cast_unsigned());
        let [a, b, c, d] = lanes.map(bits);
        a | b << 16 | c << 32 | d << 48
    }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
mod imp {
    pub(super) type Lanes = [u8; 64];

    #[inline]
    pub(super) fn load(bytes: &[u8; 64]) -> Lanes {
        *bytes
    }

    #[inline]
    pub(super) fn splat(byte: u8) -> Lanes {
        [byte; 64]
    }

    #[inline]
    pub(super) fn equal(lanes: Lanes, byte: u8) -> Lanes {
        lanes.map(|lane| if lane == byte { 0xff } else { 0 })
    }

    #[inline]
    pub(super) fn subtract(lanes: Lanes, byte: u8) -> Lanes {
        lanes.map(|lane| lane.wrapping_sub(byte))
    }

    #[inline]
    pub(super) fn at_most(lanes: Lanes, byte: u8) -> Lanes {
        lanes.map(|lane| if lane <= byte { 0xff } else { 0 })
    }

    #[inline]
    pub(super) fn or(left: Lanes, right: Lanes) -> Lanes {
        std::array::from_fn(|lane| left[lane] | right[lane])
    }

    #[inline]
    pub(super) fn bits(lanes: Lanes) -> u64 {
        // Eight high bits of a word land side by side in its top byte.
        let mut bits = 0;
        for (word, eight) in lanes.chunks_exact(8).enumerate() {
            let eight = eight.iter().rev().fold(0, |word, &lane| word << 8 | u64::from(lane));
            let gathered = (eight >> 7 & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080);
            bits |= (gathered >> 56) << (word * 8);
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes64;

    #[test]
    fn every_byte_value_is_answered_in_its_place() {
        for first in (0..=255u8).step_by(64) {
            let bytes: Vec<u8> = (0..64).map(|offset| first + offset).collect();
            let block = Bytes64::at(&bytes, 0, 0);
            let mask = |test: &dyn Fn(u8) -> bool| {
                (0..64).fold(0, |mask, bit| mask | u64::from(test(bytes[bit])) << bit)
            };
            assert_eq!(block.equal(9).bits(), mask(&|byte| byte == 9));
            assert_eq!(block.between(9, 13).bits(), mask(&|byte| (9..=13).contains(&byte)));
            assert_eq!(block.between(0x80, 0xbf).bits(), mask(&|byte| byte & 0xc0 == 0x80));
            assert_eq!(
                (block.equal(b' ') | block.with(0x20).between(b'a', b'z')).bits(),
                mask(&|byte| byte == b' ' || byte.is_ascii_alphabetic()),
            );
        }
    }

    #[test]
    fn the_last_block_is_filled_up() {
        let spaces = Bytes64::at(&[b'x'; 70], 64, b' ').equal(b' ').bits();
        assert_eq!(spaces, u64::MAX << 6);
        assert_eq!(Bytes64::at(b"", 0, b' ').equal(b' ').bits(), u64::MAX);
    }
}
