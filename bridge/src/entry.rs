//! Modules that are as good as new whenever they are entered.
//!
//! An instance that has run differs from a fresh one by its memory, which the host writes back, and by
//! its globals, which are the module's own affair: here it is made to set them when it is entered.

use crate::snapshot::module::{Additions, Module};
use wasm_encoder::{Function, Instruction};
use wasmparser::{Global, Operator, Parser, Payload, TypeRef};
use wasmtime::Result;

/// By this export a module says that it sets its globals when it is entered. No artifact may say so of
/// itself.
pub const RENEWABLE: &str = "funcd:renewable";
/// And a component by these: the first 8 bytes of its memory as a number, all of it as a list, of which
/// where it is and how large it is lies in those 8 bytes, and what puts its first handles in order.
pub const FIRST_BYTES: &str = "funcd-first-bytes";
pub const MEMORY_BYTES: &str = "funcd-memory";
pub const ORDER_HANDLES: &str = "funcd-order-handles";

/// More than these are not set at each entry; toolchains make two or three.
const GLOBALS_MAX: usize = 64;

/// Whether a name is one of these.
pub fn is_ours(name: &str) -> bool {
    [RENEWABLE, FIRST_BYTES, MEMORY_BYTES, ORDER_HANDLES].contains(&name)
}

/// What an artifact says of itself that only we may say.
pub fn claimed(wasm: &[u8]) -> Option<&str> {
    // What cannot be read is for the compiler to refuse.
    Parser::new(0).parse_all(wasm).map_while(|payload| payload.ok()).find_map(|payload| {
        match payload {
            Payload::ExportSection(exports) => {
                exports.into_iter().flatten().map(|export| export.name).find(|name| is_ours(name))
            }
            Payload::ComponentExportSection(exports) => exports
                .into_iter()
                .flatten()
                .map(|export| export.name.name)
                .find(|name| is_ours(name)),
            _ => None,
        }
    })
}

/// What an invocation calls of a command, or of a reactor.
pub const START: &str = "_start";
pub const HANDLE: &str = "handle";
const INITIALIZE: &str = "_initialize";

/// Which of these a module is entered by, that needs not be initialized.
pub fn entry_of(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    match has(START) {
        true => Some(START),
        false => (has(HANDLE) && !has(INITIALIZE)).then_some(HANDLE),
    }
}

/// The same command, or reactor that needs not be initialized, with its globals set when it is entered.
/// `None` where that is not all that there is to set.
pub fn renewable(wasm: &[u8]) -> Option<Vec<u8>> {
    let module = Module::parse(wasm).ok()?;
    let entry = entry_of(|name| module.has_export(name))?;
    renewing(wasm, &[entry.to_owned()], &[RENEWABLE]).ok().flatten()
}

/// The same module with its globals set whenever it is entered by one of these exports, which are
/// functions. The `marks` are exports of the first of them, too. `None` as for `resetting`.
pub fn renewing(wasm: &[u8], exports: &[String], marks: &[&str]) -> Result<Option<Vec<u8>>> {
    let Some(instructions) = resetting(wasm)? else { return Ok(None) };
    let module = Module::parse(wasm)?;
    let mut additions = Additions::default();
    let first = module.next_function();
    additions.exports.extend(marks.iter().map(|mark| ((*mark).to_owned(), first)));
    for (function, export) in (first..).zip(exports) {
        let Some(target) = module.exported_function(export) else { return Ok(None) };
        let Some((parameters, _)) = module.signature(target) else { return Ok(None) };
        let mut body = Function::new([]);
        for instruction in &instructions {
            body.instruction(instruction);
        }
        for parameter in 0..parameters.len() as u32 {
            body.instruction(&Instruction::LocalGet(parameter));
        }
        // So that it is in no trace.
        body.instruction(&Instruction::ReturnCall(target)).instruction(&Instruction::End);
        additions.functions.push((target, body));
        additions.moved.push((export.clone(), function));
    }
    module.with(&additions).map(Some)
}

/// What sets each global to what it begins with. `None` where an instance could keep something else from
/// one run to the next: a second memory, tables, segments that are dropped, globals of another's or of no
/// known value.
pub fn resetting(wasm: &[u8]) -> Result<Option<Vec<Instruction<'static>>>> {
    let mut instructions = Vec::new();
    let (mut index, mut memories) = (0, 0);
    for payload in Parser::new(0).parse_all(wasm) {
        let is_plain = match payload? {
            Payload::ImportSection(imports) => {
                let mut are_known = true;
                for import in imports.into_imports() {
                    match import?.ty {
                        TypeRef::Memory(_) => memories += 1,
                        TypeRef::Global(_) | TypeRef::Tag(_) => are_known = false,
                        _ => {}
                    }
                }
                are_known
            }
            Payload::MemorySection(section) => {
                memories += section.count();
                true
            }
            Payload::GlobalSection(globals) => {
                let mut are_known = true;
                for global in globals {
                    let global = global?;
                    if global.ty.mutable {
                        match initial(&global)? {
                            Some(value) => {
                                instructions.push(value);
                                instructions.push(Instruction::GlobalSet(index));
                            }
                            None => are_known = false,
                        }
                    }
                    index += 1;
                }
                are_known
            }
            Payload::StartSection { .. } => false,
            Payload::CodeSectionEntry(body) => {
                let mut operators = body.get_operators_reader()?.into_iter();
                !operators.any(|operator| operator.is_ok_and(|operator| lasts(&operator)))
            }
            _ => true,
        };
        if !is_plain {
            return Ok(None);
        }
    }
    let is_small = instructions.len() <= 2 * GLOBALS_MAX;
    Ok((memories <= 1 && is_small).then_some(instructions))
}

/// The constant that a global begins with.
fn initial(global: &Global) -> Result<Option<Instruction<'static>>> {
    let mut operators = global.init_expr.get_operators_reader();
    let value = match operators.read()? {
        Operator::I32Const { value } => Instruction::I32Const(value),
        Operator::I64Const { value } => Instruction::I64Const(value),
        Operator::F32Const { value } => Instruction::F32Const(value.into()),
        Operator::F64Const { value } => Instruction::F64Const(value.into()),
        Operator::V128Const { value } => Instruction::V128Const(value.i128()),
        _ => return Ok(None),
    };
    Ok(matches!(operators.read()?, Operator::End).then_some(value))
}

/// Whether what this changes of an instance stays changed.
fn lasts(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
            | Operator::DataDrop { .. }
    )
}
