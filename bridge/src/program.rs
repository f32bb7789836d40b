//! Compiled and linked code.

use crate::engine::BridgeEngine;
use crate::host::{Guest, Host};
use crate::{Bytes, give, slice, text};
use std::ffi::{c_char, c_void};
use wasmtime::{Engine, ExternType, FuncType, InstancePre, Module, Result};

/// `fb_program`.
pub struct Program {
    pub engine: Engine,
    pub host: &'static Host,
    pub pre: InstancePre<Guest>,
}

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_program_load(
    engine: &BridgeEngine,
    path: *const c_char,
    code: *const u8,
    size: usize,
    has_files: bool,
    error: &mut Bytes,
) -> Option<Box<Program>> {
    // The caller vouches for the code.
    let module = if path.is_null() {
        unsafe { Module::deserialize(&engine.engine, slice(code, size)) }
    } else {
        unsafe { Module::deserialize_file(&engine.engine, text(path)) }
    };
    let linker = if has_files { &engine.with_files } else { &engine.plain };
    let pre: Result<InstancePre<Guest>> = module.and_then(|module| linker.instantiate_pre(&module));
    let pre = give(pre, error)?;
    Some(Box::new(Program { engine: engine.engine.clone(), host: engine.host, pre }))
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_program_delete(_program: Box<Program>) {}

type Visit = unsafe extern "C" fn(
    *mut c_void,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const c_char,
    usize,
);

/// # Safety
/// See `funcd_bridge.h`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fb_program_externs(program: &Program, context: *mut c_void, visit: Visit) {
    let tell = |module: &str, name: &str, kind: ExternType| {
        let kind = describe(&kind);
        unsafe {
            visit(
                context,
                module.as_ptr().cast(),
                module.len(),
                name.as_ptr().cast(),
                name.len(),
                kind.as_ptr().cast(),
                kind.len(),
            );
        }
    };
    let module = program.pre.module();
    for import in module.imports() {
        tell(import.module(), import.name(), import.ty());
    }
    for export in module.exports() {
        tell("", export.name(), export.ty());
    }
}

/// "func (i32, i64) -> i32", "memory", "table", ...
fn describe(kind: &ExternType) -> String {
    match kind {
        ExternType::Func(function) => describe_function(function),
        ExternType::Global(_) => "global".into(),
        ExternType::Table(_) => "table".into(),
        ExternType::Memory(_) => "memory".into(),
        ExternType::Tag(_) => "tag".into(),
    }
}

fn describe_function(function: &FuncType) -> String {
    let list = |types: Vec<String>| types.join(", ");
    let parameters = list(function.params().map(|value| value.to_string()).collect());
    let results = list(function.results().map(|value| value.to_string()).collect());
    if results.is_empty() {
        format!("func ({parameters})")
    } else {
        format!("func ({parameters}) -> {results}")
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_program_memory(program: &Program, min: &mut u64, max: &mut u64) {
    let mut memories = program.pre.module().exports().filter_map(|export| match export.ty() {
        ExternType::Memory(memory) => Some(memory),
        _ => None,
    });
    let memory = memories.next();
    let bytes =
        |pages: u64, memory: &wasmtime::MemoryType| pages.saturating_mul(memory.page_size());
    *min = memory.as_ref().map_or(0, |memory| bytes(memory.minimum(), memory));
    *max = memory
        .as_ref()
        .and_then(|memory| memory.maximum().map(|pages| bytes(pages, memory)))
        .unwrap_or(u64::MAX);
}
