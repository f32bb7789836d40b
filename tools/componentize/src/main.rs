//! Makes a component of a core module, as `wasm-tools component embed` and `new` do:
//!
//!   componentize CORE.wasm [--wit PATH --world NAME] -o OUT.wasm
//!
//! With --wit, the module implements that world by the names of its imports and exports; without, it
//! carries its type itself, as those of Rust's bindings do. What it imports of WASI preview 1 is
//! served by Wasmtime's adapter.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const USAGE: &str = "usage: componentize CORE.wasm [--wit PATH --world NAME] -o OUT.wasm";

#[derive(Default)]
struct Arguments {
    core: Option<PathBuf>,
    wit: Option<PathBuf>,
    world: Option<String>,
    out: Option<PathBuf>,
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value; {USAGE}"));
        match word.as_str() {
            "--wit" => arguments.wit = Some(value()?.into()),
            "--world" => arguments.world = Some(value()?),
            "-o" => arguments.out = Some(value()?.into()),
            _ if word.starts_with('-') => bail!("unknown flag {word}; {USAGE}"),
            _ => arguments.core = Some(word.into()),
        }
    }
    Ok(arguments)
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    let core = arguments.core.context(USAGE)?;
    let out = arguments.out.context(USAGE)?;
    let mut module =
        std::fs::read(&core).with_context(|| format!("cannot read {}", core.display()))?;
    if let Some(wit) = &arguments.wit {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(wit)?;
        let world = resolve.select_world(&[package], arguments.world.as_deref())?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    }
    let component = ComponentEncoder::default()
        .module(&module)?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
        .validate(true)
        .encode()
        .with_context(|| format!("{} is no component", core.display()))?;
    std::fs::write(&out, component).with_context(|| format!("cannot write {}", out.display()))
}
