//! The wasmtime engine with everything an extractor does not need switched off.

use super::cache::Cache;
use super::compiler::Compiler;
use super::component::Component;
use super::inspect::Inspection;
use super::state::{State, TICK};
use super::{Limits, World, input, log, output};
use crate::error::{Code, Context, Result};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig, Strategy, WasmBacktraceDetails};

/// Instances that live at once: worker threads times extractors in use.
const INSTANCES_MAX: u32 = 512;
/// Memory of a slot that is reset instead of given back, where the kernel can tell what is dirty.
const KEEP_RESIDENT_BYTES: usize = 4 << 20;
/// Slots nobody uses that stay as they are, in case the same component comes again: with what is
/// kept resident in each, what guests can leave behind in the host's memory is 32 MiB.
const WARM_SLOTS_MAX: u32 = 8;

/// Compiles and runs extractors. Cheap to clone; components keep what they need of it alive.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) linker: Linker<State>,
    pub(super) limits: Arc<Limits>,
    pub(super) cache: Option<Cache>,
    /// Components are compiled in this process if absent.
    pub(super) compiler: Option<Compiler>,
    pub(super) compiling: Mutex<()>,
    world: OnceLock<World>,
    ceilings: OnceLock<BTreeMap<String, u64>>,
    _ticker: Ticker,
}

impl Host {
    /// A host that compiles in this process, where nothing can stop it: for programs that are not
    /// `quarry`, and components that are trusted. See [`Host::with_compiler`].
    pub fn new(cache_dir: Option<PathBuf>, limits: Limits) -> Result<Host> {
        Host::with_compiler(cache_dir, limits, None)
    }

    /// Compiled extractors are kept in `cache_dir`, which belongs to this user alone.
    pub fn with_compiler(
        cache_dir: Option<PathBuf>,
        limits: Limits,
        compiler: Option<Compiler>,
    ) -> Result<Host> {
        let unusable = || "the WebAssembly engine can not start".to_string();
        let engine = engine(&limits).context(Code::Internal, unusable)?;
        let mut linker = Linker::new(&engine);
        let linked = input::link(&mut linker)
            .and_then(|()| output::link(&mut linker))
            .and_then(|()| log::link(&mut linker));
        linked.context(Code::Internal, unusable)?;
        let cache = cache_dir.map(|dir| Cache::open(dir, &engine)).transpose()?;
        let ticker = Ticker::start(engine.clone()).context(Code::Unavailable, || {
            "no thread can be started to keep extractors to their time".to_string()
        })?;
        let limits = Arc::new(limits);
        let compiling = Mutex::default();
        let (world, ceilings) = (OnceLock::new(), OnceLock::new());
        let _ticker = ticker;
        let shared =
            Shared { engine, linker, limits, cache, compiler, compiling, world, ceilings, _ticker };
        Ok(Host(Arc::new(shared)))
    }

    /// Checks, compiles (or finds compiled) and describes a component.
    pub fn load(&self, wasm: &[u8]) -> Result<Component> {
        self.load_if(wasm, &|_| Ok(()))
    }

    /// The same for a component that `admit` lets pass: it is asked before anything of the
    /// component is compiled or run.
    pub fn load_if(
        &self,
        wasm: &[u8],
        admit: &dyn Fn(&Inspection) -> Result<()>,
    ) -> Result<Component> {
        Component::load(&self.0, wasm, admit)
    }

    /// What is lent to those that were granted it; once, before anything is loaded.
    pub fn surround(&self, world: World) {
        // Who was first stays: what was loaded has it already.
        let _ = self.0.world.set(world);
    }

    /// Up to where grants may raise limits; once, before anything is loaded.
    pub fn limit_grants(&self, ceilings: BTreeMap<String, u64>) {
        let _ = self.0.ceilings.set(ceilings);
    }

    /// Name of the file in the cache directory that keeps a component compiled by this engine.
    pub fn cached_as(&self, digest: &str) -> Option<String> {
        self.0.cache.as_ref().map(|cache| cache.file_name(digest))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }
}

impl Shared {
    pub(super) fn world(&self) -> World {
        self.world.get().cloned().unwrap_or_default()
    }

    /// The limits of a component that was granted these of its own.
    pub(super) fn limits_of(&self, given: &BTreeMap<String, u64>) -> Arc<Limits> {
        match given.is_empty() {
            true => self.limits.clone(),
            false => {
                let none = BTreeMap::new();
                let ceilings = self.ceilings.get().unwrap_or(&none);
                Arc::new(self.limits.overridden(given, ceilings))
            }
        }
    }
}

/// Pooled memories where the address space allows it, which makes instances cheap.
fn engine(limits: &Limits) -> wasmtime::Result<Engine> {
    let pooled = |tracking| {
        let mut config = config(limits);
        config.allocation_strategy(pool(limits, tracking));
        Engine::new(&config)
    };
    // Resident memory pays only if the kernel tells which pages are dirty (PAGEMAP_SCAN, Linux
    // 6.7): cleaning all of it by memset makes a new instance three times as expensive.
    pooled(DirtyPages::Tracked)
        .or_else(|_| pooled(DirtyPages::Discarded))
        .or_else(|_| Engine::new(&config(limits)))
}

pub(super) fn config(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        // The cargo feature for `async` in components is left out, too: a call costs 150 ns instead
        // of 580.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes_max)
        .consume_fuel(limits.fuel_max > 0)
        .wasm_backtrace_max_frames(NonZeroUsize::new(8))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_init_cow(true)
        .wasm_simd(true)
        // Different results on different machines; see also below.
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_threads(false)
        .shared_memory(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_stack_switching(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .gc_support(false);
    // The bits of a NaN may differ between machines. Making them equal costs vector code half its
    // speed, and a NaN in an output is refused anyway: `cranelift_nan_canonicalization` stays off.
    config
}

/// What becomes of the memory of an instance that is gone.
enum DirtyPages {
    Tracked,
    Discarded,
}

fn pool(limits: &Limits, pages: DirtyPages) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES_MAX)
        // Only counted, nothing is reserved for them: a full pool of components that consist of
        // many modules must fit.
        .total_core_instances(limits.core_instances_max as u32 * INSTANCES_MAX)
        .total_memories(INSTANCES_MAX)
        .total_tables(2 * INSTANCES_MAX)
        .max_unused_warm_slots(WARM_SLOTS_MAX)
        .max_tables_per_module(4)
        .table_elements(limits.table_elements_max)
        // What a memory may have is the limiter's business; a slot has this much room anyway.
        .max_memory_size(1 << 32);
    match pages {
        DirtyPages::Tracked => {
            pool.pagemap_scan(Enabled::Yes).linear_memory_keep_resident(KEEP_RESIDENT_BYTES);
        }
        DirtyPages::Discarded => {}
    }
    pool
}

/// Advances the engine's epoch, by which running guests are stopped. Ends with its last user.
struct Ticker {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("quarry-epoch".to_string());
        let thread = thread.spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        })?;
        Ok(Ticker { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It only counts: a panic there has nothing to tell.
            let _ = thread.join();
        }
    }
}
