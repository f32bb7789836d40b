//! The engine and its compiler.

use crate::component::{ComponentGuest, is_concurrent};
use crate::fold::{self, Instances};
use crate::host::{self, Guest, Host};
use crate::snapshot::Scratches;
use crate::{Bytes, entry, files, give, jumps, slice, small_data};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use wasmparser::Validator;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, Linker, Module, PoolingAllocationConfig,
    Result, Strategy, WasmBacktraceDetails, bail, component,
};

/// Frames of a trap that are shown.
const TRACE_FRAMES_MAX: usize = 20;
/// A fiber's stack beyond what the guest may use of it: room for host functions.
const HOST_STACK_BYTES: usize = 1 << 20;
/// Linear memories and tables of one module; toolchains make one of each.
const MEMORIES_PER_MODULE_MAX: u32 = 2;
const TABLES_PER_MODULE_MAX: u32 = 4;
/// A component is of several modules: its own, shims between it and its imports, an adapter. What the
/// pool holds for each of them on average, and what one may have at the most.
const CORE_INSTANCES_PER_INSTANCE: u32 = 8;
const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 64;
const TABLES_PER_INSTANCE: u32 = 2;
const TABLES_PER_COMPONENT_MAX: u32 = 16;
const COMPONENT_INSTANCE_BYTES_MAX: usize = 1 << 20;
/// A component that waits in the middle of a call may run on one more, and be idle with both.
const SPARE_STACKS: u32 = 4;
/// Of the slots that map images, the share that keeps a finished instance's pages for the next of
/// the same function. Each may hold `keep_resident_bytes`, until its program leaves memory; with fewer of them
/// than functions in use, each run has its image mapped anew and its pages faulted in.
const WARM_SLOTS_SHARE: u32 = 2;

#[cfg(target_arch = "x86_64")]
const TARGET: &str = "x86_64-unknown-linux-gnu";
#[cfg(target_arch = "aarch64")]
const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Initial memory that is kept as one image, with the zeros in it.
const IMAGE_BYTES_MAX: u64 = 256 << 20;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Options {
    instances_max: u32,
    idle_instances_max: u32,
    spare_instances_max: u32,
    table_elements_max: u32,
    memory_bytes_ceiling: u64,
    keep_resident_bytes: u64,
    guest_stack_bytes: u32,
    has_epochs: bool,
    is_baseline: bool,
    is_portable: bool,
}

/// `fb_engine`.
pub struct BridgeEngine {
    pub engine: Engine,
    pub host: &'static Host,
    /// Modules whose memory is mapped from an image; of `engine`.
    mapped: Modules,
    /// Those whose memory is filled, in an engine of their own: any slot of its pool does for any of
    /// them, so that one that was just used, and is in the processor's caches, is used again, however
    /// many functions are called in turn. Made for the first of them.
    filled: OnceLock<Modules>,
    /// For components whose calls come one after another: all of WASI 0.2. Made for the first.
    components: OnceLock<component::Linker<ComponentGuest>>,
    /// For those that are called concurrently. A call in an engine that can do that costs twice as
    /// much, whether it does or not; so this is one of its own, made for the first of them. Its pool
    /// is as large as the other, and has room for idle instances: who runs a guest sees to it that
    /// there are not too many of both.
    concurrent: OnceLock<component::Linker<ComponentGuest>>,
    options: Options,
    /// For the runs that snapshots are made of.
    pub scratches: Scratches,
}

/// An engine for modules, and what they are linked with.
pub struct Modules {
    pub engine: Engine,
    /// Host functions in C++: no files.
    plain: Linker<Guest>,
    /// Wasmtime's own WASI, for guests with mounts.
    with_files: Linker<Guest>,
}

impl Modules {
    fn new(engine: Engine, host: &'static Host) -> Result<Modules> {
        let plain = host::link(&engine, host)?;
        let with_files = files::link(&engine)?;
        Ok(Modules { engine, plain, with_files })
    }

    pub fn linker(&self, has_files: bool) -> &Linker<Guest> {
        if has_files { &self.with_files } else { &self.plain }
    }
}

impl BridgeEngine {
    fn filled(&self) -> Result<&Modules> {
        if let Some(modules) = self.filled.get() {
            return Ok(modules);
        }
        let engine = Engine::new(&config(&self.options, Calls::InTurn, Memories::Filled)?)?;
        let modules = Modules::new(engine, self.host)?;
        Ok(self.filled.get_or_init(|| modules))
    }

