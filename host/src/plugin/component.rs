//! A checked and compiled extractor.

use super::capability::{self, Permit};
use super::host::Shared;
use super::inspect::{self, Inspection, refused};
use super::instance::{Live, Slot};
use super::parameters::Parameters;
use super::state::{self, State};
use super::{Extractor, Instance, Limits, Reason, describe};
use crate::error::{Code, Error, Result};
use crate::model::{Capability, Description, Grants};
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::Store;
use wasmtime::component::{Component as Compiled, ComponentExportIndex, InstancePre, TypedFunc};

/// Cheap to clone.
#[derive(Clone)]
pub struct Component(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    compiled: Compiled,
    exports: Exports,
    inspection: Inspection,
    description: Description,
    parameters: Parameters,
    linked: Mutex<Linked>,
}

/// The component with what it was granted.
#[derive(Clone)]
struct Linked {
    /// Counts the grants.
    number: u64,
    permit: Arc<Permit>,
    /// Absent while it imports something that it was not granted.
    pre: Option<InstancePre<State>>,
}

/// A component that was compiled and fits the contract, as far as types say.
pub(super) struct Fitted {
    shared: Arc<Shared>,
    compiled: Compiled,
    /// With traps for what has to be granted: enough to describe itself.
    pre: InstancePre<State>,
    exports: Exports,
    inspection: Inspection,
}

/// Asked before anything of a component is compiled or run.
pub(super) type Admit<'a> = &'a dyn Fn(&Inspection) -> Result<()>;

/// Where the functions of the `extractor` interface are.
struct Exports {
    describe: ComponentExportIndex,
    configure: ComponentExportIndex,
    run: ComponentExportIndex,
    embed_query: ComponentExportIndex,
}

type Described = TypedFunc<(), (String,)>;
type Configured = TypedFunc<(String,), (std::result::Result<String, String>,)>;

impl Component {
    pub(super) fn load(shared: &Arc<Shared>, wasm: &[u8], admit: Admit<'_>) -> Result<Self> {
        let fitted = Fitted::new(shared, wasm, admit)?;
        let description = describe::parse(&fitted.describe()?, &shared.limits)?;
        Self::of(fitted, description)
    }

    /// `description` is what the component says of itself.
    pub(super) fn of(fitted: Fitted, description: Description) -> Result<Self> {
        let Fitted { shared, compiled, exports, inspection, .. } = fitted;
        check_stamp(&inspection, &description)?;
        let parameters = Parameters::compile(&description.parameters)?;
        let linked = link(&shared, &compiled, &description, &inspection, Grants::default(), 0)?;
        Ok(Component(Arc::new(Inner {
            shared,
            compiled,
            exports,
            inspection,
            description,
            parameters,
            linked: Mutex::new(linked),
        })))
    }

    fn linked(&self) -> Linked {
        self.0.linked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes with every grant.
    pub(super) fn granted(&self) -> u64 {
        self.0.linked.lock().unwrap_or_else(PoisonError::into_inner).number
    }

    /// Outline of the component's file.
    pub fn inspection(&self) -> &Inspection {
        &self.0.inspection
    }

    /// Whether an instance could be made with these parameters, as far as their schema says; the
    /// error names the parameter by its JSON pointer.
    pub fn check_parameters(&self, parameters: &serde_json::Value) -> Result<()> {
        self.0.parameters.check(parameters).map(drop)
    }

    /// A fresh instance in a fresh store, configured with `parameters`.
    pub(super) fn open(&self, parameters: &str) -> Result<(Live, Description)> {
        let Inner { shared, exports, description, inspection, .. } = &*self.0;
        let Linked { permit, pre, .. } = self.linked();
        let Some(pre) = pre else {
            permit.check(&inspection.capabilities())?;
            return Err(Error::internal("an extractor with all it needs is not linked"));
        };
        let mut store = store(shared, permit);
        let opened = (|| {
            let instance = pre.instantiate(&mut store)?;
            let configure: Configured = instance.get_typed_func(&mut store, exports.configure)?;
            let run = instance.get_typed_func(&mut store, exports.run)?;
            let embed_query = instance.get_typed_func(&mut store, exports.embed_query)?;
            let (answer,) = configure.call(&mut store, (parameters.to_string(),))?;
            wasmtime::Result::Ok((run, embed_query, answer))
        })();
        let (run, embed_query, answer) =
            opened.map_err(|error| failed("configure", &error, store.data_mut()))?;
        let limits = store.data().limits.clone();
        let json = answer.map_err(|message| {
            let message = super::log::clean(&message, 1000);
            Error::invalid(format!("the extractor refuses its parameters: {message}"))
        })?;
        let configured = describe::parse(&json, &limits)?;
        if (&configured.name, &configured.version) != (&description.name, &description.version) {
            let (name, version) = (&configured.name, &configured.version);
            return Err(refused(format_args!("calls itself {name}@{version} once configured")));
        }
        Ok((Live { store, run, embed_query }, configured))
    }
}

impl Extractor for Component {
    fn description(&self) -> &Description {
        &self.0.description
    }

