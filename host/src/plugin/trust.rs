//! Which components may be run: those that a trusted key signed, or all.

use super::inspect::Inspection;
use super::signature::{PublicKey, Signature};
use crate::error::{Code, Error, Result};

/// By default all are let in.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    pub keys: Vec<PublicKey>,
    /// Without a signature by one of the keys nothing is compiled or run.
    pub required: bool,
}

impl Trust {
    /// The keys as they are written in the settings.
    pub fn parse(keys: &[String], required: bool) -> Result<Trust> {
        let keys = keys.iter().enumerate().map(|(at, text)| {
            PublicKey::parse(text).map_err(|error| error.field(format!("/trusted_keys/{at}")))
        });
        let keys = keys.collect::<Result<Vec<PublicKey>>>()?;
        if required && keys.is_empty() {
            return Err(Error::invalid("signatures are required, but no key is trusted")
                .field("/trusted_keys")
                .hint("add the public key of whoever signs the extractors"));
        }
        Ok(Trust { keys, required })
    }

    /// Whether a component may be compiled and run; the id of the trusted key that signed it.
    ///
    /// A signature that is there has to be one of this component, required or not: one that is
    /// not says that something was changed on the way.
    pub fn admit(
        &self,
        inspection: &Inspection,
        signature: Option<&[u8]>,
    ) -> Result<Option<String>> {
        let shown = shown(inspection);
        let refused = |what: String| Error::new(Code::Forbidden, what);
        let Some(signature) = signature else {
            return match self.required {
                false => Ok(None),
                true => Err(refused(format!("{shown} is not signed, and signatures are required"))
                    .hint(
                        "put its .sig file beside it, or sign it: \
                         quarry extractor sign FILE --key KEY",
                    )),
            };
        };
        let signature = Signature::parse(signature)?;
        signature.check_names(inspection)?;
        let id = super::log::clean(&signature.key_id, 64);
        match self.keys.iter().find(|key| key.id() == signature.key_id) {
            Some(key) if key.made(&signature) => Ok(Some(id)),
            Some(_) => Err(refused(format!("the signature of {shown} by key {id} is wrong"))
                .hint("fetch component and signature again, from where you trust them")),
            None if self.required => {
                Err(refused(format!("{shown} is signed by key {id}, which is not trusted"))
                    .hint("if it should be, add its public key to `trusted_keys`"))
            }
            None => Ok(None),
        }
    }
}

/// As stamped, else by the beginning of the digest.
pub(super) fn shown(inspection: &Inspection) -> String {
    match (&inspection.name, &inspection.version) {
        (Some(name), Some(version)) => super::log::clean(&format!("{name}@{version}"), 200),
        _ => format!("the extractor sha256:{}", &inspection.digest[..12]),
    }
}
