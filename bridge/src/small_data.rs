//! Modules with little data, whose memory is filled rather than mapped.
//!
//! A module's initial memory is an image that a slot of the pool maps. A slot that had another
//! module's image in it is mapped anew twice, and faults in each page that is touched. To write a
//! few KiB takes a fraction of that and leaves a slot as good for one module as for any other.

use crate::entry::{self, RENEWABLE, START};
use crate::snapshot::module::{Additions, Module, uses_data_segments};
use wasm_encoder::{DataCountSection, DataSection, Function, Instruction, RawSection, SectionId};
use wasmparser::{
    BinaryReader, DataKind, DataSectionReader, ExternalKind, MemoryType, Operator, Parser, Payload,
    TypeRef,
};
use wasmtime::Result;

/// More than this is better mapped: each byte is written at each start, and reset after it.
const FILLED_BYTES_MAX: usize = 16 << 10;
const FILLED_SEGMENTS_MAX: u32 = 16;
const PAGE_BYTES: u64 = 64 << 10;

/// Changes when other modules are filled, or in another way: code that was compiled by another rule is
/// compiled again.
pub const RULE: u32 = 3;

/// Whether this module's memory is to be filled. What cannot be read is for the compiler to refuse.
pub fn is_filled(wasm: &[u8]) -> bool {
    has_little_data(wasm).unwrap_or(false)
}

fn has_little_data(wasm: &[u8]) -> Result<bool> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::DataSection(segments) = payload? else { continue };
        if segments.count() > FILLED_SEGMENTS_MAX {
            return Ok(false);
        }
        let mut bytes = 0;
        for segment in segments {
            let segment = segment?;
            if let DataKind::Active { .. } = segment.kind {
                bytes += segment.data.len();
            }
        }
        return Ok(bytes <= FILLED_BYTES_MAX);
    }
    Ok(true)
}

/// The same command with its data copied by its `_start`, which saves the call of a function of the
/// compiler's that would do it before. `None` where something else could tell the difference.
pub fn filled_by_start(wasm: &[u8]) -> Option<Vec<u8>> {
    rewritten(wasm).ok().flatten()
}

struct Segment {
    index: u32,
    offset: i32,
    bytes: u32,
}

fn rewritten(wasm: &[u8]) -> Result<Option<Vec<u8>>> {
    let Some(segments) = segments_of(wasm)? else { return Ok(None) };
    let globals = entry::resetting(wasm)?;
    if segments.is_empty() && globals.is_none() {
        return Ok(None);
    }
    let module = Module::parse(wasm)?;
    let Some(start) = module.exported_function(START) else { return Ok(None) };
    if !module.signature(start).is_some_and(|(takes, gives)| takes.is_empty() && gives.is_empty()) {
        return Ok(None);
    }
    let filling = module.next_function();
    let additions = Additions {
        functions: vec![(start, filling_body(&segments, globals.as_deref(), start))],
        exports: globals.iter().map(|_| (RENEWABLE.to_owned(), filling)).collect(),
        moved: vec![(START.to_owned(), filling)],
        ..Additions::default()
    };
    with_passive_data(&module.with(&additions)?).map(Some)
}

/// The segments to copy, where `_start` is all that the module can be entered by, and no code of its
/// own can see that they are there.
fn segments_of(wasm: &[u8]) -> Result<Option<Vec<Segment>>> {
    let mut memory: Option<MemoryType> = None;
    let mut segments = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let is_plain = match payload? {
            Payload::ImportSection(imports) => !imports
                .into_imports()
                .any(|import| !import.is_ok_and(|import| matches!(import.ty, TypeRef::Func(_)))),
            Payload::MemorySection(memories) => {
                let count = memories.count();
                memory = memories.into_iter().next().transpose()?;
                count == 1
            }
            Payload::ExportSection(exports) => exports.into_iter().all(|export| {
                export.is_ok_and(|export| export.kind != ExternalKind::Func || export.name == START)
            }),
            Payload::StartSection { .. } => false,
            Payload::CodeSectionEntry(body) => !uses_data_segments(&body)?,
            Payload::DataSection(data) => add_segments(data, memory, &mut segments)?,
            _ => true,
        };
        if !is_plain {
            return Ok(None);
        }
    }
    Ok(Some(segments))
}

/// False where one is not of a known place within the memory.
fn add_segments(
    data: DataSectionReader,
    memory: Option<MemoryType>,
    segments: &mut Vec<Segment>,
) -> Result<bool> {
    let Some(memory) = memory else { return Ok(false) };
    if memory.memory64 || memory.shared || memory.page_size_log2.is_some() {
        return Ok(false);
    }
    for (index, segment) in data.into_iter().enumerate() {
        let segment = segment?;
        let DataKind::Active { offset_expr, .. } = segment.kind else { continue };
        let mut operators = offset_expr.get_operators_reader();
        let Operator::I32Const { value: offset } = operators.read()? else { return Ok(false) };
        if !matches!(operators.read()?, Operator::End) {
            return Ok(false);
        }
        let bytes = segment.data.len() as u32;
        if u64::from(offset as u32) + u64::from(bytes) > memory.initial * PAGE_BYTES {
            return Ok(false);
        }
        segments.push(Segment { index: index as u32, offset, bytes });
    }
    Ok(true)
}

/// Goes on by a tail call, so that it is in no trace.
fn filling_body(
    segments: &[Segment],
    globals: Option<&[Instruction<'static>]>,
    start: u32,
) -> Function {
    let mut body = Function::new([]);
    for instruction in globals.into_iter().flatten() {
        body.instruction(instruction);
    }
    for segment in segments {
        body.instruction(&Instruction::I32Const(segment.offset))
            .instruction(&Instruction::I32Const(0))
            .instruction(&Instruction::I32Const(segment.bytes as i32))
            .instruction(&Instruction::MemoryInit { mem: 0, data_index: segment.index });
    }
    body.instruction(&Instruction::ReturnCall(start)).instruction(&Instruction::End);
    body
}

/// Its data segments passive.
fn with_passive_data(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut sections: Vec<(u8, &[u8])> = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Some((id, range)) = payload?.as_section() {
            sections.push((id, &wasm[range]));
        }
    }
    let mut passive = DataSection::new();
    for &(id, bytes) in &sections {
        if id == u8::from(SectionId::Data) {
            for segment in DataSectionReader::new(BinaryReader::new(bytes, 0))? {
                passive.passive(segment?.data.iter().copied());
            }
        }
    }
    let mut module = wasm_encoder::Module::new();
    for (id, data) in sections {
        if id == u8::from(SectionId::Code) {
            module.section(&DataCountSection { count: passive.len() });
        }
        if id == u8::from(SectionId::Data) {
            module.section(&passive);
        } else if id != u8::from(SectionId::DataCount) {
            module.section(&RawSection { id, data });
        }
    }
    Ok(module.finish())
}
