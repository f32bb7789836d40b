//! Components that answer requests of `wasi:http` 0.2: what is kept is what the first request has
//! left in the memories and globals of their modules.
//!
//! The handles that a component holds are entries of tables outside of its memory, and those are
//! empty again in each instance. So a component that holds any when its request is over has no
//! snapshot: it would use a handle that is not there, or is another's.

use super::image;
use crate::component::{Component, ComponentGuest, Role, is_concurrent, kind_of};
use crate::engine::BridgeEngine;
use crate::program::{Code, Program};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use wasm_encoder::{
    ComponentExportKind, ComponentExportSection, ComponentInstanceSection, RawSection,
};
use wasmparser::{
    ComponentAlias, ComponentExternalKind, Instance as CoreInstance, Parser, Payload, Validator,
    WasmFeatures,
};
use wasmtime::component::{self, Instance, WasmList, types::ComponentItem};
use wasmtime::{Error, Result, Store, Trap, Val, bail};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

/// The instance that the instrumented component exports: functions that read its memories and
/// globals.
const ACCESS: &str = "wasmtime:wizer/access";
pub const ASKED_CLOCK: &str = "funcd:asked/clock";
/// What the request may have asked the host for, by its bits: exports of the snapshot tell.
const ASKED: [&str; 3] = [ASKED_CLOCK, "funcd:asked/random", "funcd:asked/environment"];
/// Reading a memory takes a page more of it.
const PAGE_BYTES: u64 = 64 << 10;

/// A component on its way to one that starts from what a request has left.
pub struct ComponentBuild {
    wasm: Vec<u8>,
    /// Instrumented; answers as the component itself does.
    pub program: Program,
    remains: Mutex<Option<Remains>>,
}

impl ComponentBuild {
    /// Of a component, and the code of what `instrumented` has made of it.
    pub fn new(engine: &BridgeEngine, wasm: Vec<u8>, code: &[u8]) -> Result<ComponentBuild> {
        let component = engine.scratches.load_component(engine.host, code)?;
        if !matches!(component.role, Role::Http2(_)) {
            bail!(
                "of components, those that export wasi:http/incoming-handler 0.2 can be warmed up"
            );
        }
        let engine_of_it = component.pre.engine().clone();
        let program = Program::new(engine_of_it, engine.host, Code::Component(component));
        Ok(ComponentBuild { wasm, program, remains: Mutex::default() })
    }

    /// Keeps what a request has left that has been answered.
    pub async fn keep(&self, store: &mut Store<ComponentGuest>, instance: &Instance) -> Result<()> {
        let mut count = 0;
        let mut kinds = BTreeSet::new();
        for entry in store.data_mut().table.iter_mut() {
            count += 1;
            kinds.insert(kind_of(entry));
        }
        if count > 0 {
            bail!(
                "it still holds {count} of the host's handles when its request is over ({}), which \
                 no other instance has",
                Vec::from_iter(kinds).join(", ")
            );
        }
        let Code::Component(component) = &self.program.code else {
            unreachable!("is made of one");
        };
        let remains = Remains::of(store, component, instance).await?;
        *self.remains.lock().expect("no panic holds it") = Some(remains);
        Ok(())
    }

    pub fn component(&self) -> Result<Vec<u8>> {
        let Some(mut remains) = self.remains.lock().expect("no panic holds it").take() else {
            bail!("its build has not returned");
        };
        let bits = (0..).zip(ASKED).filter(|(bit, _)| remains.asked >> bit & 1 == 1);
        let asked: Vec<&str> = bits.map(|(_, name)| name).collect();
        let wizer = Wizer::new();
        let (context, _) = wizer.instrument_component(&self.wasm)?;
        let rewriting = pin!(wizer.snapshot_component(&context, &mut remains));
        // Nothing in it waits.
        let Poll::Ready(rewritten) = rewriting.poll(&mut Context::from_waker(Waker::noop())) else {
            bail!("its rewriting waits");
        };
        finish(&rewritten?, &asked)
    }
}

/// The component that answers as this one does, and whose memories and globals can be read.
pub fn instrumented(wasm: &[u8], is_warm: bool) -> Result<Vec<u8>> {
    if !is_warm {
        bail!(
            "it is a component, which runs nothing before its first request; with warm = true it \
             starts from what a warm-up request leaves"
        );
    }
    if is_concurrent(wasm) {
        bail!("it is a component of WASI 0.3; those of wasi:http 0.2 can be warmed up");
    }
    check(wasm)?;
    let (_, instrumented) = Wizer::new().instrument_component(wasm)?;
    Ok(instrumented)
}

/// Refuses what wizer takes for granted that no component has.
fn check(wasm: &[u8]) -> Result<()> {
    Validator::new_with_features(WasmFeatures::default()).validate_all(wasm)?;
    let (mut has_state, mut has_exports) = (false, false);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory?;
                    if memory.shared || memory.memory64 {
                        bail!("it has a memory that is shared, or of 64 bits");
                    }
                    has_state = true;
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    has_state |= global?.ty.mutable;
                }
            }
            Payload::ExportSection(_) => has_exports = true,
            Payload::End(_) => {
                if has_state && !has_exports {
                    bail!("it has a module with a memory or a global, and no exports");
                }
                (has_state, has_exports) = (false, false);
            }
            _ => {}
        }
    }
    Ok(())
}

/// What an instance has left, by the functions that read it.
#[derive(Default)]
struct Remains {
    asked: u32,
    globals: HashMap<String, Val>,
    memories: HashMap<String, Vec<u8>>,
}

