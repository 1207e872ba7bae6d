//! API keys: made, rotated, revoked, and who somebody is who shows one.
//!
//! `qk_<id>_<43 characters of base64url>_<8 hex digits of a CRC-32>`: the prefix lets scanners find
//! leaked ones, the checksum tells a typing error from a wrong key.

use super::{Control, not_found};
use crate::error::{Code, Error, Result};
use crate::model::{KeyId, NamespaceId, Scope};
use crate::store::Store;
use crate::store::catalog::{Key, KeySecret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const PREFIX: &str = "qk_";
const SECRET_BYTES: usize = 32;

/// Who is asking.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// `None`: somebody on this machine, and keys are not asked for.
    pub key: Option<KeyId>,
    pub scopes: Vec<Scope>,
    /// The only namespace there is for them.
    pub namespace: Option<NamespaceId>,
}

impl Caller {
    /// May do everything.
    pub fn operator() -> Caller {
        Caller { key: None, scopes: vec![Scope::Admin], namespace: None }
    }

    /// May do what needs no key.
    pub fn anybody() -> Caller {
        Caller { key: None, scopes: Vec::new(), namespace: None }
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewKey {
    pub name: String,
    pub scopes: Vec<Scope>,
    pub namespace: Option<NamespaceId>,
    pub expires_at: Option<String>,
}

/// A key with its secret, which is shown this once.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeKey {
    pub key: Key,
    pub secret: String,
}

fn checksum(body: &str) -> String {
    format!("{:08x}", crc32fast::hash(body.as_bytes()))
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn make_secret(id: &KeyId) -> String {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    let id = id.as_str().trim_start_matches(KeyId::PREFIX);
    let body = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(bytes));
    format!("{body}_{}", checksum(&body))
}

/// The id of the key that a secret belongs to, if it has the form of one.
fn id_of(secret: &str) -> Option<KeyId> {
    let (body, sum) = secret.rsplit_once('_')?;
    if checksum(body) != sum {
        return None;
    }
    let (id, _) = body.strip_prefix(PREFIX)?.split_once('_')?;
    KeyId::parse(&format!("{}{id}", KeyId::PREFIX)).ok()
}

impl Control {
    pub fn keys(&self) -> Result<Vec<Key>> {
        self.engine.store.all("")
    }

    /// Whether anybody has to show a key.
    pub fn has_keys(&self) -> Result<bool> {
        Ok(self.engine.store.each::<Key>("", None).next().transpose()?.is_some())
    }

    pub fn key(&self, id: &str) -> Result<Key> {
        self.engine.store.find(id)?.ok_or_else(|| not_found("key", id))
    }

    pub fn create_key(&self, new: NewKey) -> Result<MadeKey> {
        if new.scopes.is_empty() {
            return Err(Error::invalid("a key needs a scope").field("/scopes"));
        }
        let id = KeyId::from_uuid(uuid::Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext)));
        let secret = make_secret(&id);
        let now = self.now();
        let key = Key {
            id,
            name: new.name,
            scopes: new.scopes,
            namespace: new.namespace,
            secrets: vec![KeySecret {
                sha256: hash(&secret),
                created_at: now.clone(),
                expires_at: new.expires_at,
            }],
            created_at: now,
            revoked_at: None,
        };
        self.engine.store.commit(vec![Store::put(key.id.as_str(), &key)?])?;
        Ok(MadeKey { key, secret })
    }

    /// A second secret, which lives as long as the one before it was to live; that one stays valid
    /// until `old_expires_at`, or its own end if that is sooner.
    pub fn rotate_key(&self, id: &str, old_expires_at: &str) -> Result<MadeKey> {
        let _lock = self.locks.hold(id);
        let mut key = self.key(id)?;
        if key.revoked_at.is_some() {
            return Err(Error::new(Code::Conflict, format!("key {id} is revoked")));
        }
        let secret = make_secret(&key.id);
        let mut last = key.secrets.pop();
        let mut expires_at = None;
        if let Some(last) = &mut last {
            expires_at.clone_from(&last.expires_at);
            let sooner = last.expires_at.take().filter(|own| own.as_str() < old_expires_at);
            last.expires_at = Some(sooner.unwrap_or_else(|| old_expires_at.to_string()));
        }
        let now = self.now();
        key.secrets = last.into_iter().collect();
        key.secrets.push(KeySecret { sha256: hash(&secret), created_at: now, expires_at });
        self.engine.store.commit(vec![Store::put(key.id.as_str(), &key)?])?;
        Ok(MadeKey { key, secret })
    }

    /// Nothing is open to it any more. It stays in the list: keys are still asked for.
    pub fn revoke_key(&self, id: &str) -> Result<Key> {
        let _lock = self.locks.hold(id);
        let mut key = self.key(id)?;
        if key.revoked_at.is_none() {
            key.revoked_at = Some(self.now());
            key.secrets.clear();
            self.engine.store.commit(vec![Store::put(key.id.as_str(), &key)?])?;
        }
        Ok(key)
    }

    /// Who shows this secret. The answer is the same for all that do not fit.
    pub fn caller(&self, secret: &str) -> Result<Caller> {
        let refused = || {
            Error::new(Code::Unauthenticated, "the API key is not valid")
                .hint("send `Authorization: Bearer qk_…`; `quarry key create` makes one")
        };
        let id = id_of(secret).ok_or_else(refused)?;
        let key: Key = self.engine.store.find(id.as_str())?.ok_or_else(refused)?;
        let (hashed, now) = (hash(secret), self.now());
        let live = key.secrets.iter().any(|known| {
            let equal: bool = known.sha256.as_bytes().ct_eq(hashed.as_bytes()).into();
            equal && known.expires_at.as_ref().is_none_or(|at| *at > now)
        });
        match live && key.revoked_at.is_none() {
            true => Ok(Caller { key: Some(key.id), scopes: key.scopes, namespace: key.namespace }),
            false => Err(refused()),
        }
    }
}
