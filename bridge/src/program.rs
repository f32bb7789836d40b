//! Compiled and linked code.

use crate::component::{Component, Role};
use crate::engine::BridgeEngine;
use crate::entry::{RENEWABLE, START, entry_of, is_ours};
use crate::host::{Guest, Host};
use crate::renewal::Image;
use crate::{Bytes, give, slice, text};
use std::ffi::{c_char, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use wasmtime::component::{self, types::ComponentItem};
use wasmtime::{Engine, ExternType, FuncType, InstancePre, ModuleExport, Precompiled, Result};

/// `fb_program`.
pub struct Program {
    /// No other has it, ever.
    pub id: u64,
    pub engine: Engine,
    pub host: &'static Host,
    /// What the memory of its instances begins with, once that is known and where they can be made as good
    /// as new; `None` where that is too large.
    pub image: OnceLock<Option<Image>>,
    /// Behind the image, which may be a part of it.
    pub code: Code,
    failures: AtomicU32,
    passed_over: AtomicU32,
}

/// So many more runs have left what cannot be written back than have not, and it is tried after each so
/// many only.
const FAILURES_MAX: u32 = 64;
const TRIED_EVERY: u32 = 1 << 10;

impl Program {
    pub fn new(engine: Engine, host: &'static Host, code: Code) -> Program {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (failures, passed_over) = (AtomicU32::new(0), AtomicU32::new(0));
        Program { id, engine, host, code, image: OnceLock::new(), failures, passed_over }
    }

    /// Whether to try it after the next run: not where it is known that this does not pay.
    pub fn may_renew(&self) -> bool {
        if matches!(self.image.get(), Some(None)) {
            return false;
        }
        self.failures.load(Ordering::Relaxed) < FAILURES_MAX
            || self.passed_over.fetch_add(1, Ordering::Relaxed) % TRIED_EVERY == TRIED_EVERY - 1
    }

    /// A run has left what cannot be written back.
    pub fn was_not_renewed(&self) {
        let failures = self.failures.load(Ordering::Relaxed);
        self.failures.store((failures + 1).min(FAILURES_MAX), Ordering::Relaxed);
    }

    /// An instance is as good as new.
    pub fn was_renewed(&self) {
        let failures = self.failures.load(Ordering::Relaxed);
        if failures > 0 {
            self.failures.store(failures - 1, Ordering::Relaxed);
        }
    }
}

pub enum Code {
    Module(Module),
    Component(Component),
}

/// What a reactor is called by before it is called.
const INITIALIZE: &str = "_initialize";

/// A linked module, and where what each run needs of its exports is: a run that looks for names
/// hashes each of them twice.
pub struct Module {
    pub pre: InstancePre<Guest>,
    pub memory: Option<ModuleExport>,
    pub start: Option<ModuleExport>,
    pub initialize: Option<ModuleExport>,
    /// Where its instances can be made as good as new: what it is entered by, under which name.
    pub renewable: Option<(&'static str, ModuleExport)>,
}

impl Module {
    fn new(pre: InstancePre<Guest>, may_be_renewable: bool) -> Module {
        let export = |name: &str| pre.module().get_export_index(name);
        let renewable = entry_of(|name| export(name).is_some()).zip(export(RENEWABLE));
        Module {
            memory: export("memory"),
            start: export(START),
            initialize: export(INITIALIZE),
            renewable: renewable.filter(|_| may_be_renewable && export("memory").is_some()),
            pre,
        }
    }
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
    let loaded = unsafe { load(engine, path, slice(code, size), has_files) };
    let code = give(loaded, error)?;
    let engine_of_it = match &code {
        Code::Module(module) => module.pre.module().engine(),
        Code::Component(component) => component.pre.engine(),
    };
    Some(Box::new(Program::new(engine_of_it.clone(), engine.host, code)))
}

/// # Safety
/// The caller vouches for the code; `path` is null or ends in NUL.
unsafe fn load(
    engine: &BridgeEngine,
    path: *const c_char,
    code: &[u8],
    has_files: bool,
) -> Result<Code> {
    let path = (!path.is_null()).then(|| unsafe { text(path) });
    let kind = match path {
        Some(path) => Engine::detect_precompiled_file(path)?,
        None => Engine::detect_precompiled(code),
    };
    if matches!(kind, Some(Precompiled::Component)) {
        let read = |linker: &component::Linker<_>| match path {
            Some(path) => unsafe { component::Component::deserialize_file(linker.engine(), path) },
            None => unsafe { component::Component::deserialize(linker.engine(), code) },
        };
        // Code of one engine is refused by the other before anything of it is used.
        let linker = engine.components()?;
        let (linker, component) = match read(linker) {
            Ok(component) => (linker, component),
            Err(error) => {
                let linker = engine.concurrent_components()?;
                (linker, read(linker).map_err(|_| error)?)
            }
        };
        return Ok(Code::Component(Component::new(linker, &component)?));
    }
    let (modules, module) = engine.load_module(|engine| match path {
        Some(path) => unsafe { wasmtime::Module::deserialize_file(engine, path) },
        None => unsafe { wasmtime::Module::deserialize(engine, code) },
    })?;
    let linker = modules.linker(has_files);
    Ok(Code::Module(Module::new(linker.instantiate_pre(&module)?, !has_files)))
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
    let tell = |module: &str, name: &str, kind: &str| unsafe {
        visit(
            context,
            module.as_ptr().cast(),
            module.len(),
            name.as_ptr().cast(),
            name.len(),
            kind.as_ptr().cast(),
            kind.len(),
        );
    };
    match &program.code {
        Code::Module(module) => {
            let module = module.pre.module();
            for import in module.imports() {
                tell(import.module(), import.name(), &describe(&import.ty()));
            }
            for export in module.exports().filter(|export| !is_ours(export.name())) {
                tell("", export.name(), &describe(&export.ty()));
            }
        }
        Code::Component(component) => {
            let component = component.pre.component();
            let ty = component.component_type();
            for (name, item) in ty.imports(&program.engine) {
                tell(name, "", describe_item(&item.ty));
            }
            for (name, item) in ty.exports(&program.engine).filter(|(name, _)| !is_ours(name)) {
                tell("", name, describe_item(&item.ty));
            }
        }
    }
}

const MODULE: i32 = 0;
const HTTP: i32 = 1;
const COMMAND: i32 = 2;
const OTHER_COMPONENT: i32 = 3;

#[unsafe(no_mangle)]
pub extern "C" fn fb_program_kind(program: &Program) -> i32 {
    match &program.code {
        Code::Module(_) => MODULE,
        Code::Component(component) => match component.role {
            Role::Http2(_) | Role::Http3(_) => HTTP,
            Role::Command(_) => COMMAND,
            Role::Other => OTHER_COMPONENT,
        },
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_program_is_renewable(program: &Program) -> bool {
    match &program.code {
        Code::Module(module) => module.renewable.is_some(),
        Code::Component(component) => component.renewal.is_some(),
    }
}

fn describe_item(item: &ComponentItem) -> &'static str {
    match item {
        ComponentItem::ComponentFunc(_) | ComponentItem::CoreFunc(_) => "func",
        ComponentItem::Module(_) => "module",
        ComponentItem::Component(_) => "component",
        ComponentItem::ComponentInstance(_) => "interface",
        ComponentItem::Type(_) => "type",
        ComponentItem::Resource(_) => "resource",
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
    let Code::Module(module) = &program.code else {
        // A component's memories are its own affair; the limit of its run holds for their sum.
        (*min, *max) = (0, u64::MAX);
        return;
    };
    let mut memories = module.pre.module().exports().filter_map(|export| match export.ty() {
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
