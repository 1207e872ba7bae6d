//! API keys. The secret itself is never stored.

use super::Noun;
use crate::model::{KeyId, NamespaceId, Scope};
use serde::{Deserialize, Serialize};

/// Under its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    pub id: KeyId,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// The only namespace it opens; all of them if absent.
    #[serde(default)]
    pub namespace: Option<NamespaceId>,
    /// The live secrets: two while it is being rotated.
    pub secrets: Vec<KeySecret>,
    pub created_at: String,
    #[serde(default)]
    pub revoked_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeySecret {
    /// SHA-256 of the secret, in hex: it has 190 bits of chance, so a slow hash adds nothing.
    pub sha256: String,
    pub created_at: String,
    /// ISO 8601; it is refused from then on.
    #[serde(default)]
    pub expires_at: Option<String>,
}

impl Noun for Key {
    const TABLE: &'static str = "key";
}
