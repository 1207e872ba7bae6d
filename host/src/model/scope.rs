//! What a key may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Each stands for itself; `admin` includes the others.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Read,
    Write,
    Delete,
    /// Keys, extractors, namespaces, webhooks.
    Admin,
}
