//! Finds extractors: those registered in the data directory first, then folders of components.
//! What a batch uses is registered: `name@version` is bound to one digest from then on.
//! **Invariant:** nothing of a component is compiled or run before [`Trust`] has let it in.

mod assets;
mod signatures;

pub use assets::AssetStore;

use super::plan::Pinned;
use crate::durable;
use crate::env::Env;
use crate::error::{Code, Context, Error, Result};
use crate::model::{ExtractorRef, Grants};
use crate::plugin::{self, Component, Extractor, Host, Inspection, Limits, Trust, World};
use crate::store::{ExtractorRecord, Store};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub struct Registry {
    host: Option<Host>,
    trust: Trust,
    /// Components by digest: `<digest>.wasm`, and signatures of some: `<digest>.wasm.sig`.
    directory: PathBuf,
    /// Where components are looked for that are not registered yet.
    search: Vec<PathBuf>,
    loaded: Mutex<HashMap<String, Arc<dyn Extractor>>>,
    /// What components were granted, by digest.
    grants: Mutex<HashMap<String, Grants>>,
    /// Held while one is registered: two that have the same digest write the same file.
    registering: Mutex<()>,
}

/// A component file that was found, not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    pub version: String,
    pub digest: String,
    pub path: PathBuf,
}

impl Registry {
    pub fn new(host: Host, directory: PathBuf, search: Vec<PathBuf>) -> Registry {
        let (loaded, grants, registering) = Default::default();
        let trust = Trust::default();
        Registry { host: Some(host), trust, directory, search, loaded, grants, registering }
    }

    /// Lets in what `trust` says, instead of everything.
    pub fn trusting(self, trust: Trust) -> Registry {
        Registry { trust, ..self }
    }

    /// The files that belong to registered components.
    pub fn assets(&self) -> AssetStore {
        AssetStore::new(self.directory.clone())
    }

    /// Extractors that are given as values instead of components: natively compiled ones.
    pub fn of(extractors: Vec<Arc<dyn Extractor>>) -> Registry {
        let loaded = extractors.into_iter().map(|e| (e.digest().to_string(), e)).collect();
        Registry {
            host: None,
            trust: Trust::default(),
            directory: PathBuf::new(),
            search: Vec::new(),
            loaded: Mutex::new(loaded),
            grants: Mutex::default(),
            registering: Mutex::default(),
        }
    }

    /// The extractor that a reference means, loaded; registers it when it is new.
    pub fn resolve(
        &self,
        reference: &ExtractorRef,
        store: &Store,
        env: &Env,
    ) -> Result<(Pinned, Arc<dyn Extractor>)> {
        if self.host.is_none() {
            return self.resolve_given(reference);
        }
        // What is in use is asked for all the time, and its folder need not be searched again.
        if let Some(version) = &reference.version
            && let Some(record) = store.extractor(&reference.name, version)?
            && let Some(extractor) = self.loaded(&record.digest)
        {
            return Ok((record.into(), extractor));
        }
        let known = store.extractors()?;
        let found = self.find()?;
        let registered = known.iter().map(|r| (r.name.as_str(), r.version.as_str()));
        let lying_about = found.iter().map(|f| (f.name.as_str(), f.version.as_str()));
        let mut candidates: Vec<(&str, &str)> = registered.chain(lying_about).collect();
        candidates.sort();
        candidates.dedup();
        let (name, version) = choose(reference, &candidates, &self.search)?;
        if let Some(record) = known.iter().find(|r| r.name == name && r.version == version) {
            warn_about_other_builds(record, &found);
            let extractor = self.by_digest(&record.digest)?;
            return Ok((record.clone().into(), extractor));
        }
        let file = found
            .iter()
            .find(|f| f.name == name && f.version == version)
            .ok_or_else(|| Error::internal("a chosen extractor vanished"))?;
        let record = self.register(file, store, env)?;
        let extractor = self.by_digest(&record.digest)?;
        Ok((record.into(), extractor))
    }