    /// What `load` makes of compiled code, and what that is linked with. Code of one engine is refused
    /// by the other before anything of it is used.
    pub fn load_module(
        &self,
        load: impl Fn(&Engine) -> Result<Module>,
    ) -> Result<(&Modules, Module)> {
        if let Some(filled) = self.filled.get()
            && let Ok(module) = load(&filled.engine)
        {
            return Ok((filled, module));
        }
        match load(&self.mapped.engine) {
            Ok(module) => Ok((&self.mapped, module)),
            Err(error) if self.options.is_baseline => Err(error),
            Err(error) => {
                let filled = self.filled()?;
                Ok((filled, load(&filled.engine).map_err(|_| error)?))
            }
        }
    }

    pub fn components(&self) -> Result<&component::Linker<ComponentGuest>> {
        if let Some(linker) = self.components.get() {
            return Ok(linker);
        }
        let linker = crate::component::link(&self.engine, Calls::InTurn)?;
        Ok(self.components.get_or_init(|| linker))
    }

    pub fn concurrent_components(&self) -> Result<&component::Linker<ComponentGuest>> {
        if let Some(linker) = self.concurrent.get() {
            return Ok(linker);
        }
        let engine = Engine::new(&config(&self.options, Calls::Concurrent, Memories::Mapped)?)?;
        let linker = crate::component::link(&engine, Calls::Concurrent)?;
        Ok(self.concurrent.get_or_init(|| linker))
    }
}

/// How the exports of an instance are called.
#[derive(Clone, Copy, PartialEq)]
pub enum Calls {
    InTurn,
    Concurrent,
}

/// How the memory of an instance begins.
#[derive(Clone, Copy, PartialEq)]
enum Memories {
    /// As a copy-on-write view of the module's image.
    Mapped,
    /// As zeros that the module's data is copied into.
    Filled,
}

fn config(options: &Options, calls: Calls, memories: Memories) -> Result<Config> {
    let mut pool = PoolingAllocationConfig::default();
    let beside = match (calls, memories) {
        (Calls::Concurrent, _) => options.idle_instances_max,
        (_, Memories::Filled) => options.spare_instances_max,
        // Of modules, and of components.
        (_, Memories::Mapped) => options.spare_instances_max.saturating_mul(2),
    };
    let instances = options.instances_max.saturating_add(beside);
    let keep_resident = options.keep_resident_bytes as usize;
    pool.total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_INSTANCE))
        .total_component_instances(instances)
        .total_memories(instances)
        .total_tables(instances.saturating_mul(TABLES_PER_INSTANCE))
        .total_stacks(instances.saturating_add(instances / 4 + SPARE_STACKS))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_memories_per_component(MEMORIES_PER_MODULE_MAX)
        .max_tables_per_component(TABLES_PER_COMPONENT_MAX)
        .max_component_instance_size(COMPONENT_INSTANCE_BYTES_MAX)
        .max_memories_per_module(MEMORIES_PER_MODULE_MAX)
        .max_tables_per_module(TABLES_PER_MODULE_MAX)
        .table_elements(options.table_elements_max as usize)
        .max_memory_size(options.memory_bytes_ceiling as usize)
        .max_unused_warm_slots(match memories {
            Memories::Mapped => instances.div_ceil(WARM_SLOTS_SHARE),
            Memories::Filled => 0,
        })
        .linear_memory_keep_resident(keep_resident)
        .table_keep_resident(keep_resident)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    if options.is_baseline {
        // What it compiles runs for seconds, until better code is there: not worth a pool.
        config.strategy(Strategy::Winch);
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    } else {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
        .concurrency_support(calls == Calls::Concurrent)
        .memory_init_cow(memories == Memories::Mapped)
        .epoch_interruption(options.has_epochs)
        .max_wasm_stack(options.guest_stack_bytes as usize)
        .async_stack_size(options.guest_stack_bytes as usize + HOST_STACK_BYTES)
        .wasm_backtrace_max_frames(NonZeroUsize::new(TRACE_FRAMES_MAX))
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .native_unwind_info(false)
        // A snapshot's memory is an image that is mapped, however sparse; else it would be copied
        // together at each start.
        .memory_guaranteed_dense_image_size(IMAGE_BYTES_MAX)
        // Its heap is not bounded by a store's limits.
        .wasm_gc(false);
    if options.is_portable {
        // A target that is named is taken without what this processor has beyond it.
        config.target(TARGET)?;
    }
    Ok(config)
}

