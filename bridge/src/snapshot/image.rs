//! Makes a module's memory image quick to start from: few data segments instead of thousands.

use super::module::uses_data_segments;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, DataCountSection, DataSection, ExportKind, ExportSection, RawSection, SectionId,
};
use wasmparser::{
    BinaryReader, DataKind, DataSectionReader, ExportSectionReader, ExternalKind, Operator, Parser,
    Payload,
};
use wasmtime::{Error, Result};

/// Neighbours no further apart become one segment. Each costs at every instantiation, and a page
/// of zeros in the image costs nothing that is not touched.
const GAP_BYTES_MAX: u64 = 64 << 10;

struct Segment {
    memory: u32,
    is64: bool,
    offset: u64,
    bytes: Vec<u8>,
}

impl Segment {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

/// The same module with its active segments merged, and with exports of these names more. Passive
/// segments, which the snapshot leaves in place of those that have been applied, go where no
/// instruction names one.
pub fn finish(wasm: &[u8], marks: &[&str]) -> Result<Vec<u8>> {
    let mut sections: Vec<(u8, &[u8])> = Vec::new();
    let mut keeps_all = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Some((id, range)) = payload.as_section() {
            sections.push((id, &wasm[range]));
        }
        if let Payload::CodeSectionEntry(body) = &payload {
            keeps_all = keeps_all || uses_data_segments(body)?;
        }
    }
    let mut segments = None;
    for (id, bytes) in &sections {
        if *id == u8::from(SectionId::Data) && !keeps_all {
            segments = Some(merged(bytes)?);
        }
    }
    let mut module = wasm_encoder::Module::new();
    for (id, data) in sections {
        match (&segments, SectionKind::of(id)) {
            (Some(segments), SectionKind::Data) => module.section(&section_of(segments)),
            (Some(segments), SectionKind::DataCount) => {
                module.section(&DataCountSection { count: segments.len() as u32 })
            }
            (_, SectionKind::Export) => module.section(&exports_with(data, marks)?),
            _ => module.section(&RawSection { id, data }),
        };
    }
    Ok(module.finish())
}

enum SectionKind {
    Data,
    DataCount,
    Export,
    Other,
}

impl SectionKind {
    fn of(id: u8) -> SectionKind {
        match id {
            _ if id == u8::from(SectionId::Data) => SectionKind::Data,
            _ if id == u8::from(SectionId::DataCount) => SectionKind::DataCount,
            _ if id == u8::from(SectionId::Export) => SectionKind::Export,
            _ => SectionKind::Other,
        }
    }
}

/// The marks stand for the first function that is exported already.
fn exports_with(section: &[u8], marks: &[&str]) -> Result<ExportSection> {
    let mut with = ExportSection::new();
    let mut function = None;
    for export in ExportSectionReader::new(BinaryReader::new(section, 0))? {
        let export = export?;
        if export.kind == ExternalKind::Func && function.is_none() {
            function = Some(export.index);
        }
        RoundtripReencoder.parse_export(&mut with, export).map_err(Error::msg)?;
    }
    for (mark, function) in marks.iter().zip(function.into_iter().cycle()) {
        with.export(mark, ExportKind::Func, function);
    }
    Ok(with)
}

fn merged(section: &[u8]) -> Result<Vec<Segment>> {
    let mut segments: Vec<Segment> = Vec::new();
    for data in DataSectionReader::new(BinaryReader::new(section, 0))? {
        let data = data?;
        let DataKind::Active { memory_index, offset_expr } = data.kind else { continue };
        let (offset, is64) = match offset_expr.get_operators_reader().read()? {
            Operator::I32Const { value } => (u64::from(value as u32), false),
            Operator::I64Const { value } => (value as u64, true),
            // The snapshot writes constants.
            _ => return Err(Error::msg("it has data at a place that is computed")),
        };
        // They come in order of memory and offset.
        if let Some(last) = segments.last_mut()
            && last.memory == memory_index
            && offset - last.end() <= GAP_BYTES_MAX
        {
            last.bytes.resize((offset - last.offset) as usize, 0);
            last.bytes.extend_from_slice(data.data);
            continue;
        }
        segments.push(Segment { memory: memory_index, is64, offset, bytes: data.data.to_vec() });
    }
    Ok(segments)
}

fn section_of(segments: &[Segment]) -> DataSection {
    let mut section = DataSection::new();
    for segment in segments {
        let offset = if segment.is64 {
            ConstExpr::i64_const(segment.offset as i64)
        } else {
            ConstExpr::i32_const(segment.offset as u32 as i32)
        };
        section.active(segment.memory, &offset, segment.bytes.iter().copied());
    }
    section
}
