//! Extractors: what there is, what they say of themselves, new ones, and those that go.

use super::{Control, not_found};
use crate::engine::{Found, is_within, numbers};
use crate::error::{Code, Error, Result};
use crate::model::{Description, ExtractorRef};
use crate::plugin::{self, Inspection};
use crate::store::ExtractorRecord;
use crate::store::catalog::Collection;

/// One that pipelines can name.
#[derive(Debug, Clone)]
pub struct KnownExtractor {
    pub digest: String,
    /// Absent for one that lies in a folder and was never used.
    pub registered_at: Option<String>,
    /// Whether it lies in a folder of extractors, as those that come with the program.
    pub in_folder: bool,
    /// With the parameters' defaults.
    pub description: Description,
}

impl KnownExtractor {
    /// `name@version`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.description.name, self.description.version)
    }
}

impl Control {
    /// By name and version. Files that can not be loaded are passed over, with a warning.
    pub fn extractors(&self) -> Result<Vec<KnownExtractor>> {
        let engine = &self.engine;
        let registered = engine.store.extractors()?;
        let found = engine.registry.find()?;
        let mut known = Vec::new();
        for record in &registered {
            match engine.registry.by_digest(&record.digest) {
                Ok(extractor) => known.push(KnownExtractor {
                    digest: record.digest.clone(),
                    registered_at: Some(record.registered_at.clone()),
                    in_folder: found.iter().any(|found| found.digest == record.digest),
                    description: extractor.description().clone(),
                }),
                Err(error) => tracing::warn!("{}", error.chain()),
            }
        }
        let same = |record: &ExtractorRecord, found: &Found| {
            record.name == found.name && record.version == found.version
        };
        for found in found {
            if registered.iter().any(|record| same(record, &found))
                || known.iter().any(|known| known.digest == found.digest)
            {
                continue;
            }
            match engine.registry.load(&found) {
                Ok(extractor) => known.push(KnownExtractor {
                    digest: found.digest,
                    registered_at: None,
                    in_folder: true,
                    description: extractor.description().clone(),
                }),
                Err(error) => tracing::warn!("{}", error.chain()),
            }
        }
        known.extend(engine.registry.given().into_iter().map(|extractor| KnownExtractor {
            digest: extractor.digest().to_string(),
            registered_at: None,
            in_folder: true,
            description: extractor.description().clone(),
        }));
        known.sort_by_key(KnownExtractor::id);
        Ok(known)
    }

    /// By `name@version`, `name_version`, a name that has one version, or the digest or 12 and more
    /// of its first digits.
    pub fn extractor(&self, identifier: &str) -> Result<KnownExtractor> {
        let mut all = self.extractors()?;
        let exact = all.iter().position(|known| {
            let Description { name, version, .. } = &known.description;
            let rest = identifier.strip_prefix(name.as_str());
            let digest = identifier.len() >= 12 && known.digest.starts_with(identifier);
            digest
                || rest.is_some_and(|rest| {
                    rest.strip_prefix(['@', '_']).is_some_and(|rest| rest == version)
                })
        });
        if let Some(at) = exact {
            return Ok(all.swap_remove(at));
        }
        all.retain(|known| known.description.name == identifier);
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            (Some(_), false) => {
                let message = format!("extractor `{identifier}` has several versions");
                Err(Error::new(Code::Conflict, message).hint("write name@version"))
            }
            (None, _) => Err(not_found("extractor", identifier)),
        }
    }

    /// What name and version mean: `v1` or `1` is the highest version that begins with `1.`, `1.2`
    /// the highest one that begins with `1.2.`. The answer names one version.
    pub fn extractor_reference(&self, name: &str, version: &str) -> Result<ExtractorRef> {
        let at = |error: Error| error.field("/extractor");
        let exact = ExtractorRef::parse(&format!("{name}@{version}")).map_err(at)?;
        let range = version.strip_prefix('v').unwrap_or(version);
        let registered = self.engine.store.extractors()?;
        let found = self.engine.registry.find()?;
        let known = registered
            .into_iter()
            .map(|record| (record.name, record.version))
            .chain(found.into_iter().map(|found| (found.name, found.version)));
        let versions: Vec<String> =
            known.filter(|(known, _)| known == name).map(|(_, version)| version).collect();
        if versions.iter().any(|known| known == version) {
            return Ok(exact);
        }
        let within = versions.into_iter().filter(|known| is_within(known, range));
        let highest = within.max_by_key(|version| numbers(version));
        Ok(ExtractorRef { name: name.to_string(), version: highest.or(exact.version) })
    }

    pub fn inspect_extractor(&self, known: &KnownExtractor) -> Result<Inspection> {
        plugin::inspect(&self.engine.registry.wasm(&known.digest)?)
    }

    /// Checks a component and registers it, with what is in its `.sig` file.
    pub fn add_extractor(&self, wasm: &[u8], signature: Option<&[u8]>) -> Result<KnownExtractor> {
        let engine = &self.engine;
        let record = engine.registry.add(wasm, signature, &engine.store, &engine.env)?;
        let in_folder = engine.registry.find()?.iter().any(|found| found.digest == record.digest);
        Ok(KnownExtractor {
            description: engine.registry.by_digest(&record.digest)?.description().clone(),
            digest: record.digest,
            registered_at: Some(record.registered_at),
            in_folder,
        })
    }

    /// One that nothing needs any more.
    pub fn remove_extractor(&self, identifier: &str) -> Result<KnownExtractor> {
        let known = self.extractor(identifier)?;
        let store = &self.engine.store;
        let Description { name, version, .. } = &known.description;
        let used = |what: String| {
            Err(Error::new(Code::Conflict, format!("{} is used by {what}", known.id())))
        };
        for collection in store.all::<Collection>("")? {
            if collection.shape.digest == known.digest {
                return used(format!("collection `{}`", collection.name));
            }
        }
        for (namespace, record) in store.namespaces()? {
            let made = record.collections.iter().find(|(_, state)| state.digest == known.digest);
            if let Some((collection, _)) = made {
                return used(format!("documents of `{collection}` (namespace {namespace})"));
            }
        }
        for batch in store.batches()?.iter().filter(|batch| !batch.status.is_terminal()) {
            let pinned = self.engine.manifest(batch).is_ok_and(|manifest| {
                let mut collections = manifest.plan.collections.iter();
                collections.any(|collection| collection.extractor.digest == known.digest)
            });
            if pinned {
                return used(format!("batch {}", batch.id));
            }
        }
        match store.extractor(name, version)? {
            Some(record) => self.engine.registry.remove(&record, store)?,
            None => {
                let message = format!("{} lies in a folder of extractors", known.id());
                return Err(Error::new(Code::Conflict, message).hint("delete the file there"));
            }
        }
        Ok(known)
    }
}
