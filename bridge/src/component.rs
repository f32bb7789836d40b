//! Components: what they are linked to, and which of their exports answers requests.

use crate::engine::Calls;
use crate::fold::LEFT;
use crate::host::{GuestPointer, Host};
use crate::http_spare::Renewal;
use crate::outbound::Hooks;
use crate::program::Program;
use crate::renewal::MEMORY_BYTES_MAX;
use crate::snapshot;
use crate::surroundings::Surroundings;
use crate::task::Limiter;
use std::any::Any;
use std::sync::Arc;
use wasmparser::{CanonicalFunction, CanonicalOption};
use wasmtime::component::{self, HasData, InstancePre, Linker, Resource, ResourceTable};
use wasmtime::{Engine, Result, Store, UpdateDeadline, bail};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{FieldMap, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Of all fields of one message, as the guest has them in hand.
const FIELD_BYTES_MAX: usize = 128 << 10;
/// Resources of the host that one guest may hold at once.
const RESOURCES_MAX: usize = 16 << 10;
/// What one call of the host may make it copy, and the largest list that a guest may give it: a whole memory
/// that is written back is one.
const HOSTCALL_BYTES_MAX: usize = MEMORY_BYTES_MAX;

/// `FB_ASKED_CLOCK` and so on.
const ASKED_CLOCK: u32 = 1;
const ASKED_RANDOM: u32 = 2;
const ASKED_ENVIRONMENT: u32 = 4;

/// The interfaces that are served, for those who are told that theirs is not.
const SERVED_02: (&str, &str) = ("0.2.0", "0.2.12");
const SERVED_03: &str = "0.3.0";
const PACKAGES: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

/// A store's data: one component's instance.
pub struct ComponentGuest {
    pub pointer: GuestPointer,
    pub host: &'static Host,
    pub limiter: Limiter,
    pub table: ResourceTable,
    pub surroundings: Arc<Surroundings>,
    pub hooks: Hooks,
    /// Of what is another for each run, what it has asked for: bits of `fb_snapshot_module`, where
    /// it is linked by `link_watched`.
    pub asked: u32,
    /// It goes on where another run has ended, which has read the clocks.
    pub is_resumed: bool,
    wasi: Option<Box<WasiCtx>>,
    http: WasiHttpCtx,
}

impl ComponentGuest {
    /// `wasi` is made when it is first asked for where there is none; that cannot fail without
    /// mounts.
    pub fn new(
        pointer: GuestPointer,
        host: &'static Host,
        limiter: Limiter,
        surroundings: Arc<Surroundings>,
        wasi: Option<Box<WasiCtx>>,
    ) -> ComponentGuest {
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELD_BYTES_MAX);
        let hooks = Hooks::new(surroundings.outbound.clone());
        ComponentGuest {
            pointer,
            host,
            limiter,
            table: new_table(),
            surroundings,
            hooks,
            asked: 0,
            is_resumed: false,
            wasi,
            http,
        }
    }

    /// After a run: what it has had of the host's, and has still. `None` where that is more than `most` at once,
    /// or something that it cannot be rid of: the next guest cannot have what is left.
    pub fn rest(&mut self, most: u32) -> Option<Rest> {
        self.wasi = None;
        let left = self.left()?;
        if self.hooks.is_sending() {
            return None;
        }
        // The table gives its places out again before it grows.
        self.table.set_max_capacity(0);
        let free = (0..=most).find(|_| self.table.push(()).is_err())?;
        let count = free + left.iter().map(|kind| kind.count_ones()).sum::<u32>();
        (count <= most).then_some(Rest { count, left })
    }

    /// Of each kind in `LEFT`: bits for those that the guest still has in hand.
    fn left(&mut self) -> Option<[u64; LEFT.len()]> {
        let (mut left, mut seen) = ([0; LEFT.len()], 0);
        if self.table.is_empty() {
            return Some(left);
        }
        for place in 0..u64::BITS {
            let Ok(entry) = self.table.get_any_mut(place) else { continue };
            let kind = kind_of(entry);
            left[LEFT.iter().position(|left| *left == kind)?] |= 1 << place;
            seen += 1;
        }
        (self.table.iter_mut().count() == seen).then_some(left)
    }

    /// After `rest`: whether nothing is left of the run. The next one finds a table that none has used.
    pub fn is_at_rest(&mut self) -> bool {
        let mut table = std::mem::replace(&mut self.table, new_table());
        table.iter_mut().all(|entry| entry.is::<()>())
    }

    /// At rest, before another run, which mounts nothing.
    pub fn begin(
        &mut self,
        pointer: GuestPointer,
        limiter: Limiter,
        surroundings: Arc<Surroundings>,
    ) {
        self.pointer = pointer;
        self.limiter = limiter;
        self.hooks.begin(surroundings.outbound.clone());
        self.surroundings = surroundings;
    }
}

