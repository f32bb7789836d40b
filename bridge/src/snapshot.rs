//! Programs that start from the memory that an earlier run has left: that run, and the module that
//! is made of what it left.

mod calls;
mod component;
mod go;
mod image;
pub mod module;
mod scratch;

use crate::engine::BridgeEngine;
use crate::host::{Guest, GuestPointer, Host};
use crate::task::{Limiter, Limits, Task, Usage, new_store};
use crate::{Bytes, give, slice};
pub use component::{ASKED_CLOCK, ComponentBuild};
use module::Module;
pub use module::uses_data_segments;
pub use scratch::Scratches;
use std::collections::HashMap;
use std::ffi::c_void;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use wasmparser::{ExternalKind, Parser, Payload};
use wasmtime::{Error, Instance, InstancePre, Result, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

/// Changes when another snapshot is made of the same module.
const RECIPE: u32 = 3;

/// What a build may have asked the host for, by the bits of `fb_snapshot_module`: exports of the
/// snapshot tell.
const ASKED: [&str; 3] = ["funcd:asked:clock", "funcd:asked:random", "funcd:asked:environment"];

/// The one call of a component's build.
const WARM_UP_REQUEST: &str = "warm-up request";

const INITIALIZE: &str = "_initialize";
const HANDLE: &str = "handle";
const START: &str = "_start";
const WARM: &str = "funcd_warm";
/// What C and Rust programs export that are prepared for wizer, and by what they then go on.
const WIZER_INITIALIZE: [&str; 2] = ["wizer-initialize", "wizer.initialize"];
const WIZER_RESUME: &str = "wizer.resume";

/// How a module comes to its snapshot.
struct Plan {
    wasm: Vec<u8>,
    /// What the run that leaves the snapshot calls, in this order.
    build: Vec<&'static str>,
    /// What an invocation calls without a snapshot.
    plain: Vec<&'static str>,
    is_rewritten_command: bool,
    /// "_start" becomes this.
    start: Option<&'static str>,
    reset: Option<u32>,
}

impl Plan {
    fn of(wasm: &[u8], is_warm: bool) -> Result<Plan> {
        let module = Module::parse(wasm)?;
        let has = |name: &str| module.exported_function(name).is_some();
        if has(INITIALIZE) && has(HANDLE) && !has(START) {
            let mut build = vec![INITIALIZE];
            if is_warm {
                build.push(if has(WARM) { WARM } else { HANDLE });
            }
            let rewritten = go::reactor(&module)?;
            let reset = rewritten.as_ref().and_then(|rewritten| rewritten.reset);
            return Ok(Plan {
                wasm: rewritten.map_or_else(|| wasm.to_vec(), |rewritten| rewritten.wasm),
                build,
                plain: vec![INITIALIZE, HANDLE],
                is_rewritten_command: false,
                start: None,
                reset,
            });
        }
        if !has(START) {
            return Err(Error::msg("it is neither a command nor a reactor with a handle"));
        }
        if let Some(initialize) = WIZER_INITIALIZE.into_iter().find(|name| has(name)) {
            if is_warm {
                return Err(wasmtime::format_err!(
                    "what is to be warmed up it does in {initialize}; leave out warm = true"
                ));
            }
            return Ok(Plan {
                wasm: wasm.to_vec(),
                build: vec![initialize],
                plain: vec![START],
                is_rewritten_command: false,
                start: has(WIZER_RESUME).then_some(WIZER_RESUME),
                reset: None,
            });
        }
        if !module.is_go() {
            return Err(Error::msg(
                "of commands, those of Go and those that export wizer-initialize can be stopped \
                 before main",
            ));
        }
        let rewritten = go::command(&module, is_warm)?;
        let mut build = vec![START];
        if is_warm {
            build.push(go::RESUME);
        }
        Ok(Plan {
            wasm: rewritten.wasm,
            build,
            plain: vec![START],
            is_rewritten_command: true,
            start: Some(go::RESUME),
            reset: rewritten.reset,
        })
    }

    fn wizer(&self) -> Wizer {
        let mut wizer = Wizer::new();
        wizer.init_func(self.build[0]).keep_init_func(self.build[0] == START);
        if let Some(start) = self.start {
            wizer.func_rename(START, start);
        }
        wizer
    }
}

/// What an instance has left: all that a snapshot is made of.
#[derive(Default)]
struct Remains {
    globals: HashMap<String, Val>,
    memories: HashMap<String, Vec<u8>>,
}

impl Remains {
    fn of(store: &mut Store<Guest>, instance: &Instance) -> Remains {
        let mut remains = Remains::default();
        let exports: Vec<_> = instance
            .exports(&mut *store)
            .map(|export| (export.name().to_owned(), export.into_extern()))
            .collect();
        for (name, item) in exports {
            if let Some(global) = item.clone().into_global() {
                remains.globals.insert(name, global.get(&mut *store));
            } else if let Some(memory) = item.into_memory()
                && name.starts_with("__wizer_")
            {
                remains.memories.insert(name, memory.data(&*store).to_vec());
            }
        }
        remains
    }
}

impl InstanceState for &Remains {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        match self.globals[name] {
            Val::I32(value) => SnapshotVal::I32(value),
            Val::I64(value) => SnapshotVal::I64(value),
            Val::F32(value) => SnapshotVal::F32(value),
            Val::F64(value) => SnapshotVal::F64(value),
            Val::V128(value) => SnapshotVal::V128(value.as_u128()),
            _ => unreachable!("a module with such a global is refused"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        contents(&self.memories[name]);
    }
}

/// A module on its way to one that starts from what a run has left.
pub struct ModuleBuild {
    plan: Plan,
    host: &'static Host,
    build: InstancePre<Guest>,
    plain: Option<InstancePre<Guest>>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    last_call: &'static str,
    remains: Option<Remains>,
}

impl ModuleBuild {
    fn new(engine: &BridgeEngine, plan: Plan, build: &[u8], plain: &[u8]) -> Result<ModuleBuild> {
        let load = |code| engine.scratches.load(engine.host, code);
        let plain = if plan.is_rewritten_command { Some(load(plain)?) } else { None };
        let build = load(build)?;
        Ok(ModuleBuild { plan, host: engine.host, build, plain, progress: Mutex::default() })
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().expect("no panic holds it")
    }

    async fn run_build(&self, guest: Guest) -> Result<()> {
        let mut store = new_store(self.build.module().engine(), guest);
        let instance = self.build.instantiate_async(&mut store).await?;
        for name in &self.plan.build {
            self.progress().last_call = name;
            let function = instance.get_typed_func::<(), ()>(&mut store, name)?;
            function.call_async(&mut store, ()).await?;
        }
        let mut remains = Remains::of(&mut store, &instance);
        if let Some(global) = self.plan.reset {
            remains.globals.insert(format!("__wizer_global_{global}"), Val::I32(0));
        }
        self.progress().remains = Some(remains);
        Ok(())
    }

    async fn run_plain(&self, guest: Guest) -> Result<()> {
        let pre = self.plain.as_ref().unwrap_or(&self.build);
        let mut store = new_store(pre.module().engine(), guest);
        let instance = pre.instantiate_async(&mut store).await?;
        for name in &self.plan.plain {
            let function = instance.get_typed_func::<(), ()>(&mut store, name)?;
            function.call_async(&mut store, ()).await?;
        }
        Ok(())
    }

    fn module(&self, asked: &[&str]) -> Result<Vec<u8>> {
        let Some(remains) = self.progress().remains.take() else {
            return Err(Error::msg("its build has not returned"));
        };
        let wizer = self.plan.wizer();
        let (context, _) = wizer.instrument(&self.plan.wasm)?;
        let mut state = &remains;
        let rewriting = pin!(wizer.snapshot(&context, &mut state));
        // Nothing in it waits.
        let Poll::Ready(module) = rewriting.poll(&mut Context::from_waker(Waker::noop())) else {
            return Err(Error::msg("its rewriting waits"));
        };
        let finished = image::finish(&module?, asked)?;
        Ok(calls::direct(&finished)?.unwrap_or(finished))
    }
}

/// `fb_snapshot`.
pub enum Snapshot {
    Module(ModuleBuild),
    Component(ComponentBuild),
}

/// `fb_snapshot_plan`: what has to be compiled for a snapshot.
pub struct SnapshotPlan {
    build: Vec<u8>,
    /// Empty where the build's does as well.
    plain: Vec<u8>,
    kind: PlanKind,
}

enum PlanKind {
    Module(Plan),
    Component(Vec<u8>),
}

impl SnapshotPlan {
    fn of(wasm: &[u8], is_warm: bool) -> Result<SnapshotPlan> {
        if Parser::is_component(wasm) {
            let build = component::instrumented(wasm, is_warm)?;
            return Ok(SnapshotPlan {
                build,
                plain: Vec::new(),
                kind: PlanKind::Component(wasm.to_vec()),
            });
        }
        let plan = Plan::of(wasm, is_warm)?;
        let (_, build) = plan.wizer().instrument(&plan.wasm)?;
        // Before main, the rewritten command stops; plainly it must run as it came.
        let plain = if plan.is_rewritten_command { wasm.to_vec() } else { Vec::new() };
        Ok(SnapshotPlan { build, plain, kind: PlanKind::Module(plan) })
    }
}

fn new_snapshot(
    engine: &BridgeEngine,
    plan: SnapshotPlan,
    build: &[u8],
    plain: &[u8],
) -> Result<Snapshot> {
    match plan.kind {
        PlanKind::Module(plan) => {
            ModuleBuild::new(engine, plan, build, plain).map(Snapshot::Module)
        }
        PlanKind::Component(wasm) => {
            ComponentBuild::new(engine, wasm, build).map(Snapshot::Component)
        }
    }
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_snapshot_plan_new(
    wasm: *const u8,
    size: usize,
    is_warm: bool,
    error: &mut Bytes,
) -> Option<Box<SnapshotPlan>> {
    let plan = SnapshotPlan::of(unsafe { slice(wasm, size) }, is_warm);
    give(plan, error).map(Box::new)
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_snapshot_plan_take(
    plan: &mut SnapshotPlan,
    build: &mut Bytes,
    plain: &mut Bytes,
) {
    *build = std::mem::take(&mut plan.build).into();
    *plain = std::mem::take(&mut plan.plain).into();
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_snapshot_plan_delete(_plan: Option<Box<SnapshotPlan>>) {}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_snapshot_compile(
    engine: &BridgeEngine,
    wasm: *const u8,
    size: usize,
    code: &mut Bytes,
    error: &mut Bytes,
) -> bool {
    let compiled = engine.scratches.compile(engine.host, unsafe { slice(wasm, size) });
    give(compiled, error).map(|bytes| *code = bytes.into()).is_some()
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_snapshot_new(
    engine: &BridgeEngine,
    plan: Box<SnapshotPlan>,
    build: *const u8,
    build_size: usize,
    plain: *const u8,
    plain_size: usize,
    error: &mut Bytes,
) -> Option<Box<Snapshot>> {
    let (build, plain) = unsafe { (slice(build, build_size), slice(plain, plain_size)) };
    give(new_snapshot(engine, *plan, build, plain), error).map(Box::new)
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_may_snapshot(wasm: *const u8, size: usize, error: &mut Bytes) -> bool {
    give(Plan::of(unsafe { slice(wasm, size) }, false), error).is_some()
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_snapshot_run(
    snapshot: &'static Snapshot,
    is_build: bool,
    guest: *mut c_void,
    limits: &Limits,
    usage: *mut Usage,
) -> Box<Task> {
    let Snapshot::Module(snapshot) = snapshot else {
        return Box::new(Task::of(Box::pin(async {
            Err(Error::msg("it is a component, which runs for requests only"))
        })));
    };
    let guest = Guest::new(GuestPointer(guest), snapshot.host, Limiter::new(*limits, usage), None);
    Box::new(if is_build {
        Task::of(Box::pin(snapshot.run_build(guest)))
    } else {
        Task::of(Box::pin(snapshot.run_plain(guest)))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_snapshot_last_call(snapshot: &Snapshot, name: &mut Bytes) {
    let last_call = match snapshot {
        Snapshot::Module(build) => match build.progress().last_call {
            go::RESUME => "main",
            name => name,
        },
        Snapshot::Component(_) => WARM_UP_REQUEST,
    };
    *name = last_call.to_owned().into();
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_snapshot_module(
    snapshot: &Snapshot,
    asked: u32,
    wasm: &mut Bytes,
    error: &mut Bytes,
) -> bool {
    let asked: Vec<&str> =
        (0..).zip(ASKED).filter(|(bit, _)| asked >> bit & 1 == 1).map(|(_, name)| name).collect();
    let made = match snapshot {
        Snapshot::Module(build) => build.module(&asked),
        Snapshot::Component(build) => build.component(),
    };
    give(made, error).map(|made| *wasm = made.into()).is_some()
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_snapshot_delete(_snapshot: Box<Snapshot>) {}

#[unsafe(no_mangle)]
pub extern "C" fn fb_snapshot_recipe() -> u32 {
    RECIPE
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_is_reactor(wasm: *const u8, size: usize) -> bool {
    let mut found = [false; 3];
    if Parser::is_component(unsafe { slice(wasm, size) }) {
        return false;
    }
    for payload in Parser::new(0).parse_all(unsafe { slice(wasm, size) }) {
        match payload {
            Ok(Payload::ExportSection(exports)) => {
                for export in exports.into_iter().flatten() {
                    for (name, is_found) in [INITIALIZE, HANDLE, START].iter().zip(&mut found) {
                        *is_found |= export.name == *name && export.kind == ExternalKind::Func;
                    }
                }
                break;
            }
            // Exports come before code; what is no module is the compiler's to refuse.
            Ok(Payload::CodeSectionStart { .. }) | Err(_) => break,
            _ => {}
        }
    }
    found == [true, true, false]
}
