//! What a script pushes, read the plain way: values by document, without any check.

use super::super::guest::{
    ARGUMENTS, DOCUMENTS, FIXED, LOG, REJECT, SPARSE, STEP_BYTES, VARLEN, VECTORS,
};
use quarry::model::{Description, FieldKind};

/// For each output the bytes of each document; `None` is null. A sparse vector is its indices and
/// then its values.
pub(super) type Columns = Vec<Vec<Option<Vec<u8>>>>;

/// `None` where the script reads memory that is not its own.
pub(super) fn pushed(
    script: &[u8],
    description: &Description,
    documents: usize,
) -> Option<Columns> {
    let mut columns = vec![vec![None; documents]; description.outputs.len()];
    let steps = words(script, 0, 1)?[0];
    for step in 0..steps as usize {
        let step = words(script, (4 + step * STEP_BYTES) as u32, 1 + ARGUMENTS as u32)?;
        let (number, arguments) = (step[0], &step[1..]);
        let at = |n: usize| arguments[n];
        let slice = |n: usize| bytes(script, at(n), at(n + 1));
        let (field, first) = (at(0) as usize, at(1) as usize);
        let values: Vec<Option<Vec<u8>>> = match number {
            VECTORS => {
                let width = description.outputs.get(field)?.dimension? as usize * 4;
                slice(2)?.chunks(width).map(|vector| Some(vector.to_vec())).collect()
            }
            FIXED => {
                let bool = description.outputs.get(field)?.kind == FieldKind::Bool;
                let values = slice(4)?.chunks(if bool { 1 } else { 8 });
                let bits = slice(2)?;
                values.enumerate().map(|(n, v)| valid(bits, n).then(|| v.to_vec())).collect()
            }
            VARLEN => {
                let multi = description.outputs.get(field)?.kind == FieldKind::Multi;
                let (bits, data) = (slice(2)?, slice(6)?);
                let offsets = words(script, at(4), at(5))?;
                let mut values = Vec::new();
                for (n, range) in offsets.windows(2).enumerate() {
                    let value = data.get(range[0] as usize..range[1] as usize)?;
                    // A multi-vector without vectors is none.
                    let there = valid(bits, n) && !(multi && value.is_empty());
                    values.push(there.then(|| value.to_vec()));
                }
                values
            }
            SPARSE => {
                let (offsets, indices) =
                    (words(script, at(2), at(3))?, words(script, at(4), at(5))?);
                let weights = slice(6)?;
                let mut values = Vec::new();
                for range in offsets.windows(2) {
                    let (from, to) = (range[0] as usize, range[1] as usize);
                    let indices = indices.get(from..to)?.iter().flat_map(|n| n.to_le_bytes());
                    let value: Vec<u8> =
                        indices.chain(weights.get(from * 4..to * 4)?.iter().copied()).collect();
                    values.push((!value.is_empty()).then_some(value));
                }
                values
            }
            DOCUMENTS | REJECT | LOG => continue,
            _ => continue,
        };
        let column = columns.get_mut(field)?;
        for (value, place) in values.into_iter().zip(column.get_mut(first..)?) {
            *place = value;
        }
    }
    Some(columns)
}

fn bytes(script: &[u8], at: u32, len: u32) -> Option<&[u8]> {
    script.get(at as usize..(at as usize).checked_add(len as usize)?)
}

fn words(script: &[u8], at: u32, count: u32) -> Option<Vec<u32>> {
    let (words, _) = bytes(script, at, count.checked_mul(4)?)?.as_chunks::<4>();
    Some(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

/// No bitmap at all: everything is there.
fn valid(bits: &[u8], at: usize) -> bool {
    bits.is_empty() || bits.get(at / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0)
}
