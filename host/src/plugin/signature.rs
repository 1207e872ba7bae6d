//! Signatures of extractors: Ed25519 (RFC 8032) over name, version and digest, kept in a file of
//! their own beside the component. The signed text is [`Signature::signed`], so that any tool
//! can make and check them.

use super::inspect::{Inspection, hex};
use crate::error::{Code, Context, Error, Result};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// A file with a signature, or with a key, may be this large.
pub const SIGNATURE_BYTES_MAX: usize = 16 << 10;
/// A signature's file is named as the component's, and this.
pub const SIGNATURE_SUFFIX: &str = ".sig";

pub(super) const ALGORITHM: &str = "ed25519";
const PREFIX: &str = "ed25519:";
const PUBLIC_BYTES: usize = 32;
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";
const PEM_COLUMNS: usize = 64;
const CONTEXT: &str = "quarry-extractor-signature-v1";

/// Of a component, as in its `.sig` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// See [`PublicKey::id`].
    pub key_id: String,
    /// `ed25519`.
    pub algorithm: String,
    pub name: String,
    pub version: String,
    /// `sha256:` and the SHA-256 of the component in hex.
    pub digest: String,
    /// Base64 of 64 bytes.
    pub signature: String,
}

impl Signature {
    pub fn parse(json: &[u8]) -> Result<Signature> {
        let named = || "the signature can not be read".to_string();
        if json.len() > SIGNATURE_BYTES_MAX {
            let message = format!("the signature has more than {SIGNATURE_BYTES_MAX} bytes");
            return Err(Error::new(Code::Extractor, message));
        }
        serde_json::from_slice(json).context(Code::Extractor, named)
    }

    pub fn to_json(&self) -> Result<Vec<u8>> {
        let named = || "the signature can not be written".to_string();
        let mut json = serde_json::to_vec_pretty(self).context(Code::Internal, named)?;
        json.push(b'\n');
        Ok(json)
    }

    /// What is signed: five lines, each with its end. None of the values has a line's end in it.
    pub fn signed(&self) -> String {
        let Signature { key_id, name, version, digest, .. } = self;
        format!("{CONTEXT}\n{key_id}\n{name}\n{version}\n{digest}\n")
    }

    /// Whether it is one of this component.
    pub(super) fn check_names(&self, inspection: &Inspection) -> Result<()> {
        let differs = |what: &str, of: &str, has: &str| {
            let name = super::log::clean(&format!("{}@{}", self.name, self.version), 200);
            let message = format!("the signature of {name} is for another component");
            let reason = format!("its {what} is {of}, the component's is {has}");
            Err(Error::new(Code::Forbidden, message)
                .source(super::log::clean(&reason, 500))
                .hint("fetch component and signature again, from where you trust them"))
        };
        let digest = format!("sha256:{}", inspection.digest);
        if self.digest != digest {
            return differs("digest", &self.digest, &digest);
        }
        match (&inspection.name, &inspection.version) {
            (Some(name), _) if *name != self.name => differs("name", &self.name, name),
            (_, Some(version)) if *version != self.version => {
                differs("version", &self.version, version)
            }
            _ => Ok(()),
        }
    }
}

/// Signs. There is no `Debug` for it.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    pub fn generate() -> Result<SigningKey> {
        let pair = Ed25519KeyPair::generate();
        pair.map(SigningKey).map_err(|_| Error::internal("no key could be made"))
    }

    /// PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it, too.
    pub fn parse(pem: &str) -> Result<SigningKey> {
        let wrong = || {
            Error::invalid("this is no private Ed25519 key in PEM")
                .hint("make one: quarry extractor key-gen NAME")
        };
        let inside = pem.trim().strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END));
        let inside: String = inside.ok_or_else(wrong)?.split_ascii_whitespace().collect();
        let der = BASE64.decode(inside).map_err(|_| wrong())?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(SigningKey).map_err(|_| wrong())
    }

    pub fn to_pem(&self) -> Result<String> {
        let failed = |_| Error::internal("the key could not be encoded");
        let text = BASE64.encode(self.0.to_pkcs8v1().map_err(failed)?);
        let lines: Vec<&str> = (0..text.len())
            .step_by(PEM_COLUMNS)
            .map(|at| &text[at..text.len().min(at + PEM_COLUMNS)])
            .collect();
        Ok(format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", lines.join("\n")))
    }

    pub fn public(&self) -> Result<PublicKey> {
        let bytes = self.0.public_key().as_ref().try_into();
        bytes.map(PublicKey).map_err(|_| Error::internal("the key has no public part"))
    }

    /// Of a component, which has to be stamped with name and version.
    pub fn sign(&self, inspection: &Inspection) -> Result<Signature> {
        let (Some(name), Some(version)) = (&inspection.name, &inspection.version) else {
            let message = "the extractor is not stamped with a name and a version";
            return Err(
                Error::new(Code::Extractor, message).hint("build it with `quarry extractor build`")
            );
        };
        let plain = |text: &String| !text.contains(char::is_control);
        if !plain(name) || !plain(version) {
            let message = "the extractor's name or version has control characters";
            return Err(Error::new(Code::Extractor, message));
        }
        let mut signature = Signature {
            key_id: self.public()?.id(),
            algorithm: ALGORITHM.to_string(),
            name: name.clone(),
            version: version.clone(),
            digest: format!("sha256:{}", inspection.digest),
            signature: String::new(),
        };
        signature.signature = BASE64.encode(self.0.sign(signature.signed().as_bytes()));
        Ok(signature)
    }
}

/// `ed25519:` and base64 of the 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; PUBLIC_BYTES]);

impl PublicKey {
    pub fn parse(text: &str) -> Result<PublicKey> {
        let decoded = text.trim().strip_prefix(PREFIX).and_then(|text| BASE64.decode(text).ok());
        let bytes = decoded.and_then(|bytes| <[u8; PUBLIC_BYTES]>::try_from(bytes).ok());
        bytes.map(PublicKey).ok_or_else(|| {
            let shown = super::log::clean(text, 80);
            Error::invalid(format!("`{shown}` is no public key"))
                .hint("write ed25519: and the base64 of 32 bytes, as in the .pub file of a key")
        })
    }

    /// The first 16 hexadecimal digits of the key's SHA-256.
    pub fn id(&self) -> String {
        hex(&Sha256::digest(self.0)[..8])
    }

    /// Whether it made this signature. What was signed is not looked at.
    pub(super) fn made(&self, signature: &Signature) -> bool {
        let decoded = BASE64.decode(&signature.signature);
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        signature.algorithm == ALGORITHM
            && decoded.is_ok_and(|bytes| key.verify(signature.signed().as_bytes(), &bytes).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64.encode(self.0))
    }
}
