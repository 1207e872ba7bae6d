//! One request on its way to its operation.

use crate::control::{Caller, Control, DEFAULT_NAMESPACE};
use crate::error::Result;
use crate::model::NamespaceId;
use crate::store::catalog::{Bucket, Collection, Namespace};

pub(super) struct Call<'a> {
    pub(super) api: &'a super::Api,
    pub(super) control: &'a Control,
    pub(super) caller: &'a Caller,
    pub(super) request_id: &'a str,
    /// `X-Namespace`: id or name.
    pub(super) namespace: Option<&'a str>,
    /// The last server-sent event that was received.
    pub(super) last_event_id: Option<&'a str>,
    /// `http://host:port`, for links.
    pub(super) origin: Option<&'a str>,
    /// Parts of the path by the names in its template.
    pub(super) path: Vec<(String, String)>,
}

impl Call<'_> {
    /// A part of the path; the template has it, or this is a bug that every call of it shows.
    pub(super) fn path(&self, name: &str) -> &str {
        let found = self.path.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).expect("the path's template has this part")
    }

    /// The namespace of the request. For a key that is bound to one there is no other, and the
    /// answer does not tell whether there is.
    pub(super) fn namespace(&self) -> Result<Namespace> {
        match (&self.caller.namespace, self.namespace) {
            (Some(own), None) => self.control.namespace(own.as_str()),
            (_, named) => self.namespace_named(named.unwrap_or(DEFAULT_NAMESPACE)),
        }
    }

    pub(super) fn namespace_named(&self, identifier: &str) -> Result<Namespace> {
        let missing = || {
            let message = format!("there is no namespace `{identifier}`");
            crate::error::Error::new(crate::error::Code::NotFound, message)
        };
        let found = self.control.namespace(identifier);
        match &self.caller.namespace {
            Some(own) => found.ok().filter(|found| found.id == *own).ok_or_else(missing),
            None => found,
        }
    }

    /// The namespace that something found by its id is in, if the request may see it. Existing
    /// clients name no namespace where an id alone will do: then it is any that the key may see.
    pub(super) fn namespace_of(&self, id: &NamespaceId) -> Result<Option<Namespace>> {
        match (self.namespace, &self.caller.namespace) {
            (None, None) => self.control.namespace(id.as_str()).map(Some),
            _ => Ok(Some(self.namespace()?).filter(|own| own.id == *id)),
        }
    }

    /// Those that a list is about which existing clients ask for without naming a namespace: the
    /// one that is named, else all that the key may see.
    pub(super) fn namespaces(&self) -> Result<Vec<Namespace>> {
        match (self.namespace, &self.caller.namespace) {
            (None, None) => self.control.namespaces(),
            _ => Ok(vec![self.namespace()?]),
        }
    }

    /// The bucket that `{bucket_identifier}` means.
    pub(super) fn bucket(&self) -> Result<(Namespace, Bucket)> {
        let namespace = self.namespace()?;
        let bucket = self.control.bucket(&namespace, self.path("bucket_identifier"))?;
        Ok((namespace, bucket))
    }

    /// The collection that `{collection_identifier}` means.
    pub(super) fn collection(&self) -> Result<(Namespace, Collection)> {
        let namespace = self.namespace()?;
        let identifier = self.path("collection_identifier");
        let collection = self.control.collection(&namespace, identifier)?;
        Ok((namespace, collection))
    }
}
