//! Standard Webhooks signatures: HMAC-SHA256 over `id.timestamp.body`, version `v1`.

use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

pub const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;
const SECRET_BYTES_MIN: usize = 24;
const SECRET_BYTES_MAX: usize = 64;

/// What sender and receiver share.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    pub fn generate() -> Secret {
        let bytes: [u8; SECRET_BYTES] = rand::random();
        Secret(bytes.to_vec())
    }

    /// `whsec_` and the base64 of 24 to 64 bytes. The error does not repeat what was given.
    pub fn parse(text: &str) -> Result<Secret> {
        let bytes = text.strip_prefix(SECRET_PREFIX).and_then(|text| STANDARD.decode(text).ok());
        let fits = |bytes: &Vec<u8>| (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len());
        bytes.filter(fits).map(Secret).ok_or_else(|| {
            Error::invalid("the secret is not one of Standard Webhooks")
                .hint("`whsec_` and the base64 of 24 to 64 random bytes")
        })
    }

    /// As [`Secret::parse`] reads it.
    pub fn text(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// `v1,` and base64.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp}.");
        format!("v1,{}", STANDARD.encode(authenticate(&self.0, &[head.as_bytes(), body])))
    }
}

/// `t=SECONDS,v1=HEX` over `SECONDS.` and the body: what receivers of another sender check, who
/// chose the secret themselves.
pub fn shared_signature(secret: &str, timestamp: i64, body: &[u8]) -> String {
    let code = authenticate(secret.as_bytes(), &[format!("{timestamp}.").as_bytes(), body]);
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={timestamp},v1={hex}")
}

fn authenticate(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        code.update(part);
    }
    code.finalize().into_bytes().to_vec()
}