/// What a run has left.
pub struct Rest {
    /// How many of the host's resources it has had in hand at once.
    pub count: u32,
    /// Of each kind in `LEFT` those that it has still. Bit 0 is the first of the host's resources, whose handle
    /// is 1 where both were given out in the same order; that is not known, but a handle of another kind is
    /// not taken for it.
    pub left: [u64; LEFT.len()],
}

/// What the guest holds, where it is one of those that are forgotten most.
pub fn kind_of(entry: &mut dyn Any) -> &'static str {
    if entry.is::<HostIncomingRequest>() {
        "incoming-request"
    } else if entry.is::<FieldMap>() {
        "fields"
    } else if entry.is::<DynPollable>() {
        "pollable"
    } else if entry.is::<DynInputStream>() {
        "input-stream"
    } else if entry.is::<DynOutputStream>() {
        "output-stream"
    } else {
        "another"
    }
}

fn new_table() -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(RESOURCES_MAX);
    table
}

/// A store under its guest's limits, interrupted at each epoch of a run.
pub fn new_store(program: &Program, guest: ComponentGuest) -> Store<ComponentGuest> {
    let mut store = Store::new(&program.engine, guest);
    store.limiter(|guest| &mut guest.limiter);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    let on_epoch = program.host.on_epoch;
    store.epoch_deadline_callback(move |context| {
        if unsafe { on_epoch(context.data().pointer.0) } {
            Err(crate::host::stopped())
        } else {
            Ok(UpdateDeadline::Yield(1))
        }
    });
    store
}

impl WasiView for ComponentGuest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| {
            let context = self.surroundings.context(self.host, self.pointer, self.is_resumed);
            Box::new(context.expect("mounts are opened before the guest runs"))
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for ComponentGuest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

pub fn link(engine: &Engine, calls: Calls) -> Result<Linker<ComponentGuest>> {
    use wasmtime_wasi_io::bindings::wasi::io;
    let mut linker: Linker<ComponentGuest> = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    if calls == Calls::Concurrent {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }
    linker.allow_shadowing(true);
    // Streams and pollables need the table only: most guests never make a context.
    io::error::add_to_linker::<_, HasTable>(&mut linker, |guest| &mut guest.table)?;
    io::poll::add_to_linker::<_, HasTable>(&mut linker, |guest| &mut guest.table)?;
    io::streams::add_to_linker::<_, HasTable>(&mut linker, |guest| &mut guest.table)?;
    // Informational responses are dropped, as anyone between server and client may.
    linker.instance("wasi:http/types@0.2.12")?.func_wrap(
        "[method]response-outparam.send-informational",
        |mut context: wasmtime::StoreContextMut<'_, ComponentGuest>,
         (_, status, fields): (Resource<HostResponseOutparam>, u16, Resource<FieldMap>)| {
            context.data_mut().table.delete(fields)?;
            let is_informational = (100..200).contains(&status);
            let said = if is_informational { Ok(()) } else { Err(ErrorCode::HttpProtocolError) };
            Ok((said,))
        },
    )?;
    Ok(linker)
}

/// As `link`, for components that are called in turn; the guest's `asked` is kept.
pub fn link_watched(engine: &Engine) -> Result<Linker<ComponentGuest>> {
    use wasmtime_wasi::cli::{WasiCli, WasiCliView};
    use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
    use wasmtime_wasi::p2::bindings::{cli, clocks, random};
    use wasmtime_wasi::random::WasiRandom;
    let mut linker = link(engine, Calls::InTurn)?;
    fn clocks(guest: &mut ComponentGuest) -> wasmtime_wasi::clocks::WasiClocksCtxView<'_> {
        guest.asked |= ASKED_CLOCK;
        guest.clocks()
    }
    fn random(guest: &mut ComponentGuest) -> &mut wasmtime_wasi::random::WasiRandomCtx {
        guest.asked |= ASKED_RANDOM;
        guest.ctx().ctx.random()
    }
    let l = &mut linker;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, clocks)?;
    random::random::add_to_linker::<_, WasiRandom>(l, random)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, random)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, |guest| {
        guest.asked |= ASKED_ENVIRONMENT;
        guest.cli()
    })?;
    Ok(linker)
}

