//! Go's programs, whose state between two calls of the host lies in memory and globals alone.
//!
//! Code that Go's compiler makes for WebAssembly can leave the WebAssembly stack at any call: each
//! function takes the block to go on at and returns whether it has left (1) or is done (0), the
//! return addresses lie in linear memory, and `wasm_pc_f_loop` calls the function whose address is
//! below the stack pointer until the global PAUSE is set (src/runtime/asm_wasm.s). So a command is
//! stopped before `main.main`: its body becomes a wrapper that, the first time, puts its own
//! address there, sets PAUSE and leaves. `_start` returns; the snapshot is taken. An invocation
//! enters by `wasm_pc_f_loop`, and the wrapper first calls the runtime's functions that read
//! arguments and environment. A command that is warmed up is entered so once before its snapshot,
//! and stopped where `main.main` has returned to the wrapper: as before it, to be called again.

use super::module::{Additions, Module, Signature};
use wasm_encoder::{BlockType, Function, Instruction as I, MemArg};
use wasmparser::ValType;
use wasmtime::{Error, Result};

/// Minor versions whose runtime this has been tried with.
const MINOR_MIN: u32 = 22;
const MINOR_MAX: u32 = 27;

/// Globals that stand for registers (cmd/link/internal/wasm/asm.go, writeGlobalSec).
const SP: u32 = 0;
const PAUSE: u32 = 7;
const REGISTERS: [ValType; 8] = [
    ValType::I32, // SP
    ValType::I64, // CTXT
    ValType::I64, // g
    ValType::I64, // RET0..RET3
    ValType::I64,
    ValType::I64,
    ValType::I64,
    ValType::I32, // PAUSE
];

const WORD_BYTES: i32 = 8;

/// By which an invocation enters a command.
pub const RESUME: &str = "funcd:resume";

/// The wrapper's state: a call of the runtime each, in their order, and then main.
const AT_BUILD: i32 = 0;

/// A module with what its snapshot needs.
pub struct Rewritten {
    pub wasm: Vec<u8>,
    /// A global that is 0 again in each instance, whatever the build made of it.
    pub reset: Option<u32>,
}

/// Or why there can be no snapshot. Where `is_warm`, the build calls RESUME once as well, and `main`
/// has run when that returns.
pub fn command(module: &Module, is_warm: bool) -> Result<Rewritten> {
    let mut rewriting = Rewriting::new(module)?;
    rewriting.stop_before_main(is_warm)?;
    rewriting.finish()
}

/// A reactor needs no stop: the host calls it. What is made fresh is its random numbers, where the
/// runtime is one that is known.
pub fn reactor(module: &Module) -> Result<Option<Rewritten>> {
    Rewriting::new(module).ok().map(Rewriting::finish).transpose()
}

struct Rewriting<'a> {
    module: &'a Module<'a>,
    additions: Additions,
}

fn refused(why: impl std::fmt::Display) -> Error {
    wasmtime::format_err!("{why}")
}