    fn resolve_given(&self, reference: &ExtractorRef) -> Result<(Pinned, Arc<dyn Extractor>)> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let found = loaded.values().find(|e| e.description().name == reference.name);
        let extractor = found.ok_or_else(|| unknown(reference, &[], &self.search))?;
        let pinned = Pinned {
            name: extractor.description().name.clone(),
            version: extractor.description().version.clone(),
            digest: extractor.digest().to_string(),
        };
        Ok((pinned, extractor.clone()))
    }

    /// A registered component, loaded once.
    pub fn by_digest(&self, digest: &str) -> Result<Arc<dyn Extractor>> {
        if let Some(loaded) = self.loaded(digest) {
            return Ok(loaded);
        }
        if self.host.is_none() {
            let message = format!("no extractor with the digest {digest}");
            return Err(Error::new(Code::NotFound, message));
        }
        let path = self.component_path(digest);
        let wasm = std::fs::read(&path).context(Code::NotFound, || {
            format!("the registered extractor {digest} is not in {}", self.directory.display())
        })?;
        let signature = self.signature_of(digest)?;
        let component = self.host()?.load_if(&wasm, &|inspection| {
            if inspection.digest != digest {
                let message = format!("{} is not what its name says", path.display());
                return Err(Error::new(Code::Corrupt, message)
                    .hint(format!("its SHA-256 is {}", inspection.digest)));
            }
            self.trust.admit(inspection, signature.as_deref()).map(drop)
        })?;
        Ok(self.keep(Arc::new(component)))
    }

    /// Loads a component that came from outside, if it may come in.
    fn load_new(&self, wasm: &[u8], signature: Option<&[u8]>) -> Result<Component> {
        let admit = |inspection: &Inspection| self.trust.admit(inspection, signature).map(drop);
        let component = self.host()?.load_if(wasm, &admit)?;
        let (stamp, description) = (component.inspection(), component.description());
        let differs =
            |stamp: &Option<String>, own: &String| stamp.as_ref().is_some_and(|s| s != own);
        if differs(&stamp.name, &description.name) || differs(&stamp.version, &description.version)
        {
            let text = |stamp: &Option<String>| stamp.clone().unwrap_or_default();
            let message = format!(
                "the extractor is stamped {}@{} but describes itself as {}@{}",
                text(&stamp.name),
                text(&stamp.version),
                description.name,
                description.version
            );
            return Err(Error::new(Code::Extractor, message).hint("build it again"));
        }
        Ok(component)
    }

    fn loaded(&self, digest: &str) -> Option<Arc<dyn Extractor>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    fn keep(&self, extractor: Arc<dyn Extractor>) -> Arc<dyn Extractor> {
        let digest = extractor.digest().to_string();
        // Held until it is kept: whoever grants meanwhile finds it.
        let granted = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.entry(digest).or_insert_with(|| {
            if let Some(grants) = granted.get(extractor.digest()) {
                extractor.grant(grants);
            }
            extractor
        });
        kept.clone()
    }

    /// What a component may use from now on, whether it is loaded or not.
    pub fn grant(&self, digest: &str, grants: &Grants) {
        let mut granted = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        granted.insert(digest.to_string(), grants.clone());
        if let Some(extractor) = self.loaded(digest) {
            extractor.grant(grants);
        }
    }

    /// What is lent to extractors that were granted it.
    pub fn surround(&self, world: World) {
        if let Some(host) = &self.host {
            host.surround(world);
        }
    }

    /// The limits of all extractors that have none of their own.
    pub fn limits(&self) -> Option<&Limits> {
        self.host.as_ref().map(Host::limits)
    }

    /// A component that was found, loaded without being registered.
    pub fn load(&self, found: &Found) -> Result<Arc<dyn Extractor>> {
        if let Some(loaded) = self.loaded(&found.digest) {
            return Ok(loaded);
        }
        let wasm = std::fs::read(&found.path)
            .context(Code::Unavailable, || format!("can not read {}", found.path.display()))?;
        let signature = signatures::beside(&found.path)?;
        Ok(self.keep(Arc::new(self.load_new(&wasm, signature.as_deref())?)))
    }

    /// Those that were given as values.
    pub fn given(&self) -> Vec<Arc<dyn Extractor>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if self.host.is_some() { Vec::new() } else { loaded.values().cloned().collect() }
    }

    fn host(&self) -> Result<&Host> {
        self.host.as_ref().ok_or_else(|| Error::internal("no plugin host"))
    }

    /// The bytes of a component, registered or found.
    pub fn wasm(&self, digest: &str) -> Result<Vec<u8>> {
        let registered = self.component_path(digest);
        let lying = || self.find().ok()?.into_iter().find(|found| found.digest == digest);
        let path = match registered.is_file() {
            true => registered,
            false => lying().map_or(registered, |found| found.path),
        };
        std::fs::read(&path).context(Code::NotFound, || format!("can not read {digest}"))
    }

    /// Registers a component that somebody sent. One that is there already is the same thing;
    /// another one under its name and version is a conflict: versions are immutable. `signature`
    /// is the content of its `.sig` file, and replaces one that is there.
    pub fn add(
        &self,
        wasm: &[u8],
        signature: Option<&[u8]>,
        store: &Store,
        env: &Env,
    ) -> Result<ExtractorRecord> {
        let component = self.load_new(wasm, signature)?;
        let (name, version) = {
            let description = component.description();
            (description.name.clone(), description.version.clone())
        };
        let _lock = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = store.extractor(&name, &version)? {
            if known.digest == component.digest() {
                self.keep_signature(&known.digest, signature)?;
                return Ok(known);
            }
            let message = format!("there is another {name}@{version} already");
            let digests =
                format!("it is sha256:{}, this is sha256:{}", known.digest, component.digest());
            return Err(Error::new(Code::Conflict, message)
                .source(digests)
                .hint("versions are immutable: raise the version and build it again"));
        }
        self.check_assets(component.inspection(), None)?;
        let record = self.write(&component, wasm, signature, store, env)?;
        self.keep(Arc::new(component));
        Ok(record)
    }

    /// Record first, component second: a crash between leaves a file that nobody names.
    pub fn remove(&self, record: &ExtractorRecord, store: &Store) -> Result<()> {
        let _lock = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        store.commit(vec![Store::delete_extractor(record)])?;
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).remove(&record.digest);
        for path in [self.component_path(&record.digest), self.signature_path(&record.digest)] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let named = || format!("can not delete {}", record.digest);
                    return Err(error).context(Code::Unavailable, named);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn component_path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}.wasm"))
    }

    /// Files first, record second: a crash between leaves a file that nobody names.
    fn register(&self, file: &Found, store: &Store, env: &Env) -> Result<ExtractorRecord> {
        let named = || format!("can not register {}", file.path.display());
        let wasm = std::fs::read(&file.path).context(Code::Unavailable, named)?;
        let signature = signatures::beside(&file.path)?;
        // Loading checks it; what can not be loaded is not registered.
        let component = self.load_new(&wasm, signature.as_deref())?;
        let _lock = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        match store.extractor(&file.name, &file.version)? {
            Some(known) => Ok(known),
            None => {
                self.check_assets(component.inspection(), Some(&file.path))?;
                self.write(&component, &wasm, signature.as_deref(), store, env)
            }
        }
    }

    fn write(
        &self,
        component: &Component,
        wasm: &[u8],
        signature: Option<&[u8]>,
        store: &Store,
        env: &Env,
    ) -> Result<ExtractorRecord> {
        let description = component.description();
        let record = ExtractorRecord {
            name: description.name.clone(),
            version: description.version.clone(),
            digest: component.digest().to_string(),
            registered_at: env.timestamp(),
        };
        let named = || format!("can not register {}@{}", record.name, record.version);
        durable::create_directory(&self.directory).context(Code::Unavailable, named)?;
        let target = self.component_path(&record.digest);
        durable::write(&target, wasm).context(Code::Unavailable, named)?;
        self.keep_signature(&record.digest, signature)?;
        store.commit(vec![Store::put_extractor(&record)?])?;
        Ok(record)
    }

    /// The component in the search folders that a reference means, without looking at what is
    /// registered.
    pub fn find_one(&self, reference: &ExtractorRef) -> Result<Found> {
        let found = self.find()?;
        let mut candidates: Vec<(&str, &str)> =
            found.iter().map(|f| (f.name.as_str(), f.version.as_str())).collect();
        candidates.sort();
        candidates.dedup();
        let (name, version) = choose(reference, &candidates, &self.search)?;
        let mut found = found.iter();
        let found = found.find(|f| f.name == name && f.version == version).cloned();
        found.ok_or_else(|| Error::internal("a chosen extractor vanished"))
    }

    /// Components in the search folders that carry a name. Files that are none are passed over here
    /// and named by `quarry extractor list`.
    pub fn find(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for folder in &self.search {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            paths.sort();
            for path in paths.into_iter().filter(|p| p.extension().is_some_and(|e| e == "wasm")) {
                if let Some(component) = stamped(&path) {
                    found.push(component);
                }
            }
        }
        Ok(found)
    }
}