    fn digest(&self) -> &str {
        &self.0.inspection.digest
    }

    fn grant(&self, grants: &Grants) {
        let Inner { shared, compiled, inspection, description, .. } = &*self.0;
        let mut linked = self.0.linked.lock().unwrap_or_else(PoisonError::into_inner);
        let number = linked.number + 1;
        match link(shared, compiled, description, inspection, grants.clone(), number) {
            Ok(now) => *linked = now,
            // Better nothing than what was taken back.
            Err(error) => {
                tracing::error!("{}", error.chain());
                *linked = Linked { number, pre: None, ..linked.clone() };
            }
        }
    }

    fn instantiate(&self, parameters: &serde_json::Value) -> Result<Box<dyn Instance>> {
        let parameters = self.0.parameters.check(parameters)?;
        Ok(Box::new(Slot::new(self.clone(), parameters)?))
    }
}

impl Exports {
    fn find(compiled: &Compiled, interface: &str) -> Result<Self> {
        let parent = compiled.get_export_index(None, interface);
        let find = |name: &str| {
            let found =
                parent.as_ref().and_then(|parent| compiled.get_export_index(Some(parent), name));
            found.ok_or_else(|| refused(format_args!("does not export {interface}.{name}")))
        };
        Ok(Exports {
            describe: find("describe")?,
            configure: find("configure")?,
            run: find("run")?,
            embed_query: find("embed-query")?,
        })
    }
}

/// Found compiled, or compiled once, one component at a time.
fn compile(shared: &Shared, wasm: &[u8], inspection: &Inspection) -> Result<Compiled> {
    let digest = &inspection.digest;
    let cached = || shared.cache.as_ref().and_then(|cache| cache.load(&shared.engine, digest));
    if let Some(compiled) = cached() {
        return Ok(compiled);
    }
    let Some(compiler) = &shared.compiler else { return compile_here(shared, wasm, digest) };
    let _turn = shared.compiling.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever had the turn before may have compiled the same.
    if let Some(compiled) = cached() {
        return Ok(compiled);
    }
    let code = compiler.compile(wasm, inspection, &shared.limits)?;
    if let Some(cache) = &shared.cache {
        cache.store(digest, &code);
    }
    // SAFETY: these bytes come from a compilation by the same program, over a pipe that nobody
    // else holds; wasmtime checks that they were made for this engine.
    unsafe { Compiled::deserialize(&shared.engine, &code) }.map_err(|error| {
        let message = "the compiler is of another build than this program";
        Error::new(Code::Unavailable, message).source(error)
    })
}

fn compile_here(shared: &Shared, wasm: &[u8], digest: &str) -> Result<Compiled> {
    let compiled = Compiled::from_binary(&shared.engine, wasm).map_err(|error| {
        refused("is damaged or needs WebAssembly features that are switched off").source(error)
    })?;
    if let Some(cache) = &shared.cache {
        match compiled.serialize() {
            Ok(code) => cache.store(digest, &code),
            // Costs a compilation at the next start, nothing else.
            Err(error) => tracing::warn!(digest, %error, "compiled extractor not cached"),
        }
    }
    Ok(compiled)
}

/// Whoever reads the stamp without running anything has to be told the truth.
fn check_stamp(inspection: &Inspection, description: &Description) -> Result<()> {
    let (Some(name), Some(version)) = (&inspection.name, &inspection.version) else {
        return Ok(());
    };
    let Description { name: own, version: own_version, .. } = description;
    if (name, version) == (own, own_version) {
        return Ok(());
    }
    let (name, version) = (super::log::clean(name, 80), super::log::clean(version, 80));
    let message =
        format!("is stamped {name}@{version} but describes itself as {own}@{own_version}");
    Err(refused(message).hint("build it again"))
}

fn misfit(error: wasmtime::Error) -> Error {
    refused("does not fit the contract")
        .source(error)
        .hint("build it with an SDK for this host's version")
}

/// Links what the component imports, asks for and was granted, and nothing else.
fn link(
    shared: &Shared,
    compiled: &Compiled,
    description: &Description,
    inspection: &Inspection,
    grants: Grants,
    number: u64,
) -> Result<Linked> {
    let imported: Vec<Capability> = inspection.capabilities();
    let limits = shared.limits_of(&grants.limits);
    let permit = Permit::new(description, &inspection.digest, grants, limits, shared.world());
    let permit = Arc::new(permit);
    if !imported.iter().all(|capability| permit.has(*capability)) {
        return Ok(Linked { number, permit, pre: None });
    }
    let mut linker = shared.linker.clone();
    for capability in imported {
        capability::link(&mut linker, capability).map_err(misfit)?;
    }
    let pre = linker.instantiate_pre(compiled).map_err(misfit)?;
    Ok(Linked { number, permit, pre: Some(pre) })
}

/// A store with all limits, ready for one call.
fn store(shared: &Shared, permit: Arc<Permit>) -> Store<State> {
    let handles = permit.limits.handles_max;
    let mut store = Store::new(&shared.engine, State::new(permit));
    store.limiter(|state| &mut state.limiter);
    store.set_max_component_handles(handles);
    store.epoch_deadline_callback(|store| Ok(state::look(store.data())?));
    state::begin(&mut store, describe::BYTES_MAX);
    store
}

impl Fitted {
    pub(super) fn new(shared: &Arc<Shared>, wasm: &[u8], admit: Admit<'_>) -> Result<Self> {
        let inspection = inspect::check(wasm, &shared.limits)?;
        admit(&inspection)?;
        let compiled = compile(shared, wasm, &inspection)?;
        let capabilities = inspection.capabilities();
        // Describing needs nothing, so that what is not granted yet can say what it asks for.
        let mut linker = shared.linker.clone();
        if !capabilities.is_empty() {
            linker.define_unknown_imports_as_traps(&compiled).map_err(misfit)?;
        }
        let pre = linker.instantiate_pre(&compiled).map_err(misfit)?;
        let interface = inspection.export().unwrap_or_default();
        let exports = Exports::find(&compiled, interface)?;
        tracing::debug!(digest = inspection.digest, imports = ?capabilities, "extractor fits");
        Ok(Fitted { shared: shared.clone(), compiled, pre, exports, inspection })
    }

