//! Engines for the runs that lead to a snapshot.

use crate::component::{Component, ComponentGuest, link_watched};
use crate::host::{self, Guest, Host};
use std::sync::OnceLock;
use wasmparser::Parser;
use wasmtime::component as wasm_component;
use wasmtime::{Config, Engine, Error, InstancePre, Linker, Result, Strategy};

/// An engine for modules that run once or twice: its compiler takes a sixth of the time, and its
/// instances are outside of the pool.
struct Scratch {
    engine: Engine,
    linker: Linker<Guest>,
    components: OnceLock<wasm_component::Linker<ComponentGuest>>,
}

impl Scratch {
    fn new(host: &'static Host, strategy: Strategy, stack_bytes: usize) -> Result<Scratch> {
        let mut config = Config::new();
        config
            .strategy(strategy)
            .concurrency_support(false)
            .epoch_interruption(true)
            .max_wasm_stack(stack_bytes)
            .async_stack_size(stack_bytes + (1 << 20))
            .native_unwind_info(false)
            .wasm_gc(false);
        let engine = Engine::new(&config)?;
        let linker = host::link(&engine, host)?;
        Ok(Scratch { engine, linker, components: OnceLock::new() })
    }

    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        if Parser::is_component(wasm) {
            self.engine.precompile_component(wasm)
        } else {
            self.engine.precompile_module(wasm)
        }
    }

    fn link_component(&self, component: &wasm_component::Component) -> Result<Component> {
        let linker = match self.components.get() {
            Some(linker) => linker,
            None => {
                let linker = link_watched(&self.engine)?;
                self.components.get_or_init(|| linker)
            }
        };
        Component::new(linker, component)
    }
}

/// The quick compiler, and the usual one for modules that it does not know.
pub struct Scratches {
    quick: OnceLock<Option<Scratch>>,
    usual: OnceLock<Option<Scratch>>,
    stack_bytes: usize,
}

impl Scratches {
    pub fn new(stack_bytes: usize) -> Scratches {
        Scratches { quick: OnceLock::new(), usual: OnceLock::new(), stack_bytes }
    }

    pub fn tick(&self) {
        for scratch in [&self.quick, &self.usual] {
            if let Some(Some(scratch)) = scratch.get() {
                scratch.engine.increment_epoch();
            }
        }
    }

    pub fn compile(&self, host: &'static Host, wasm: &[u8]) -> Result<Vec<u8>> {
        self.with_either(host, |scratch| scratch.compile(wasm))
    }

    // Code of one is refused by the other before anything of it is used.
    pub fn load(&self, host: &'static Host, code: &[u8]) -> Result<InstancePre<Guest>> {
        let (scratch, module) = self.with_either(host, |scratch| {
            // SAFETY: the caller of fb_snapshot_new answers for the code.
            Ok((scratch, unsafe { wasmtime::Module::deserialize(&scratch.engine, code) }?))
        })?;
        scratch.linker.instantiate_pre(&module)
    }

    pub fn load_component(&self, host: &'static Host, code: &[u8]) -> Result<Component> {
        let (scratch, component) = self.with_either(host, |scratch| {
            // SAFETY: as above.
            let component =
                unsafe { wasm_component::Component::deserialize(&scratch.engine, code) };
            Ok((scratch, component?))
        })?;
        scratch.link_component(&component)
    }

    fn with_either<'a, T>(
        &'a self,
        host: &'static Host,
        ask: impl Fn(&'a Scratch) -> Result<T>,
    ) -> Result<T> {
        let with = |cell: &'a OnceLock<Option<Scratch>>, strategy| {
            cell.get_or_init(|| Scratch::new(host, strategy, self.stack_bytes).ok())
                .as_ref()
                .ok_or_else(|| Error::msg("no engine for snapshots can be made"))
                .and_then(&ask)
        };
        with(&self.quick, Strategy::Winch).or_else(|_| with(&self.usual, Strategy::Cranelift))
    }
}
