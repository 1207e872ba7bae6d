//! Another version of a collection's extractor, for the documents that are there as well.
//!
//! Only a version whose vectors have the shape of the present ones takes their place: documents
//! keep their ids, so each is written over when it is made again and can be found until then.

use super::Control;
use super::collections::readers;
use crate::error::{Code, Error, Result};
use crate::model::{CollectionId, ExtractorRef};
use crate::store::catalog::{Collection, Namespace};

/// What an upgrade does.
#[derive(Debug, Clone)]
pub struct Upgrade {
    pub collection: Collection,
    pub to: ExtractorRef,
    /// SHA-256 of that component.
    pub digest: String,
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
        self.check_vectors(collection, &next)?;
        let all = self.collections(namespace)?;
        let below = readers(&all, &collection.id);
        let own = std::iter::once(&collection.id).chain(&below);
        let find = |id: &CollectionId| all.iter().find(|found| found.id == *id && found.enabled);
        let again: Vec<Collection> = own.filter_map(find).cloned().collect();
        let mut documents = 0;
        for collection in &again {
            documents += self.collection_stats(collection)?.documents;
        }
        Ok(Upgrade { collection: collection.clone(), to, digest: pinned.digest, again, documents })
    }

    /// The sink keeps one vector of a name for a document: one of another shape would push out the
    /// one that searches still ask for.
    fn check_vectors(&self, now: &Collection, next: &Collection) -> Result<()> {
        let (old, new) = (self.outputs_of(now)?, self.outputs_of(next)?);
        if old == new {
            return Ok(());
        }
        let shown = |outputs: &[(String, crate::sink::VectorKind)]| match outputs {
            [] => "no vectors".to_string(),
            outputs => {
                let all = outputs.iter().map(|(name, kind)| format!("`{name}`, {kind}"));
                all.collect::<Vec<_>>().join(" and ")
            }
        };
        let message = format!(
            "{} makes {}, but {} makes {}",
            next.extractor,
            shown(&new),
            now.extractor,
            shown(&old)
        );
        Err(Error::new(Code::Conflict, message).field("/to").hint(format!(
            "clone `{}` with {} under another name, trigger the clone, search there when it is \
             filled, and delete `{}` then",
            now.name, next.extractor, now.name
        )))
    }

    /// From here on batches make the collection with the new version; those that run already end
    /// with the old one.
    pub fn upgrade(&self, namespace: &Namespace, upgrade: &Upgrade) -> Result<Collection> {
        let id = upgrade.collection.id.as_str();
        self.change_collection(namespace, id, |collection| {
            if collection.extractor != upgrade.collection.extractor {
                let message = format!("`{}` was changed meanwhile", collection.name);
                return Err(Error::new(Code::Conflict, message).hint("ask for the plan again"));
            }
            collection.extractor = upgrade.to.clone();
            Ok(())
        })
    }
}
