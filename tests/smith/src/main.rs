//! Writes random modules that are valid, have a `_start` and a memory, and import what WASI
//! preview 1 has.
//!
//!     smith SEED COUNT FOLDER

use arbitrary::Unstructured;
use std::error::Error;
use std::path::Path;
use wasm_smith::{Config, Module};

/// What a command exports at least.
const EXPORTS: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// Imports to choose from; those that take no pointer come with those that do.
const IMPORTS: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#;

/// From little code to much; what random bytes are read until there are none.
const RANDOM_BYTES_MAX: u64 = 8_000;

/// Steele, Lea, Flood: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

fn module(random: &mut Random) -> Result<Vec<u8>, Box<dyn Error>> {
    let config = Config {
        exports: Some(wat::parse_str(EXPORTS)?),
        available_imports: Some(wat::parse_str(IMPORTS)?),
        max_memories: 2,
        max_tables: 4,
        bulk_memory_enabled: true,
        reference_types_enabled: true,
        simd_enabled: true,
        tail_call_enabled: true,
        gc_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        memory64_enabled: false,
        custom_page_sizes_enabled: false,
        shared_everything_threads_enabled: false,
        wide_arithmetic_enabled: false,
        allow_start_export: true,
        ..Config::default()
    };
    let count = 200 + random.next() % RANDOM_BYTES_MAX;
    let bytes = random.bytes(count as usize);
    Ok(Module::new(config, &mut Unstructured::new(&bytes))?.to_bytes())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, seed, count, folder] = arguments.as_slice() else {
        return Err("usage: smith SEED COUNT FOLDER".into());
    };
    let (seed, count): (u64, u64) = (seed.parse()?, count.parse()?);
    for number in 0..count {
        let mut random = Random(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let path = Path::new(folder).join(format!("m{seed}-{number}.wasm"));
        // Some draws have no room for what a command exports.
        if let Ok(bytes) = module(&mut random) {
            std::fs::write(path, bytes)?;
        }
    }
    Ok(())
}