impl Remains {
    async fn of(
        store: &mut Store<ComponentGuest>,
        component: &Component,
        instance: &Instance,
    ) -> Result<Remains> {
        let mut remains = Remains { asked: store.data().asked, ..Remains::default() };
        let engine = store.engine().clone();
        let ty = component.pre.component().component_type();
        let Some(ComponentItem::ComponentInstance(access)) =
            ty.exports(&engine).find(|(name, _)| *name == ACCESS).map(|(_, item)| item.ty)
        else {
            bail!("it has lost {ACCESS}");
        };
        let (_, within) = instance.get_export(&mut *store, None, ACCESS).expect("is there");
        for (name, _) in access.exports(&engine) {
            let (_, index) =
                instance.get_export(&mut *store, Some(&within), name).expect("is there");
            if name.starts_with("memory") {
                store.data_mut().limiter.allow(PAGE_BYTES);
                let read = instance.get_typed_func::<(), (WasmList<u8>,)>(&mut *store, index)?;
                let (bytes,) = read.call_async(&mut *store, ()).await.map_err(unreadable)?;
                remains.memories.insert(name.to_owned(), bytes.as_le_slice(&*store).to_vec());
            } else {
                let read = instance.get_func(&mut *store, index).expect("is there");
                let mut values = [component::Val::Bool(false)];
                read.call_async(&mut *store, &[], &mut values).await?;
                let value = match values[0] {
                    component::Val::S32(value) => Val::I32(value),
                    component::Val::S64(value) => Val::I64(value),
                    component::Val::Float32(value) => Val::F32(value.to_bits()),
                    component::Val::Float64(value) => Val::F64(value.to_bits()),
                    _ => bail!("a global of a type that is not known"),
                };
                remains.globals.insert(name.to_owned(), value);
            }
        }
        Ok(remains)
    }
}

/// A memory is read by way of a page more of it, which it may not be allowed.
fn unreadable(error: Error) -> Error {
    if error.is::<Trap>() {
        return Error::msg("a memory of it is as large as it may be, and cannot be read then");
    }
    error
}

impl ComponentInstanceState for Remains {
    async fn call_func_ret_list_u8(
        &mut self,
        _: &str,
        name: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        contents(&self.memories[name]);
    }

    async fn call_func_ret_s32(&mut self, _: &str, name: &str) -> i32 {
        self.globals[name].unwrap_i32()
    }

    async fn call_func_ret_s64(&mut self, _: &str, name: &str) -> i64 {
        self.globals[name].unwrap_i64()
    }

    async fn call_func_ret_f32(&mut self, _: &str, name: &str) -> u32 {
        self.globals[name].unwrap_f32().to_bits()
    }

    async fn call_func_ret_f64(&mut self, _: &str, name: &str) -> u64 {
        self.globals[name].unwrap_f64().to_bits()
    }
}

/// The same component with its modules' data merged, and with exports of these names more, which
/// are empty instances.
fn finish(wasm: &[u8], marks: &[&str]) -> Result<Vec<u8>> {
    let instantiated = instantiated_modules(wasm)?;
    let mut component = wasm_encoder::Component::new();
    let (mut instances, mut modules) = (0, 0);
    let mut nested_until = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let Some((id, range)) = payload.as_section() else { continue };
        if range.start < nested_until {
            continue;
        }
        let mut data = Cow::Borrowed(&wasm[range.clone()]);
        match &payload {
            Payload::ModuleSection { .. } => {
                nested_until = range.end;
                // Another one stays as it came: its data may lie anywhere.
                if instantiated.contains(&modules) {
                    data = Cow::Owned(image::finish(&data, &[])?);
                }
                modules += 1;
            }
            Payload::ComponentSection { .. } => nested_until = range.end,
            _ => instances += instances_in(&payload)?,
        }
        component.section(&RawSection { id, data: &data });
    }
    let mut empty = ComponentInstanceSection::new();
    empty.export_items([] as [(&str, ComponentExportKind, u32); 0]);
    component.section(&empty);
    let mut exports = ComponentExportSection::new();
    for mark in marks {
        exports.export(*mark, ComponentExportKind::Instance, instances, None);
    }
    component.section(&exports);
    Ok(component.finish())
}

/// By their index. Components within have no core modules, or there is no snapshot.
fn instantiated_modules(wasm: &[u8]) -> Result<BTreeSet<u32>> {
    let mut modules = BTreeSet::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::InstanceSection(instances) = payload? else { continue };
        for instance in instances {
            if let CoreInstance::Instantiate { module_index, .. } = instance? {
                modules.insert(module_index);
            }
        }
    }
    Ok(modules)
}

/// How many instances a section adds to those that a component can name.
fn instances_in(payload: &Payload) -> Result<u32> {
    let is_instance = |kind| kind == ComponentExternalKind::Instance;
    let mut count = 0;
    match payload {
        Payload::ComponentInstanceSection(instances) => count = instances.count(),
        Payload::ComponentImportSection(imports) => {
            for import in imports.clone() {
                count += u32::from(is_instance(import?.ty.kind()));
            }
        }
        Payload::ComponentExportSection(exports) => {
            for export in exports.clone() {
                count += u32::from(is_instance(export?.kind));
            }
        }
        Payload::ComponentAliasSection(aliases) => {
            for alias in aliases.clone() {
                if let ComponentAlias::InstanceExport { kind, .. } = alias? {
                    count += u32::from(is_instance(kind));
                }
            }
        }
        _ => {}
    }
    Ok(count)
}