fn new_engine(options: &Options, host: &'static Host) -> Result<BridgeEngine> {
    let engine = Engine::new(&config(options, Calls::InTurn, Memories::Mapped)?)?;
    let scratches = Scratches::new(options.guest_stack_bytes as usize);
    Ok(BridgeEngine {
        mapped: Modules::new(engine.clone(), host)?,
        engine,
        host,
        filled: OnceLock::new(),
        components: OnceLock::new(),
        concurrent: OnceLock::new(),
        options: *options,
        scratches,
    })
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_engine_new(
    options: &Options,
    host: &'static Host,
    error: &mut Bytes,
) -> Option<Box<BridgeEngine>> {
    give(new_engine(options, host), error).map(Box::new)
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_engine_delete(_engine: Box<BridgeEngine>) {}

#[unsafe(no_mangle)]
pub extern "C" fn fb_engine_fingerprint(engine: &BridgeEngine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.engine.precompile_compatibility_hash().hash(&mut hasher);
    fold::VERSION.hash(&mut hasher);
    small_data::RULE.hash(&mut hasher);
    jumps::RULE.hash(&mut hasher);
    hasher.finish()
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_engine_tick(engine: &BridgeEngine) {
    engine.engine.increment_epoch();
    if let Some(filled) = engine.filled.get() {
        filled.engine.increment_epoch();
    }
    if let Some(linker) = engine.concurrent.get() {
        linker.engine().increment_epoch();
    }
    engine.scratches.tick();
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_has_pagemap_scan() -> bool {
    PoolingAllocationConfig::is_pagemap_scan_available()
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_compile(
    engine: &BridgeEngine,
    wasm: *const u8,
    size: usize,
    code: &mut Bytes,
    error: &mut Bytes,
) -> bool {
    let wasm = unsafe { slice(wasm, size) };
    give(compile(engine, wasm), error).map(|bytes| *code = bytes.into()).is_some()
}

fn compile(engine: &BridgeEngine, wasm: &[u8]) -> Result<Vec<u8>> {
    if let Some(name) = entry::claimed(wasm) {
        bail!("it exports {name}, a name that is reserved: give that export another");
    }
    if !wasmparser::Parser::is_component(wasm) {
        compile_module(engine, wasm)
    } else if is_concurrent(wasm) {
        engine.concurrent_components()?.engine().precompile_component(wasm)
    } else {
        compile_in_turn(engine, wasm)
    }
}

fn compile_module(engine: &BridgeEngine, wasm: &[u8]) -> Result<Vec<u8>> {
    // Only what is valid is made something else of; the compiler says what is wrong with the rest.
    if engine.options.is_baseline || Validator::new().validate_all(wasm).is_err() {
        return engine.engine.precompile_module(wasm);
    }
    let is_filled = small_data::is_filled(wasm);
    let compiler = if is_filled { &engine.filled()?.engine } else { &engine.engine };
    let filled = if is_filled { small_data::filled_by_start(wasm) } else { None };
    let made = filled.or_else(|| entry::renewable(wasm));
    let wasm = made.as_deref().unwrap_or(wasm);
    // As below: what does not come out of it as it should is left as it was.
    let threaded = jumps::threaded(wasm).ok().flatten();
    threaded
        .and_then(|threaded| compiler.precompile_module(&threaded).ok())
        .map_or_else(|| compiler.precompile_module(wasm), Ok)
}

/// Of a component of WASI 0.2.
fn compile_in_turn(engine: &BridgeEngine, wasm: &[u8]) -> Result<Vec<u8>> {
    // What does not come out of folding as it should is left as it was.
    let renewed = (!engine.options.is_baseline).then_some(Instances::Renewed);
    renewed
        .into_iter()
        .chain([Instances::Used])
        .filter_map(|instances| fold::folded(wasm, instances).ok())
        .find_map(|folded| engine.engine.precompile_component(&folded).ok())
        .map_or_else(|| engine.engine.precompile_component(wasm), Ok)
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_fold(
    wasm: *const u8,
    size: usize,
    folded: &mut Bytes,
    error: &mut Bytes,
) -> bool {
    let wasm = unsafe { slice(wasm, size) };
    give(fold::folded(wasm, Instances::Used), error).map(|bytes| *folded = bytes.into()).is_some()
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_text_to_wasm(
    text: *const u8,
    size: usize,
    wasm: &mut Bytes,
    error: &mut Bytes,
) -> bool {
    let parsed = wat::parse_bytes(unsafe { slice(text, size) });
    let bytes = parsed.map(|bytes| bytes.into_owned()).map_err(wasmtime::Error::msg);
    give(bytes, error).map(|bytes| *wasm = bytes.into()).is_some()
}
