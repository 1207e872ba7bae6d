//! Another version of a collection's extractor, for the documents that are there as well.
//!
//! A version whose vectors have the shape of the present ones takes their place: documents keep
//! their ids, so each is written over when it is made again and can be found until then. Otherwise
//! a second collection is filled beside the first, with vectors of its own, and takes over its name
//! when somebody says so. No document is ever deleted to make room.

use super::Control;
use super::collections::{CollectionDraft, place, readers};
use crate::error::{Code, Error, Result};
use crate::model::{CollectionId, ExtractorRef};
use crate::store::Store;
use crate::store::catalog::{Collection, Namespace};
use std::collections::BTreeMap;

/// As of all collections.
const NAME_CHARS_MAX: usize = 100;

/// Where the new documents go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Over the old ones.
    InPlace,
    /// Into a collection beside the old one.
    Beside,
}

/// What an upgrade does.
#[derive(Debug, Clone)]
pub struct Upgrade {
    pub collection: Collection,
    pub to: ExtractorRef,
    /// SHA-256 of that component.
    pub digest: String,
    pub place: Place,
    /// Collections that are made again: this one and what is made of it, nearest first.
    pub again: Vec<Collection>,
    /// That they hold now.
    pub documents: u64,
}

impl Control {
    /// Finds out what is to be done, and refuses what can not be; changes nothing but the registry.
    pub fn plan_upgrade(
        &self,
        namespace: &Namespace,
        collection: &Collection,
        to: &str,
    ) -> Result<Upgrade> {
        let wanted = ExtractorRef::parse(to).map_err(|error| error.field("/to"))?;
        if wanted.name != collection.extractor.name {
            let message = format!("`{}` is made by {}", collection.name, collection.extractor);
            return Err(Error::invalid(message)
                .field("/to")
                .hint(format!("name a version of it: {}@2", collection.extractor.name)));
        }
        let version = wanted.version.as_deref().ok_or_else(|| {
            let message = format!("`{to}` names no version");
            Error::invalid(message).field("/to").hint(format!("write {to}@2 or {to}@2.1.0"))
        })?;
        let to = self.extractor_reference(&wanted.name, version)?;
        let engine = &self.engine;
        let (pinned, _) = engine
            .registry
            .resolve(&to, &engine.store, &engine.env)
            .map_err(|error| error.field("/to"))?;
        let next = Collection { extractor: to.clone(), ..collection.clone() };
        let all = self.collections(namespace)?;
        let below = readers(&all, &collection.id);
        let place = match self.outputs_of(collection)? == self.outputs_of(&next)? {
            true => Place::InPlace,
            false => Place::Beside,
        };
        if place == Place::Beside {
            check_beside(collection, &next, &all, &below)?;
        }
        let own = std::iter::once(&collection.id).chain(&below);
        let find = |id: &CollectionId| all.iter().find(|found| found.id == *id && found.enabled);
        let again: Vec<Collection> = own.filter_map(find).cloned().collect();
        let mut documents = 0;
        for collection in &again {
            documents += self.collection_stats(collection)?.documents;
        }
        let (collection, digest) = (collection.clone(), pinned.digest);
        Ok(Upgrade { collection, to, digest, place, again, documents })
    }

    /// From here on batches make the collection with the new version; those that run already end
    /// with the old one. Answers with the collections that are to be made, the upgraded one first.
    pub fn upgrade(&self, namespace: &Namespace, upgrade: &Upgrade) -> Result<Vec<Collection>> {
        let old = &upgrade.collection;
        if upgrade.place == Place::Beside {
            return Ok(vec![self.put_beside(namespace, old, &upgrade.to)?]);
        }
        self.change_collection(namespace, old.id.as_str(), |collection| {
            if collection.extractor != old.extractor {
                let message = format!("`{}` was changed meanwhile", collection.name);
                return Err(Error::new(Code::Conflict, message).hint("ask for the plan again"));
            }
            collection.extractor = upgrade.to.clone();
            Ok(())
        })?;
        Ok(upgrade.again.clone())
    }

