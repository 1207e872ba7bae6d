//! Typed identifiers. A wrong prefix is a parse error.

use crate::error::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

macro_rules! prefixed {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// Prefix and the 32 hex digits of `uuid`.
            pub fn from_uuid(uuid: Uuid) -> Self {
                $name(format!("{}{}", Self::PREFIX, uuid.simple()))
            }

            pub fn parse(text: &str) -> Result<Self> {
                let rest = text.strip_prefix(Self::PREFIX).unwrap_or("");
                let fits = !rest.is_empty()
                    && rest.len() <= 64
                    && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
                if fits {
                    return Ok($name(text.to_string()));
                }
                let form = Self::PREFIX;
                Err(Error::invalid(format!("`{text}` is not an id of the form `{form}…`")))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

prefixed!(NamespaceId, "ns_");
prefixed!(BatchId, "btch_");
prefixed!(BucketId, "bkt_");
prefixed!(ObjectId, "obj_");
prefixed!(UploadId, "upl_");
prefixed!(CollectionId, "col_");
prefixed!(TaskId, "task_");
prefixed!(WebhookId, "wh_");
prefixed!(EventId, "evt_");
prefixed!(ScheduleId, "sch_");
prefixed!(KeyId, "key_");

/// Identity of a document: `doc_` and a UUIDv5 that is the point id in the vector sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(pub Uuid);

impl DocumentId {
    pub const PREFIX: &'static str = "doc_";

    /// With or without the prefix.
    pub fn parse(text: &str) -> Result<Self> {
        Uuid::try_parse(text.strip_prefix(Self::PREFIX).unwrap_or(text))
            .map(DocumentId)
            .map_err(|_| Error::invalid(format!("`{text}` is not a document id (doc_ and a UUID)")))
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0.simple())
    }
}

/// Name of a namespace, bucket, collection or vector: 1 to 64 of `[a-z0-9_-]`, first a letter or
/// digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    pub fn parse(text: &str) -> Result<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let rest =
            bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
        if first && rest && text.len() <= 64 {
            return Ok(Name(text.to_string()));
        }
        let hint = "1 to 64 of a-z, 0-9, `_` and `-`, starting with a letter or digit";
        Err(Error::invalid(format!("`{text}` is not a name")).hint(hint))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$" })
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

/// `name@version`, a bare `name` where one version is to be had, or `name@1` and `name@1.2` for the
/// highest version that begins like that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExtractorRef {
    pub name: String,
    pub version: Option<String>,
}

impl ExtractorRef {
    pub fn parse(text: &str) -> Result<Self> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version.to_string())),
            None => (text, None),
        };
        Name::parse(name)?;
        let digits = |v: &String| !v.is_empty() && v.bytes().all(|b| b.is_ascii_graphic());
        if !version.as_ref().is_none_or(digits) {
            return Err(Error::invalid(format!(
                "`{text}` is not an extractor: name or name@version"
            )));
        }
        Ok(ExtractorRef { name: name.to_string(), version })
    }
}

impl fmt::Display for ExtractorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl TryFrom<String> for ExtractorRef {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<ExtractorRef> for String {
    fn from(extractor: ExtractorRef) -> String {
        extractor.to_string()
    }
}
