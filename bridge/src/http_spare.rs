//! Components of `wasi:http` 0.2 whose instances answer again, once they are as good as new.
//!
//! Beside what is in its modules, an instance of a component has a table of handles. Those that a guest
//! has in hand are the host's resources, each of which has its place in the store's table: where that is
//! empty after a run, the guest holds none. Of what it holds, requests and fields are dropped for it. What is
//! left is the order in which numbers are given out again, which is the last run's. A run has changed it among
//! the first numbers only, of which there are no more than resources of the host's at once: so these are put in
//! order.

use crate::component::ComponentGuest;
use crate::entry::{FIRST_BYTES, MEMORY_BYTES, ORDER_HANDLES};
use crate::program::Program;
use crate::renewal::{Image, Place};
use crate::spares::{Instance, Kept, SparesPointer};
use crate::task::{Limiter, Limits};
use wasmtime::component::{Component, ComponentExportIndex, TypedFunc, WasmList};
use wasmtime::{Result, Store};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

/// Of the host's, in one run at once; for more, handles are not put in order.
const RESOURCES_MAX: u32 = 256;
/// In epochs.
const NEVER: u64 = 1 << 48;

/// What is called in an instance, and what makes it as good as new.
pub struct Entry {
    pub proxy: Proxy,
    memory: TypedFunc<(), (WasmList<u8>,)>,
    order: TypedFunc<(u32, u64, u64), ()>,
}

/// How instances of one component are made as good as new.
pub struct Renewal {
    first: ComponentExportIndex,
    memory: ComponentExportIndex,
    order: ComponentExportIndex,
}

impl Renewal {
    /// Where the component was compiled for it.
    pub fn of(component: &Component) -> Option<Renewal> {
        let export = |name: &str| component.get_export_index(None, name);
        Some(Renewal {
            first: export(FIRST_BYTES)?,
            memory: export(MEMORY_BYTES)?,
            order: export(ORDER_HANDLES)?,
        })
    }

    async fn instantiate(
        &self,
        store: &mut Store<ComponentGuest>,
        program: &Program,
        pre: &ProxyPre<ComponentGuest>,
    ) -> Result<Box<Kept<Entry>>> {
        let instance = pre.instance_pre().instantiate_async(&mut *store).await?;
        let proxy = Proxy::new(&mut *store, &instance)?;
        let memory = instance.get_typed_func(&mut *store, self.memory)?;
        let order = instance.get_typed_func(&mut *store, self.order)?;
        if program.image.get().is_none() {
            let first = instance.get_typed_func::<(), (u64,)>(&mut *store, self.first)?;
            let (first,) = first.call_async(&mut *store, ()).await?;
            let place = place_of(store, &memory).await?;
            unsafe { place.base.cast::<u64>().write_unaligned(first) };
            let code = pre.instance_pre().component().image_range();
            program.image.get_or_init(|| unsafe { Image::of(place, code, program.host) });
        }
        let memory_bytes = store.data_mut().limiter.memory_bytes();
        Ok(Kept::new(Entry { proxy, memory, order }, None, memory_bytes))
    }
}

/// Where the memory is. Its first 8 bytes are others afterwards.
async fn place_of(
    store: &mut Store<ComponentGuest>,
    memory: &TypedFunc<(), (WasmList<u8>,)>,
) -> Result<Place> {
    let (list,) = memory.call_async(&mut *store, ()).await?;
    let bytes = list.as_le_slice(&*store);
    Ok(Place { base: bytes.as_ptr().cast_mut(), bytes: bytes.len() })
}

/// Who answers one request: an instance that another run has left, or a fresh one, which is left to the
/// next where that can be done.
pub struct Turn {
    program: &'static Program,
    pre: &'static ProxyPre<ComponentGuest>,
    renewal: &'static Renewal,
    spares: SparesPointer,
    limits: Limits,
    spare: Option<Box<Kept<Entry>>>,
}

impl Turn {
    pub fn new(
        program: &'static Program,
        pre: &'static ProxyPre<ComponentGuest>,
        renewal: &'static Renewal,
        spares: SparesPointer,
        limits: Limits,
    ) -> Turn {
        Turn { program, pre, renewal, spares, limits, spare: None }
    }

    /// The store of a spare instance, if there is one; it knows nothing of this run.
    pub fn take(&mut self, limiter: &mut Limiter) -> Option<Store<ComponentGuest>> {
        let spare = self.spares.list().components.take(self.program.id, self.limits)?;
        limiter.begin_with(spare.kept.memory_bytes);
        self.spare = Some(spare.kept);
        Some(spare.store)
    }

    /// The instance that answers.
    pub async fn instance(
        &mut self,
        store: &mut Store<ComponentGuest>,
    ) -> Result<Box<Kept<Entry>>> {
        match self.spare.take() {
            Some(spare) => Ok(spare),
            None => self.renewal.instantiate(store, self.program, self.pre).await,
        }
    }

    /// Leaves the instance, whose run has ended well, to another. Where that cannot be done it is gone.
    pub async fn leave(mut self, mut store: Store<ComponentGuest>, mut kept: Box<Kept<Entry>>) {
        let guest = store.data_mut();
        let memory_bytes = guest.limiter.memory_bytes();
        let rest = guest.rest(RESOURCES_MAX);
        let (Some(rest), true) = (rest, memory_bytes == kept.memory_bytes) else {
            self.program.was_not_renewed();
            return;
        };
        // What is called now is ours and short, and the run's time is none of its affair.
        store.set_epoch_deadline(NEVER);
        let [requests, fields] = rest.left;
        let ordered = kept.entry.order.call_async(&mut store, (rest.count, requests, fields)).await;
        if ordered.is_err() || !store.data_mut().is_at_rest() {
            self.program.was_not_renewed();
            return;
        }
        if kept.place.is_none() {
            let Ok(place) = place_of(&mut store, &kept.entry.memory).await else { return };
            kept.place = Some(place);
        }
        if kept.is_used_up(memory_bytes) {
            return;
        }
        let instance = Instance { store, kept };
        self.spares.list().components.keep(self.program, self.limits, instance);
    }
}
