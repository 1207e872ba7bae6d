//! What components were granted, and what became of it.

use super::Noun;
use crate::model::Grants;
use serde::{Deserialize, Serialize};

/// Under the digest of the component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    pub digest: String,
    pub name: String,
    pub version: String,
    pub grants: Grants,
    pub granted_at: String,
}

impl Noun for Grant {
    const TABLE: &'static str = "grant";
}

/// Something that happened to the grants of a component, under an id that sorts by time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrantEvent {
    pub at: String,
    pub kind: GrantEventKind,
    pub digest: String,
    /// `name@version`.
    pub extractor: String,
    /// What it has from then on.
    #[serde(default)]
    pub grants: Option<Grants>,
    /// What it wanted and was not given.
    #[serde(default)]
    pub denied: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantEventKind {
    Granted,
    Revoked,
    Denied,
}

impl GrantEventKind {
    pub fn as_str(self) -> &'static str {
        match self {
            GrantEventKind::Granted => "granted",
            GrantEventKind::Revoked => "revoked",
            GrantEventKind::Denied => "denied",
        }
    }
}

impl Noun for GrantEvent {
    const TABLE: &'static str = "grant-event";
}
