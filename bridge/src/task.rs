//! One guest run as a future that C++ polls.

use crate::component::{self, Component, ComponentGuest, Role};
use crate::entry::START;
use crate::files::{self, Files};
use crate::host::{Guest, GuestPointer, Stopped, exited};
use crate::http_instance;
use crate::program::{Code, Module, Program};
use crate::renewal::{Image, Place};
use crate::spares::{Instance, Kept, ModuleInstance, Spares, SparesPointer};
use crate::{Bytes, give, one_line, text};
use std::ffi::{c_char, c_void};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use wasmtime::{
    Engine, Error, Extern, InstancePre, ModuleExport, PoolConcurrencyLimitError, ResourceLimiter,
    Result, Store, Trap, UpdateDeadline, WasmBacktrace,
};
use wasmtime_wasi::I32Exit;

#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
pub struct Limits {
    memory_bytes_max: u64,
    table_elements_max: u64,
}

#[repr(C)]
pub struct Usage {
    memory_bytes: u64,
    is_growth_denied: bool,
}

/// Holds a store to its limits, and remembers when it had to.
pub struct Limiter {
    limits: Limits,
    usage: *mut Usage,
}

// As GuestPointer: one thread at a time, and `usage` outlives the task.
unsafe impl Send for Limiter {}
unsafe impl Sync for Limiter {}

impl Limiter {
    /// `usage` outlives the store.
    pub fn new(limits: Limits, usage: *mut Usage) -> Limiter {
        Limiter { limits, usage }
    }

    /// Of an instance that has so much memory already.
    pub fn begin_with(&mut self, memory_bytes: u64) {
        self.usage().memory_bytes = memory_bytes;
    }

