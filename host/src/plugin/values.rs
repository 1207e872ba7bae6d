//! Checks over the bytes of many values at once.

use crate::model::VECTOR_VALUE_MAX;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A validity bitmap of a guest: least significant bit first; none at all when nothing is null.
pub(super) struct Bits<'a>(&'a [u8]);

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Bits(bytes)
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        (!self.0.is_empty()).then_some(self.0)
    }

    pub(super) fn is_valid(&self, at: usize) -> bool {
        self.0.is_empty() || self.0[at / 8] & (1 << (at % 8)) != 0
    }
}

/// The first f32 that no vector may hold: a NaN, an infinity, or one above [`VECTOR_VALUE_MAX`],
/// which no sink takes. Without their sign the bits of floats are in the order of their values, and
/// those of a NaN are above all: what is added carries into the sign exactly for what is too large.
/// Two lanes are tested in one word and a block without a branch, which is fast even where the
/// compiler does not vectorise.
pub(super) fn first_unfit_f32(data: &[u8]) -> Option<usize> {
    const MAGNITUDES: u64 = 0x7fff_ffff_7fff_ffff;
    const ABOVE: u64 = (0x7fff_ffff - VECTOR_VALUE_MAX.to_bits() as u64) * 0x1_0000_0001;
    const SIGNS: u64 = 0x8000_0000_8000_0000;
    const BLOCK: usize = 4096;
    let carry = |word: &[u8; 8]| (u64::from_le_bytes(*word) & MAGNITUDES) + ABOVE;
    for (at, block) in data.chunks(BLOCK).enumerate() {
        let (fours, rest) = block.as_chunks::<32>();
        let mut any = 0;
        for four in fours {
            let (words, _) = four.as_chunks::<8>();
            any |= carry(&words[0]) | carry(&words[1]) | carry(&words[2]) | carry(&words[3]);
        }
        let odd = |lane: &[u8; 4]| {
            let value = f32::from_le_bytes(*lane);
            !value.is_finite() || value.abs() > VECTOR_VALUE_MAX
        };
        if any & SIGNS != 0 || rest.as_chunks::<4>().0.iter().any(odd) {
            let lane = block.as_chunks::<4>().0.iter().position(odd)?;
            return Some(at * (BLOCK / 4) + lane);
        }
    }
    None
}

/// The first f64 that is not null and not finite.
pub(super) fn first_not_finite_f64(data: &[u8], bits: &Bits<'_>) -> Option<usize> {
    let (lanes, _) = data.as_chunks::<8>();
    let finite = |lane: &[u8; 8]| f64::from_le_bytes(*lane).is_finite();
    let mut lanes = lanes.iter().enumerate();
    lanes.find(|(at, lane)| !finite(lane) && bits.is_valid(*at)).map(|(at, _)| at)
}

/// `data` as text if all of it is UTF-8 and every offset is at the start of a character; otherwise
/// the value that is wrong.
pub(super) fn text<'a>(data: &'a [u8], offsets: &[u32]) -> Result<&'a str, usize> {
    let value_of = |byte: usize| {
        offsets.partition_point(|o| u32::from_le(*o) as usize <= byte).saturating_sub(1)
    };
    let text = std::str::from_utf8(data).map_err(|error| value_of(error.valid_up_to()))?;
    let cut = offsets.iter().position(|o| !text.is_char_boundary(u32::from_le(*o) as usize));
    match cut {
        None => Ok(text),
        Some(at) => Err(at.saturating_sub(1)),
    }
}

/// Parses every value that is not null; the error is the value's number and what is wrong.
pub(super) fn check_json(
    text: &str,
    offsets: &[u32],
    bits: &Bits<'_>,
    depth_max: u32,
) -> Result<(), (usize, String)> {
    for (at, range) in offsets.windows(2).enumerate() {
        if !bits.is_valid(at) {
            continue;
        }
        let value = &text[u32::from_le(range[0]) as usize..u32::from_le(range[1]) as usize];
        let mut parser = serde_json::Deserializer::from_str(value);
        let parsed = Json { levels: depth_max, depth_max }
            .deserialize(&mut parser)
            .and_then(|()| parser.end());
        parsed.map_err(|error| (at, error.to_string()))?;
    }
    Ok(())
}

/// Visits a JSON value as `serde_json::Value` would be parsed, keeping nothing. `IgnoredAny` will
/// not do: it lets numbers and escapes pass that can not be parsed later.
struct Json {
    /// That there may be below.
    levels: u32,
    depth_max: u32,
}

impl Json {
    fn deeper<E: Error>(&self) -> Result<Json, E> {
        let depth_max = self.depth_max;
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Json { levels, depth_max }),
            None => Err(E::custom(format!("nested deeper than {depth_max}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Json {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        // No sink takes it: the protocol has signed integers only.
        i64::try_from(value)
            .map(|_| ())
            .map_err(|_| E::custom("an integer above 9223372036854775807"))
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Json { levels, depth_max } = self.deeper::<A::Error>()?;
        while items.next_element_seed(Json { levels, depth_max })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Json { levels, depth_max } = self.deeper::<A::Error>()?;
        while entries.next_key_seed(Json { levels, depth_max })?.is_some() {
            entries.next_value_seed(Json { levels, depth_max })?;
        }
        Ok(())
    }
}