impl<'a> Rewriting<'a> {
    fn new(module: &'a Module<'a>) -> Result<Rewriting<'a>> {
        let version = module.go_version.unwrap_or("an unknown version");
        let minor = version.strip_prefix("go1.").and_then(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..digits].parse::<u32>().ok()
        });
        if !minor.is_some_and(|minor| (MINOR_MIN..=MINOR_MAX).contains(&minor)) {
            return Err(refused(format_args!(
                "it was built by Go {version}, and the versions known are 1.{MINOR_MIN} to 1.{MINOR_MAX}"
            )));
        }
        if !module.has_names() {
            return Err(refused(
                "it has no names of functions; build it without -ldflags=-s, and do not strip it",
            ));
        }
        let registers = module.globals.iter().map(|global| global.content_type);
        if !registers.eq(REGISTERS) || !module.globals.iter().all(|global| global.mutable) {
            return Err(refused("its globals are not those of Go's runtime"));
        }
        Ok(Rewriting { module, additions: Additions::default() })
    }

    fn finish(mut self) -> Result<Rewritten> {
        let reset = self.refresh_random();
        Ok(Rewritten { wasm: self.module.with(&self.additions)?, reset })
    }

    /// A function of Go's own convention: block in, whether it has left out.
    fn function(&self, name: &str) -> Result<u32> {
        self.optional(name).ok_or_else(|| refused(format_args!("it has no function {name}")))
    }

    fn optional(&self, name: &str) -> Option<u32> {
        let function = self.module.function(name)?;
        let go: Signature = (vec![ValType::I32], vec![ValType::I32]);
        (self.module.signature(function) == Some(&go)).then_some(function)
    }

    fn global(&mut self, val_type: wasm_encoder::ValType) -> u32 {
        let kind = wasm_encoder::GlobalType { val_type, mutable: true, shared: false };
        self.additions.globals.push(kind);
        (self.module.globals.len() + self.additions.globals.len() - 1) as u32
    }

    /// Index that the body of the function which is replaced next will have.
    fn next_moved(&self) -> u32 {
        self.module.next_function() + self.additions.replaced.len() as u32
    }

    fn stop_before_main(&mut self, is_warm: bool) -> Result<()> {
        let module = self.module;
        let start = module.function("_rt0_wasm_wasip1");
        if start.is_none() || module.exported_function("_start") != start {
            return Err(refused("its _start is not that of Go's runtime"));
        }
        let run = module.function("wasm_pc_f_loop").filter(|function| {
            module.signature(*function).is_some_and(|kind| kind.0.is_empty() && kind.1.is_empty())
        });
        let run = run.ok_or_else(|| refused("it has no function wasm_pc_f_loop"))?;
        let main = self.function("main.main")?;
        let slot = module.slot(main).ok_or_else(|| refused("its main.main is not in the table"))?;
        if is_warm && module.is_called(main)? {
            return Err(refused(
                "it calls main itself, and when the first call returns is not known",
            ));
        }
        // In this order: the runtime's copy of arguments and environment, that of package syscall,
        // up to Go 1.25 the map made of it, and os.Args.
        let mut refresh = vec![self.function("runtime.goenvs")?, self.function("syscall.init")?];
        refresh.extend(self.optional("syscall.copyenv"));
        refresh.extend(self.optional("os.init.0"));
        let wrapper = Wrapper {
            pc: i64::from(slot) << 16,
            state: self.global(wasm_encoder::ValType::I32),
            is_warmed: is_warm.then(|| self.global(wasm_encoder::ValType::I32)),
        };
        let body = wrapper.body(&refresh, self.next_moved());
        self.additions.replaced.push((main, body));
        self.additions.exports.push((RESUME.into(), run));
        Ok(())
    }

    /// `runtime.rand`, from which math/rand and the seeds of maps come, gives what the snapshot
    /// holds: the same in each instance. So its results are mixed with a key that each instance
    /// draws for itself; returned is the global that says that it has.
    fn refresh_random(&mut self) -> Option<u32> {
        let import = self.module.import("wasi_snapshot_preview1", "random_get");
        let kind: Signature = (vec![ValType::I32; 2], vec![ValType::I32]);
        let import = import.filter(|function| self.module.signature(*function) == Some(&kind));
        let (rand, random_get) = (self.optional("runtime.rand")?, import?);
        let has_key = self.global(wasm_encoder::ValType::I32);
        let key = self.global(wasm_encoder::ValType::I64);
        let body = mixed_rand(self.next_moved(), random_get, has_key, key);
        self.additions.replaced.push((rand, body));
        Some(has_key)
    }
}

fn at(offset: u64) -> MemArg {
    MemArg { offset, align: 3, memory_index: 0 }
}

/// SP += bytes.
fn move_sp(body: &mut Function, bytes: i32) {
    body.instruction(&I::GlobalGet(SP));
    body.instruction(&I::I32Const(bytes));
    body.instruction(&I::I32Add);
    body.instruction(&I::GlobalSet(SP));
}

/// What stands in place of main.main.
struct Wrapper {
    /// The address that leads to it.
    pc: i64,
    /// Globals: how far it has come, and whether main has run once, where that is asked for.
    state: u32,
    is_warmed: Option<u32>,
}

impl Wrapper {
    /// `main` is what main.main was.
    fn body(&self, refresh: &[u32], main: u32) -> Function {
        let mut body = Function::new([]);
        if_state(&mut body, self.state, AT_BUILD);
        self.stop(&mut body);
        body.instruction(&I::End);
        // Each call returns to here, be it directly or, when it has left, through the address
        // pushed.
        for (step, function) in (AT_BUILD + 1..).zip(refresh) {
            if_state(&mut body, self.state, step);
            move_sp(&mut body, -WORD_BYTES);
            body.instruction(&I::GlobalGet(SP));
            body.instruction(&I::I64Const(self.pc));
            body.instruction(&I::I64Store(at(0)));
            body.instruction(&I::I32Const(0));
            body.instruction(&I::Call(*function));
            return_if_left(&mut body);
            body.instruction(&I::End);
        }
        body.instruction(&I::LocalGet(0));
        body.instruction(&I::Call(main));
        if let Some(is_warmed) = self.is_warmed {
            return_if_left(&mut body);
            body.instruction(&I::GlobalGet(is_warmed));
            body.instruction(&I::I32Eqz);
            body.instruction(&I::If(BlockType::Empty));
            set(&mut body, is_warmed, 1);
            set(&mut body, self.state, AT_BUILD + 1);
            // It has popped its return address, which lies there still.
            move_sp(&mut body, -WORD_BYTES);
            self.stop(&mut body);
            body.instruction(&I::End);
            body.instruction(&I::I32Const(0));
        }
        body.instruction(&I::End);
        body
    }