/// What a component is for.
pub enum Role {
    Http2(ProxyPre<ComponentGuest>),
    Http3(ServicePre<ComponentGuest>),
    Command(CommandPre<ComponentGuest>),
    Other,
}

/// A component, linked.
pub struct Component {
    pub pre: InstancePre<ComponentGuest>,
    pub role: Role,
    /// Its instances start from what a request has left that has read the clocks.
    pub is_resumed: bool,
    /// Where it answers requests of 0.2, and its instances can do so again.
    pub renewal: Option<Renewal>,
}

impl Component {
    pub fn new(
        linker: &Linker<ComponentGuest>,
        component: &component::Component,
    ) -> Result<Component> {
        let engine = linker.engine();
        let ty = component.component_type();
        for (import, _) in ty.imports(engine) {
            check_import(import)?;
        }
        let pre = linker.instantiate_pre(component)?;
        let has = |interface: &str| {
            ty.exports(engine).any(|(export, _)| {
                let (name, version) = split(export);
                let is_served = match version {
                    Some(version) => is_served(name, version),
                    None => false,
                };
                name == interface && is_served
            })
        };
        let role = if has("wasi:http/handler") {
            Role::Http3(ServicePre::new(pre.clone())?)
        } else if has("wasi:http/incoming-handler") {
            Role::Http2(ProxyPre::new(pre.clone())?)
        } else if has("wasi:cli/run") && CommandPre::new(pre.clone()).is_ok() {
            Role::Command(CommandPre::new(pre.clone())?)
        } else {
            Role::Other
        };
        let is_resumed = ty.exports(engine).any(|(export, _)| export == snapshot::ASKED_CLOCK);
        let renewal = Renewal::of(component);
        Ok(Component { pre, role, is_resumed, renewal })
    }
}

/// Whether a component needs an engine that can call it concurrently: it has to do with interfaces
/// of another version than 0.2, or with functions that are asynchronous by themselves.
pub fn is_concurrent(wasm: &[u8]) -> bool {
    use wasmparser::Payload;
    // What cannot be parsed cannot be compiled either; the compiler says why.
    wasmparser::Parser::new(0).parse_all(wasm).map_while(|payload| payload.ok()).any(|payload| {
        match payload {
            Payload::ComponentImportSection(imports) => {
                imports.into_iter().flatten().any(|import| is_newer(import.name.name))
            }
            Payload::ComponentExportSection(exports) => {
                exports.into_iter().flatten().any(|export| is_newer(export.name.name))
            }
            Payload::ComponentCanonicalSection(functions) => {
                functions.into_iter().flatten().any(|function| is_asynchronous(&function))
            }
            _ => false,
        }
    })
}

fn is_newer(name: &str) -> bool {
    split(name).1.is_some_and(|version| !version.starts_with("0.2."))
}

fn is_asynchronous(function: &CanonicalFunction) -> bool {
    let is_asynchronous = |options: &[CanonicalOption]| options.contains(&CanonicalOption::Async);
    match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
            is_asynchronous(options)
        }
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => false,
        _ => true,
    }
}

/// "wasi:http/types@0.2.0": name and version.
fn split(interface: &str) -> (&str, Option<&str>) {
    match interface.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (interface, None),
    }
}

fn is_served(name: &str, version: &str) -> bool {
    let is_second = version
        .strip_prefix("0.2.")
        .is_some_and(|patch| patch.bytes().all(|digit| digit.is_ascii_digit()));
    let is_third = version
        .strip_prefix("0.3.")
        .is_some_and(|patch| patch.bytes().all(|digit| digit.is_ascii_digit()));
    is_second || (is_third && !name.starts_with("wasi:io/"))
}

/// Says what to do about an import of a version, or of a package, that is not served.
fn check_import(import: &str) -> Result<()> {
    let (name, version) = split(import);
    let package = name.strip_prefix("wasi:").and_then(|rest| rest.split('/').next());
    if !package.is_some_and(|package| PACKAGES.contains(&package)) {
        // A plain function or type may be satisfied in some other way; linking says so.
        if !name.contains(':') {
            return Ok(());
        }
        bail!(
            "it imports {import}, which is not served; a component here may import wasi:{{{}}} and \
             nothing else",
            PACKAGES.join(",")
        );
    }
    match version {
        Some(version) if is_served(name, version) => Ok(()),
        _ => {
            let (first, last) = SERVED_02;
            bail!(
                "it is built for {import}; served are the versions {first} to {last} and \
                 {SERVED_03}: build it with tools that target one of these"
            )
        }
    }
}