    /// Allows so much memory more.
    pub fn allow(&mut self, memory_bytes: u64) {
        self.limits.memory_bytes_max = self.limits.memory_bytes_max.saturating_add(memory_bytes);
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Of all memories, now.
    pub fn memory_bytes(&mut self) -> u64 {
        self.usage().memory_bytes
    }

    fn usage(&mut self) -> &mut Usage {
        unsafe { &mut *self.usage }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, now: usize, wanted: usize, max: Option<usize>) -> Result<bool> {
        let all = self.usage().memory_bytes + (wanted - now) as u64;
        if all > self.limits.memory_bytes_max {
            self.usage().is_growth_denied = true;
            return Ok(false);
        }
        if max.is_some_and(|max| wanted > max) {
            return Ok(false);
        }
        self.usage().memory_bytes = all;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, wanted: usize, max: Option<usize>) -> Result<bool> {
        // `max` is the pool's where the module names none, so our own limit is looked at first.
        if wanted as u64 > self.limits.table_elements_max {
            self.usage().is_growth_denied = true;
            return Ok(false);
        }
        Ok(max.is_none_or(|max| wanted <= max))
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct HostWaker {
    wake: unsafe extern "C" fn(*mut c_void, u64),
    context: *mut c_void,
    key: u64,
}

// The callback may be called from any thread; it only posts.
unsafe impl Send for HostWaker {}

impl HostWaker {
    pub fn wake(&self) {
        unsafe { (self.wake)(self.context, self.key) };
    }
}

/// Wakes the host until the task is gone: threads of the file pool may hold it longer.
struct TaskWaker(Mutex<Option<HostWaker>>);

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let waker = self.0.lock().expect("no panic holds it");
        if let Some(waker) = &*waker {
            waker.wake();
        }
    }
}

type Run = Pin<Box<dyn Future<Output = Result<()>>>>;

/// `fb_task`.
pub struct Task {
    run: Run,
    waker: Waker,
    host_waker: Option<Arc<TaskWaker>>,
    needs_runtime: bool,
}

impl Task {
    /// Of a run that waits for nothing but time.
    pub fn of(run: Run) -> Task {
        Task { run, waker: Waker::noop().clone(), host_waker: None, needs_runtime: false }
    }
}

const RETURNED: i32 = 0;
const STOPPED: i32 = 1;
const EXITED: i32 = 2;
const TRAPPED: i32 = 3;
const FAILED: i32 = 4;
const EXHAUSTED: i32 = 5;

#[repr(C)]
pub struct Ending {
    kind: i32,
    code: i32,
    message: Bytes,
    trace: Bytes,
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_task_new(
    program: &'static Program,
    entry: *const c_char,
    guest: *mut c_void,
    limits: &Limits,
    usage: *mut Usage,
    files: Option<&Files>,
    waker: Option<&HostWaker>,
    spares: *mut Spares,
    error: &mut Bytes,
) -> Option<Box<Task>> {
    let limiter = Limiter::new(*limits, usage);
    let entry = unsafe { text(entry) };
    let guest = GuestPointer(guest);
    let run = match (&program.code, SparesPointer::of(spares)) {
        (
            Code::Module(Module {
                pre, memory: Some(memory), renewable: Some((name, start)), ..
            }),
            Some(spares),
        ) if entry == *name && program.may_renew() => {
            let fresh = Fresh { pre, memory, start };
            Box::pin(run_renewable(program, fresh, guest, limiter, spares))
        }
        _ => give(unsafe { begin(program, entry, guest, limiter, files) }, error)?,
    };
    let needs_runtime = files.is_some() || matches!(program.code, Code::Component(_));
    let host_waker = waker.map(|waker| Arc::new(TaskWaker(Mutex::new(Some(*waker)))));
    Some(Box::new(Task {
        run,
        waker: match &host_waker {
            Some(waker) => waker.clone().into(),
            None => Waker::noop().clone(),
        },
        host_waker,
        needs_runtime,
    }))
}

/// # Safety
/// As for `fb_task_new`.
unsafe fn begin(
    program: &'static Program,
    entry: &'static str,
    pointer: GuestPointer,
    limiter: Limiter,
    files: Option<&Files>,
) -> Result<Run> {
    let builder = match files {
        Some(files) => Some(unsafe { files::context(files, program.host, pointer) }?),
        None => None,
    };
    Ok(match &program.code {
        Code::Module(module) => {
            let wasi = builder.map(|mut builder| Box::new(builder.build_p1()));
            Box::pin(run(program, module, entry, Guest::new(pointer, program.host, limiter, wasi)))
        }
        Code::Component(component) => {
            let wasi = builder.map(|mut builder| Box::new(builder.build()));
            let host = program.host;
            let guest = ComponentGuest::new(pointer, host, limiter, Arc::default(), wasi);
            Box::pin(run_component(program, component, entry, guest))
        }
    })
}

/// Instantiates, and with an entry point calls the component's `wasi:cli/run`.
async fn run_component(
    program: &'static Program,
    component: &Component,
    entry: &str,
    guest: ComponentGuest,
) -> Result<()> {
    let store = component::new_store(program, guest);
    let (result, _) = http_instance::run(store, async move |store| {
        let Role::Command(command) = &component.role else {
            component.pre.instantiate_async(&mut *store).await?;
            return if entry.is_empty() {
                Ok(())
            } else {
                Err(Error::msg("it exports no wasi:cli/run"))
            };
        };
        let command = command.instantiate_async(&mut *store).await?;
        if entry.is_empty() {
            return Ok(());
        }
        command.wasi_cli_run().call_run(store).await?.map_err(|()| exited(1))
    })
    .await;
    result
}

/// A store under its guest's limits, interrupted at each epoch.
pub fn new_store(engine: &Engine, guest: Guest) -> Store<Guest> {
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.limiter);
    store.set_epoch_deadline(1);
    // Without captures, so that nothing is allocated for it.
    store.epoch_deadline_callback(|context| {
        let guest = context.data();
        if unsafe { (guest.host.on_epoch)(guest.pointer.0) } {
            Err(crate::host::stopped())
        } else {
            Ok(UpdateDeadline::Yield(1))
        }
    });
    store
}

/// A command's run in an instance that has been left by another, or that is left to the next.
async fn run_renewable(
    program: &'static Program,
    fresh: Fresh,
    guest: GuestPointer,
    limiter: Limiter,
    mut spares: SparesPointer,
) -> Result<()> {
    let mut instance = match spares.list().modules.take(program.id, limiter.limits()) {
        Some(mut spare) => {
            let left = spare.store.data_mut();
            left.pointer = guest;
            left.limiter = limiter;
            left.limiter.begin_with(spare.kept.memory_bytes);
            spare.store.set_epoch_deadline(1);
            spare
        }
        None => fresh.instance(program, Guest::new(guest, program.host, limiter, None)).await?,
    };
    let result = instance.kept.entry.call_async(&mut instance.store, ()).await;
    let limiter = &mut instance.store.data_mut().limiter;
    let (limits, memory_bytes) = (limiter.limits(), limiter.memory_bytes());
    // However the guest has ended, what is left of it is in its memory; one that has grown stays as large
    // as it is.
    let is_whole = result.as_ref().err().is_none_or(|error| error.is::<Stopped>());
    if is_whole && !instance.kept.is_used_up(memory_bytes) {
        spares.list().modules.keep(program, limits, instance);
    }
    result
}

/// What a fresh instance is made of that others may have after its run.
struct Fresh {
    pre: &'static InstancePre<Guest>,
    memory: &'static ModuleExport,
    start: &'static ModuleExport,
}

impl Fresh {
    async fn instance(&self, program: &Program, guest: Guest) -> Result<ModuleInstance> {
        let mut store = new_store(&program.engine, guest);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let memory = instance.get_module_export(&mut store, self.memory);
        let memory = memory.and_then(Extern::into_memory);
        let place = memory
            .map(|memory| Place { base: memory.data_ptr(&store), bytes: memory.data_size(&store) });
        let code = self.pre.module().image_range();
        let image = || place.and_then(|place| unsafe { Image::of(place, code, program.host) });
        program.image.get_or_init(image);
        store.data_mut().memory = memory;
        let start = instance.get_module_export(&mut store, self.start);
        let start = start.and_then(Extern::into_func).expect("who sets its globals has an entry");
        let entry = start.typed(&store)?;
        let memory_bytes = store.data_mut().limiter.memory_bytes();
        Ok(Instance { store, kept: Kept::new(entry, place, memory_bytes) })
    }
}

async fn run(program: &Program, module: &Module, entry: &'static str, guest: Guest) -> Result<()> {
    let mut store = new_store(&program.engine, guest);
    let instance = module.pre.instantiate_async(&mut store).await?;
    if let Some(memory) = module.memory
        && let Some(memory) = instance.get_module_export(&mut store, &memory)
    {
        store.data_mut().memory = memory.into_memory();
    }
    // Only a reactor has an `_initialize`, and it has none that starts from a snapshot.
    let (first, export) = match entry {
        "" => return Ok(()),
        START => (None, module.start),
        _ => (module.initialize, module.pre.module().get_export_index(entry)),
    };
    let export = export.ok_or_else(|| wasmtime::format_err!("it exports no {entry}"))?;
    for export in first.iter().chain([&export]) {
        let function = instance.get_module_export(&mut store, export).and_then(Extern::into_func);
        let function =
            function.ok_or_else(|| wasmtime::format_err!("its {entry} is no function"))?;
        function.typed::<(), ()>(&store)?.call_async(&mut store, ()).await?;
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_task_poll(task: &mut Task, ending: &mut Ending) -> bool {
    let _runtime = task.needs_runtime.then(|| files::runtime().enter());
    let mut context = Context::from_waker(&task.waker);
    match task.run.as_mut().poll(&mut context) {
        Poll::Pending => false,
        Poll::Ready(result) => {
            *ending = describe(result);
            true
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_task_delete(task: Box<Task>) {
    if let Some(waker) = &task.host_waker {
        *waker.0.lock().expect("no panic holds it") = None;
    }
    let _runtime = task.needs_runtime.then(|| files::runtime().enter());
    drop(task);
}

pub fn describe(result: Result<()>) -> Ending {
    let plain = |kind, code| Ending { kind, code, message: Bytes::EMPTY, trace: Bytes::EMPTY };
    let Err(error) = result else {
        return plain(RETURNED, 0);
    };
    if error.is::<Stopped>() {
        return plain(STOPPED, 0);
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return plain(EXITED, exit.0);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Ending { message: one_line(&error).into(), ..plain(EXHAUSTED, 0) };
    }
    let trap = error.downcast_ref::<Trap>();
    let frames = error.downcast_ref::<WasmBacktrace>();
    // An error with frames came from a host function that the guest called wrongly.
    let kind = if trap.is_some() || frames.is_some() { TRAPPED } else { FAILED };
    let message = match trap {
        Some(trap) => trap.to_string(),
        None => one_line_without_frames(&error),
    };
    Ending {
        kind,
        code: 0,
        message: message.into(),
        trace: frames.map_or(String::new(), trace).into(),
    }
}

fn one_line_without_frames(error: &Error) -> String {
    match error.downcast_ref::<WasmBacktrace>() {
        Some(_) => error.root_cause().to_string(),
        None => one_line(error),
    }
}

/// "main!fib at fib.c:12", one frame a line, innermost first.
fn trace(backtrace: &WasmBacktrace) -> String {
    let mut lines = String::new();
    for frame in backtrace.frames() {
        let index = || format!("<function {}>", frame.func_index());
        let name = frame.func_name().map_or_else(index, demangled);
        lines.push_str(&name);
        if let Some(symbol) = frame.symbols().first()
            && let (Some(file), Some(line)) = (symbol.file(), symbol.line())
        {
            lines.push_str(&format!(" at {file}:{line}"));
        } else if let Some(offset) = frame.module_offset() {
            lines.push_str(&format!(" at 0x{offset:x}"));
        }
        lines.push('\n');
    }
    lines
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