    /// To be called again, and out.
    fn stop(&self, body: &mut Function) {
        body.instruction(&I::GlobalGet(SP));
        body.instruction(&I::I32Const(WORD_BYTES));
        body.instruction(&I::I32Sub);
        body.instruction(&I::I64Const(self.pc));
        body.instruction(&I::I64Store(at(0)));
        set(body, PAUSE, 1);
        body.instruction(&I::I32Const(1));
        body.instruction(&I::Return);
    }
}

fn set(body: &mut Function, global: u32, value: i32) {
    body.instruction(&I::I32Const(value));
    body.instruction(&I::GlobalSet(global));
}

/// After a call: "if (it has left) return 1;"
fn return_if_left(body: &mut Function) {
    body.instruction(&I::If(BlockType::Empty));
    body.instruction(&I::I32Const(1));
    body.instruction(&I::Return);
    body.instruction(&I::End);
}

/// "if (state == value) { state = value + 1;"
fn if_state(body: &mut Function, state: u32, value: i32) {
    body.instruction(&I::GlobalGet(state));
    body.instruction(&I::I32Const(value));
    body.instruction(&I::I32Eq);
    body.instruction(&I::If(BlockType::Empty));
    set(body, state, value + 1);
}

/// In place of runtime.rand, `func() uint64`, which is `rand` now. It is done when it returns 0:
/// its return address is popped, and its result lies where the stack pointer then leads. Each
/// result is xored with the next value of splitmix64, which `key` seeds.
fn mixed_rand(rand: u32, random_get: u32, has_key: u32, key: u32) -> Function {
    const GOLDEN: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;
    const MIX_1: i64 = 0xbf58_476d_1ce4_e5b9_u64 as i64;
    const MIX_2: i64 = 0x94d0_49bb_1331_11eb_u64 as i64;
    let mut body = Function::new([(1, wasm_encoder::ValType::I64)]);
    let z = 1;
    for instruction in [
        I::LocalGet(0),
        I::Call(rand),
        I::If(BlockType::Empty),
        I::I32Const(1),
        I::Return,
        I::End,
        // The key, by way of the word below the result, which is the callee's no more.
        I::GlobalGet(has_key),
        I::I32Eqz,
        I::If(BlockType::Empty),
        I::I32Const(1),
        I::GlobalSet(has_key),
        I::GlobalGet(SP),
        I::I32Const(WORD_BYTES),
        I::I32Sub,
        I::I32Const(WORD_BYTES),
        I::Call(random_get),
        I::Drop,
        I::GlobalGet(SP),
        I::I32Const(WORD_BYTES),
        I::I32Sub,
        I::I64Load(at(0)),
        I::GlobalSet(key),
        I::End,
        I::GlobalGet(key),
        I::I64Const(GOLDEN),
        I::I64Add,
        I::LocalTee(z),
        I::GlobalSet(key),
    ] {
        body.instruction(&instruction);
    }
    for (shift, factor) in [(30, Some(MIX_1)), (27, Some(MIX_2)), (31, None)] {
        for instruction in
            [I::LocalGet(z), I::LocalGet(z), I::I64Const(shift), I::I64ShrU, I::I64Xor]
        {
            body.instruction(&instruction);
        }
        if let Some(factor) = factor {
            body.instruction(&I::I64Const(factor));
            body.instruction(&I::I64Mul);
        }
        body.instruction(&I::LocalSet(z));
    }
    for instruction in [
        I::GlobalGet(SP),
        I::GlobalGet(SP),
        I::I64Load(at(0)),
        I::LocalGet(z),
        I::I64Xor,
        I::I64Store(at(0)),
        I::I32Const(0),
        I::End,
    ] {
        body.instruction(&instruction);
    }
    body
}
