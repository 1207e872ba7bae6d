//! Links that open one thing for a while to whoever has them: the token says what and until when,
//! and is signed with a secret of this installation.

use super::Control;
use crate::error::{Code, Error, Result};
use crate::model::{BucketId, NamespaceId};
use crate::store::Store;
use crate::store::catalog::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const SECRET: &str = "links";

/// What a link opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    #[serde(rename = "v")]
    pub verb: Verb,
    #[serde(rename = "n")]
    pub namespace: NamespaceId,
    #[serde(rename = "b")]
    pub bucket: BucketId,
    /// Name of the bytes in the object store.
    #[serde(rename = "s")]
    pub stored: String,
    /// Seconds since 1970.
    #[serde(rename = "e")]
    pub expires: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    Put,
    Get,
}

impl Control {
    /// The token of a link.
    pub fn sign(&self, link: &Link) -> Result<String> {
        let payload = serde_json::to_vec(link)
            .map_err(|error| Error::internal("can not encode a link").source(error))?;
        let tag = self.tagged(&payload)?.finalize().into_bytes();
        Ok(format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(tag)))
    }

    /// What the token opens. The answer is the same for all that open nothing.
    pub fn opened(&self, token: &str, verb: Verb, id: &str) -> Result<Link> {
        let refused = || {
            Error::new(Code::Forbidden, "the link is not valid, or not any more")
                .hint("ask for a new one")
        };
        let (payload, tag) = token.split_once('.').ok_or_else(refused)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| refused())?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| refused())?;
        self.tagged(&payload)?.verify_slice(&tag).map_err(|_| refused())?;
        let link: Link = serde_json::from_slice(&payload).map_err(|_| refused())?;
        let fits = link.verb == verb
            && link.stored.rsplit('/').next() == Some(id)
            && link.expires > self.engine.env.now().timestamp();
        if fits { Ok(link) } else { Err(refused()) }
    }

    fn tagged(&self, payload: &[u8]) -> Result<Hmac<Sha256>> {
        let secret = self.link_secret()?;
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes());
        let mac = mac.map_err(|error| Error::internal("can not sign a link").source(error))?;
        Ok(mac.chain_update(payload))
    }

    /// Made when it is needed for the first time.
    fn link_secret(&self) -> Result<String> {
        let store = &self.engine.store;
        if let Some(Secret(secret)) = store.find(SECRET)? {
            return Ok(secret);
        }
        let _lock = self.locks.hold(SECRET);
        if let Some(Secret(secret)) = store.find(SECRET)? {
            return Ok(secret);
        }
        let bytes: [u8; 32] = rand::random();
        let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        store.commit(vec![Store::put(SECRET, &Secret(secret.clone()))?])?;
        Ok(secret)
    }
}