    /// A crash between the commits leaves a collection like any other.
    fn put_beside(
        &self,
        namespace: &Namespace,
        old: &Collection,
        to: &ExtractorRef,
    ) -> Result<Collection> {
        let draft = CollectionDraft {
            name: beside_name(&old.name, to),
            description: old.description.clone(),
            source: old.source.clone(),
            extractor: to.clone(),
            parameters: old.parameters.clone(),
            inputs: old.inputs.clone(),
            passthrough: old.passthrough.clone(),
            all_fields: old.all_fields,
            filter: old.filter.clone(),
            // Names of their own: the old ones stay until somebody switches.
            vectors: BTreeMap::new(),
            enabled: true,
            metadata: old.metadata.clone(),
        };
        let made = self.create_collection(namespace, draft)?;
        let link = |from: &Collection, to: &Collection| {
            let id = Some(to.id.clone());
            self.change_collection(namespace, from.id.as_str(), |collection| {
                collection.beside = id;
                Ok(())
            })
        };
        let made = link(&made, old)?;
        link(old, &made)?;
        Ok(made)
    }

    /// The collection beside it takes over the name, and this one is called by its version. Done
    /// again, it is taken back.
    pub fn switch_upgrade(
        &self,
        namespace: &Namespace,
        collection: &Collection,
    ) -> Result<Collection> {
        let other = self.beside(namespace, collection)?;
        self.check_idle(namespace, std::slice::from_ref(&other))?;
        if self.collection_stats(&other)?.last_write_at.is_none() {
            let message = format!("`{}` is not filled yet", other.name);
            return Err(Error::new(Code::Conflict, message).hint("wait for the end of its batch"));
        }
        let _lock = self.locks.hold(namespace.id.as_str());
        let mut old = self.collection(namespace, collection.id.as_str())?;
        let mut new = self.collection(namespace, other.id.as_str())?;
        let name = beside_name(&old.name, &old.extractor);
        let taken =
            |found: &Collection| found.name == name && found.id != old.id && found.id != new.id;
        if self.collections(namespace)?.iter().any(taken) {
            return Err(super::taken("collection", &name));
        }
        new.name = std::mem::replace(&mut old.name, name);
        let now = self.now();
        (old.updated_at, new.updated_at) = (now.clone(), now);
        self.engine
            .store
            .commit(vec![Store::put(&place(&old), &old)?, Store::put(&place(&new), &new)?])?;
        Ok(new)
    }

    /// The collection beside it goes with its documents.
    pub fn drop_upgraded(
        &self,
        namespace: &Namespace,
        collection: &Collection,
    ) -> Result<Collection> {
        let other = self.beside(namespace, collection)?;
        self.delete_collection(namespace, other.id.as_str(), false)?;
        self.change_collection(namespace, collection.id.as_str(), |collection| {
            collection.beside = None;
            Ok(())
        })
    }

    fn beside(&self, namespace: &Namespace, collection: &Collection) -> Result<Collection> {
        let other = collection.beside.as_ref();
        let found = other.map(|id| self.collection(namespace, id.as_str())).transpose();
        match found {
            Ok(Some(found)) => Ok(found),
            Err(error) if error.code() != Code::NotFound => Err(error),
            Ok(None) | Err(_) => {
                let message = format!("there is no other version of `{}`", collection.name);
                Err(Error::new(Code::Conflict, message).hint("begin with one: `to`"))
            }
        }
    }
}

/// `passages-2.0.0`
fn beside_name(name: &str, extractor: &ExtractorRef) -> String {
    let version = extractor.version.as_deref().unwrap_or("old");
    let room = NAME_CHARS_MAX.saturating_sub(version.chars().count() + 1);
    format!("{}-{version}", name.chars().take(room).collect::<String>())
}

/// Whether the collection can be made a second time beside itself.
fn check_beside(
    now: &Collection,
    next: &Collection,
    all: &[Collection],
    readers: &[CollectionId],
) -> Result<()> {
    let conflict = |message: String| Error::new(Code::Conflict, message).field("/to");
    let there = |id: &CollectionId| all.iter().any(|found| found.id == *id);
    if now.beside.as_ref().is_some_and(there) {
        let message = format!("`{}` is being upgraded", now.name);
        return Err(conflict(message).hint("finish that with `switch` and `drop_old` first"));
    }
    let names: Vec<&str> = all
        .iter()
        .filter(|found| readers.contains(&found.id))
        .map(|found| found.name.as_str())
        .collect();
    if !names.is_empty() {
        let message = format!(
            "{} makes other vectors than {}, and `{}` is read by {}",
            next.extractor,
            now.extractor,
            now.name,
            names.join(", ")
        );
        return Err(conflict(message).hint(format!(
            "clone `{}` with {} under another name, clone those that read it, and trigger them",
            now.name, next.extractor
        )));
    }
    Ok(())
}