impl From<ExtractorRecord> for Pinned {
    fn from(record: ExtractorRecord) -> Pinned {
        Pinned { name: record.name, version: record.version, digest: record.digest }
    }
}

fn stamped(path: &Path) -> Option<Found> {
    let wasm = std::fs::read(path).ok()?;
    let inspection = plugin::inspect(&wasm).ok()?;
    Some(Found {
        name: inspection.name?,
        version: inspection.version?,
        digest: inspection.digest,
        path: path.to_path_buf(),
    })
}

fn warn_about_other_builds(record: &ExtractorRecord, found: &[Found]) {
    let other = found.iter().find(|f| {
        f.name == record.name && f.version == record.version && f.digest != record.digest
    });
    if let Some(other) = other {
        tracing::warn!(
            "{} is another build of {}@{}: versions are immutable, the registered one is used; \
             raise the version to use the new one",
            other.path.display(),
            record.name,
            record.version
        );
    }
}

fn choose(
    reference: &ExtractorRef,
    candidates: &[(&str, &str)],
    search: &[PathBuf],
) -> Result<(String, String)> {
    let named: Vec<&(&str, &str)> =
        candidates.iter().filter(|(name, _)| *name == reference.name).collect();
    let wanted = reference.version.as_deref();
    let mut matching: Vec<&&(&str, &str)> = named
        .iter()
        .filter(|(_, version)| wanted.is_none_or(|wanted| wanted == *version))
        .collect();
    if let (Some(wanted), true) = (wanted, matching.is_empty()) {
        let within = named.iter().filter(|(_, version)| is_within(version, wanted));
        matching = within.max_by_key(|(_, version)| numbers(version)).into_iter().collect();
    }
    match (matching.as_slice(), named.is_empty()) {
        ([one], _) => Ok((one.0.to_string(), one.1.to_string())),
        ([], true) => Err(unknown(reference, candidates, search)),
        ([], false) => {
            let versions: Vec<&str> = named.iter().map(|(_, version)| *version).collect();
            let version = reference.version.as_deref().unwrap_or("");
            let message = format!("extractor `{}` has no version {version}", reference.name);
            let hint = format!("there is {}; --extractors DIR names a folder", versions.join(", "));
            Err(Error::invalid(message).hint(hint))
        }
        (several, _) => {
            let versions: Vec<&str> = several.iter().map(|(_, version)| *version).collect();
            let message = format!("extractor `{}` has several versions", reference.name);
            let hint = format!("name one: {}@{}", reference.name, versions.join(" or @"));
            Err(Error::invalid(message).hint(hint))
        }
    }
}

