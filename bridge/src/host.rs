//! Host functions that C++ serves: what a guest without mounts may call.

use crate::renewal::Region;
use crate::{slice, text};
use std::ffi::{c_char, c_void};
use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::task::Poll;
use wasmtime::{
    Caller, Config, Engine, Error, Extern, FuncType, Linker, Memory, Result, Store, ValRaw,
    ValType, WasmBacktrace,
};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p1::WasiP1Ctx;

#[repr(C)]
pub struct HostFunction {
    name: *const c_char,
    parameters: *const c_char,
    results: *const c_char,
    may_wait: bool,
    call: Call,
}

type Call = unsafe extern "C" fn(*mut c_void, *mut u8, usize, *mut ValRaw) -> i32;

const CONTINUE: i32 = 0;
const WAIT: i32 = 2;

/// Parameters and results of one host function at the most.
const VALUES_MAX: usize = 16;

#[repr(C)]
pub struct Host {
    module: *const c_char,
    functions: *const HostFunction,
    function_count: usize,
    pub on_epoch: unsafe extern "C" fn(*mut c_void) -> bool,
    pub read: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> i64,
    pub write: unsafe extern "C" fn(*mut c_void, i32, *const u8, usize) -> i64,
    pub is_ready: unsafe extern "C" fn(*mut c_void, i32) -> bool,
    pub written: unsafe extern "C" fn(*const u8, usize, *mut Region, usize) -> i64,
    pub page_faults: extern "C" fn() -> u64,
}

// Function pointers and constants.
unsafe impl Sync for Host {}

/// The C++ side's guest, passed back to it as it came.
#[derive(Clone, Copy)]
pub struct GuestPointer(pub *mut c_void);

// A task and all it holds are used by one thread at a time.
unsafe impl Send for GuestPointer {}
unsafe impl Sync for GuestPointer {}

/// A store's data: one guest.
pub struct Guest {
    pub pointer: GuestPointer,
    pub host: &'static Host,
    pub limiter: crate::task::Limiter,
    pub wasi: Option<Box<WasiP1Ctx>>,
    /// Known when it is first needed, or before.
    pub memory: Option<Memory>,
}

impl Guest {
    pub fn new(
        pointer: GuestPointer,
        host: &'static Host,
        limiter: crate::task::Limiter,
        wasi: Option<Box<WasiP1Ctx>>,
    ) -> Guest {
        Guest { pointer, host, limiter, wasi, memory: None }
    }
}

/// A host function has ended the run; the host knows why.
#[derive(Debug)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("stopped by the host")
    }
}

impl std::error::Error for Stopped {}

/// The error that ends a run because the host says so.
pub fn stopped() -> Error {
    without_frames(Error::new(Stopped))
}

/// The error that ends a run because the guest has exited.
pub fn exited(code: i32) -> Error {
    without_frames(Error::new(I32Exit(code)))
}

/// Gives an error a backtrace that is empty already, so that Wasmtime does not collect and
/// symbolise one: every Go program ends by such an error.
fn without_frames(error: Error) -> Error {
    static QUIET: OnceLock<Engine> = OnceLock::new();
    thread_local! {
        static STORE: Store<()> = Store::new(
            QUIET.get_or_init(|| {
                let mut config = Config::new();
                config.wasm_backtrace_max_frames(None);
                Engine::new(&config).expect("the default engine can be made")
            }),
            (),
        );
    }
    error.context(STORE.with(|store| WasmBacktrace::capture(store)))
}

pub fn link(engine: &Engine, host: &'static Host) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    let module = unsafe { text(host.module) };
    for function in unsafe { slice(host.functions, host.function_count) } {
        let name = unsafe { text(function.name) };
        let parameters = types(unsafe { text(function.parameters) });
        let results = types(unsafe { text(function.results) });
        assert!(parameters.len() <= VALUES_MAX && results.len() <= 1);
        let kind = FuncType::new(engine, parameters, results);
        let call = function.call;
        if function.may_wait {
            // Types that are known here make the calls of guests much cheaper.
            match (unsafe { text(function.parameters) }, unsafe { text(function.results) }) {
                ("iiii", "i") => {
                    linker.func_wrap_async(module, name, move |caller, (a, b, c, d)| {
                        Box::new(call_waiting(call, caller, [a, b, c, d]))
                    })?
                }
                ("ii", "i") => linker.func_wrap_async(module, name, move |caller, (a, b)| {
                    Box::new(call_waiting(call, caller, [a, b]))
                })?,
                ("", "i") => linker.func_wrap_async(module, name, move |caller, (): ()| {
                    Box::new(call_waiting(call, caller, []))
                })?,
                (parameters, results) => panic!("{name} of type {parameters} -> {results}"),
            };
        } else {
            // The types are those that the host function was declared with.
            unsafe {
                linker.func_new_unchecked(module, name, kind, move |caller, values| {
                    call_now(call, caller, values)
                })?;
            }
        }
    }
    Ok(linker)
}

fn types(letters: &str) -> Vec<ValType> {
    letters.chars().map(|letter| if letter == 'I' { ValType::I64 } else { ValType::I32 }).collect()
}

/// Base and size of the guest's memory at this moment.
fn memory(caller: &mut Caller<'_, Guest>) -> Result<(*mut u8, usize)> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => {
            let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                return Err(Error::msg("the module exports no memory named 'memory'"));
            };
            caller.data_mut().memory = Some(memory);
            memory
        }
    };
    Ok((memory.data_ptr(&*caller), memory.data_size(&*caller)))
}

fn call_now(
    call: Call,
    mut caller: Caller<'_, Guest>,
    values: &mut [MaybeUninit<ValRaw>],
) -> Result<()> {
    let (base, size) = memory(&mut caller)?;
    let guest = caller.data().pointer.0;
    match unsafe { call(guest, base, size, values.as_mut_ptr().cast()) } {
        CONTINUE => Ok(()),
        _ => Err(stopped()),
    }
}

async fn call_waiting<const COUNT: usize>(
    call: Call,
    mut caller: Caller<'_, Guest>,
    parameters: [i32; COUNT],
) -> Result<i32> {
    poll_fn(|_| {
        let (base, size) = match memory(&mut caller) {
            Ok(memory) => memory,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let mut values = [ValRaw::i64(0); VALUES_MAX];
        for (value, parameter) in values.iter_mut().zip(parameters) {
            *value = ValRaw::i32(parameter);
        }
        let guest = caller.data().pointer.0;
        match unsafe { call(guest, base, size, values.as_mut_ptr()) } {
            CONTINUE => Poll::Ready(Ok(values[0].get_i32())),
            WAIT => Poll::Pending,
            _ => Poll::Ready(Err(stopped())),
        }
    })
    .await
}
