//! Which trace something belongs to: W3C Trace Context.

use super::Sampler;

const VERSION: &str = "00";
const SAMPLED: u8 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    /// Whether its spans are told.
    pub sampled: bool,
}

impl Context {
    pub(super) fn root(sampler: &Sampler) -> Context {
        let trace: [u8; 16] = rand::random();
        Context { trace, span: rand::random(), sampled: sampler.root(&trace) }
    }

    pub(super) fn below(self, sampled: bool) -> Context {
        Context { span: rand::random(), sampled, ..self }
    }

    /// The value of a `traceparent`; one that is none counts as none.
    pub fn parse(text: &str) -> Option<Context> {
        let mut parts = text.trim().split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        // Later versions may say more at the end.
        let fits = match version {
            VERSION => parts.next().is_none(),
            other => other != "ff" && bytes::<1>(other).is_some(),
        };
        let (trace, span) = (bytes::<16>(trace)?, bytes::<8>(span)?);
        let [flags] = bytes::<1>(flags)?;
        let known = fits && trace != [0; 16] && span != [0; 8];
        known.then_some(Context { trace, span, sampled: flags & SAMPLED != 0 })
    }
}

/// Lower-case hexadecimal digits.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(digits) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