    pub(super) fn limits(&self) -> Arc<Limits> {
        self.shared.limits.clone()
    }

    /// What `describe` answers, as it is.
    pub(super) fn describe(&self) -> Result<String> {
        let permit = Arc::new(Permit::nothing(self.shared.limits.clone()));
        let mut store = store(&self.shared, permit);
        let described = (|| {
            let instance = self.pre.instantiate(&mut store)?;
            let index = self.exports.describe;
            let describe: Described = instance.get_typed_func(&mut store, index)?;
            wasmtime::Result::Ok(describe.call(&mut store, ())?.0)
        })();
        described.map_err(|error| failed("describe", &error, store.data_mut()))
    }
}

/// The error of a call that is not about rows.
pub(super) fn failed(call: &str, error: &wasmtime::Error, state: &mut State) -> Error {
    if let Some(full) = error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>() {
        let message = format!("too many extractor instances at once: {full}");
        return Error::new(Code::Unavailable, message);
    }
    let violation = super::failure::explain(error, state);
    let reason = match violation.reason {
        Reason::Trap => "trapped",
        Reason::Timeout => "did not end",
        Reason::Memory => "ran out of memory",
        Reason::Output => "returned too much",
        Reason::Contract => "broke the contract",
        Reason::Guest | Reason::Input => "failed",
    };
    refused(format_args!("{reason} in {call}: {}", violation.message))
}
