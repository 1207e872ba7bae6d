//! FNV-1a, 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// ASCII letters in lower case; of digits it sets a bit that is set.
const LOWER: u8 = 0x20;

/// Bytes that are hashed without a branch.
const STEPS: usize = 8;

#[inline]
fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(PRIME)
}

/// The hash of bytes as they are.
pub(crate) fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(OFFSET, step)
}

/// The hash of the token `text[start..end]` of ASCII letters and digits, lower-cased.
///
/// The lengths of words are random, so a loop over their bytes mispredicts its end once a word and
/// that costs more than the hash. Instead eight bytes are always read and hashed and the state
/// after the right one is taken; the rounds of neighbouring words then overlap in the processor.
#[inline]
pub(crate) fn ascii_token(text: &[u8], start: usize, end: usize) -> u64 {
    let len = end - start;
    let Some(eight) = text.get(start..start + STEPS) else {
        return fnv1a(text[start..end].iter().map(|byte| byte | LOWER));
    };
    let mut states = [OFFSET; STEPS + 1];
    for (index, byte) in eight.iter().enumerate() {
        states[index + 1] = step(states[index], byte | LOWER);
    }
    if len <= STEPS {
        return states[len];
    }
    text[start + STEPS..end].iter().fold(states[STEPS], |hash, byte| step(hash, byte | LOWER))
}

/// Takes a hash modulo the dimensions, without a division where that can be: WebAssembly has no
/// upper half of a product, which is what compilers make such divisions of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Buckets {
    /// 2^n: its mask.
    PowerOfTwo(u64),
    /// 3·2^n: n.
    ThreeTimes(u32),
    /// Any other.
    Other(u64),
}

impl Buckets {
    pub(crate) fn new(dimensions: u32) -> Self {
        let shift = dimensions.trailing_zeros();
        match dimensions >> shift {
            1 => Self::PowerOfTwo(u64::from(dimensions) - 1),
            3 => Self::ThreeTimes(shift),
            _ => Self::Other(u64::from(dimensions)),
        }
    }
}

/// h mod 3·2^shift: the low bits stay, the rest is taken modulo 3, where 2^32 and 2^16 are 1.
#[inline]
pub(crate) fn modulo_three_times(hash: u64, shift: u32) -> u32 {
    let high = hash >> shift;
    let folded = (high >> 32) + (high & 0xffff_ffff);
    let folded = (folded >> 16) + (folded & 0xffff);
    // Under 2^18, so that a third is exact in 64 bits.
    let third = (folded * 0xaaaa_aaab) >> 33;
    let remainder = folded - 3 * third;
    (remainder << shift | hash & ((1 << shift) - 1)) as u32
}