/// Whether the version is one of those that `1` or `1.2` stands for: a release whose numbers begin
/// like that.
pub fn is_within(version: &str, range: &str) -> bool {
    let range: Option<Vec<u64>> = range.split('.').map(|number| number.parse().ok()).collect();
    let version = numbers(version);
    range.is_some_and(|range| range.len() < 3 && version.is_some_and(|v| v.starts_with(&range)))
}

/// Of a release; none of anything with letters in it.
pub fn numbers(version: &str) -> Option<Vec<u64>> {
    let (version, _) = version.split_once('+').unwrap_or((version, ""));
    version.split('.').map(|number| number.parse().ok()).collect()
}

fn unknown(reference: &ExtractorRef, candidates: &[(&str, &str)], search: &[PathBuf]) -> Error {
    let mut known: Vec<&str> = candidates.iter().map(|(name, _)| *name).collect();
    known.dedup();
    let folders: Vec<String> = search.iter().map(|p| p.display().to_string()).collect();
    let known = match (known.is_empty(), folders.is_empty()) {
        (false, _) => format!("known are {}", known.join(", ")),
        (true, false) => format!("no component is in {}", folders.join(", ")),
        (true, true) => "no folder is searched".to_string(),
    };
    let hint = format!("{known}; --extractors DIR names a folder with others");
    Error::invalid(format!("there is no extractor `{reference}`")).hint(hint)
}
