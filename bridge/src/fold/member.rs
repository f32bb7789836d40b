//! A core module of a component, taken apart.

use std::collections::HashMap;
use wasmparser::{
    CodeSectionReader, CustomSectionReader, DataKind, ElementItems, ElementKind,
    ElementSectionReader, ExternalKind, FromReader, FunctionBody, GlobalSectionReader, KnownCustom,
    MemoryType, Name, Operator, Parser, Payload, SectionLimited, TableSectionReader, TypeRef,
    TypeSectionReader,
};
use wasmtime::{Result, bail, format_err};

use crate::snapshot::uses_data_segments;

#[derive(Default)]
pub struct Module<'a> {
    pub types: Option<TypeSectionReader<'a>>,
    pub type_count: u32,
    /// Module and name of what is imported, by its kind.
    imports: [Vec<(&'a str, &'a str)>; 4],
    /// Types of the functions, imported ones first.
    pub function_types: Vec<u32>,
    pub imported_functions: Vec<u32>,
    exports: HashMap<&'a str, (ExternalKind, u32)>,
    pub tables: Option<TableSectionReader<'a>>,
    pub table_count: u32,
    pub memories: Vec<MemoryType>,
    pub globals: Option<GlobalSectionReader<'a>>,
    pub global_count: u32,
    pub start: Option<u32>,
    pub elements: Option<ElementSectionReader<'a>>,
    pub element_count: u32,
    pub code: Option<CodeSectionReader<'a>>,
    /// Segments of memory 0: where, and what.
    pub data: Vec<(i32, &'a [u8])>,
    pub function_names: Vec<(u32, &'a str)>,
}

impl<'a> Module<'a> {
    pub fn read(wasm: &'a [u8]) -> Result<Module<'a>> {
        let mut module = Module::default();
        let mut uses_segments = false;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(groups) => {
                    module.types = Some(groups.clone());
                    for group in groups {
                        module.type_count += group?.types().len() as u32;
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        module.read_import(import?)?;
                    }
                }
                Payload::FunctionSection(functions) => {
                    for kind in functions {
                        module.function_types.push(kind?);
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        module.exports.insert(export.name, (export.kind, export.index));
                    }
                }
                Payload::CodeSectionStart { range, .. } => {
                    let bytes = wasm.get(range.clone()).unwrap_or_default();
                    let reader = wasmparser::BinaryReader::new(bytes, range.start);
                    module.code = Some(CodeSectionReader::new(reader)?);
                }
                Payload::CodeSectionEntry(body) => uses_segments |= uses_data_segments(&body)?,
                payload => module.read_section(payload)?,
            }
        }
        if uses_segments {
            bail!("it uses its data segments while it runs");
        }
        Ok(module)
    }

    fn read_section(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::TableSection(tables) => {
                self.table_count += counted(&tables)?;
                self.tables = Some(tables);
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.memories.push(memory?);
                }
            }
            Payload::GlobalSection(globals) => {
                self.global_count += counted(&globals)?;
                self.globals = Some(globals);
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(elements) => {
                self.element_count = counted(&elements)?;
                self.elements = Some(elements);
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    let segment = segment?;
                    let DataKind::Active { memory_index: 0, offset_expr } = segment.kind else {
                        bail!("it has passive data");
                    };
                    self.data.push((constant(&offset_expr)?, segment.data));
                }
            }
            Payload::TagSection(_) => bail!("it has exceptions"),
            Payload::CustomSection(custom) => self.read_custom(&custom)?,
            _ => {}
        }
        Ok(())
    }

    fn read_import(&mut self, import: wasmparser::Import<'a>) -> Result<()> {
        match import.ty {
            TypeRef::Func(kind) => {
                self.function_types.push(kind);
                self.imported_functions.push(kind);
            }
            TypeRef::Table(_) => self.table_count += 1,
            TypeRef::Global(_) => self.global_count += 1,
            _ => {}
        }
        let Some(place) = place_of(match import.ty {
            TypeRef::Func(_) => ExternalKind::Func,
            TypeRef::Table(_) => ExternalKind::Table,
            TypeRef::Memory(_) => ExternalKind::Memory,
            TypeRef::Global(_) => ExternalKind::Global,
            _ => ExternalKind::Tag,
        }) else {
            bail!("it imports what is neither function, memory, table nor global");
        };
        self.imports[place].push((import.module, import.name));
        Ok(())
    }

    /// Custom sections are hints, except that lines of source need the code where it is.
    fn read_custom(&mut self, custom: &CustomSectionReader<'a>) -> Result<()> {
        if custom.name().starts_with(".debug_") {
            bail!("it has lines of source");
        }
        if let KnownCustom::Name(names) = custom.as_known() {
            for name in names.into_iter().flatten() {
                let Name::Function(functions) = name else { continue };
                let functions = functions.into_iter().flatten();
                self.function_names.extend(functions.map(|naming| (naming.index, naming.name)));
            }
        }
        Ok(())
    }

    pub fn export(&self, kind: ExternalKind, name: &str) -> Result<u32> {
        match self.exports.get(name) {
            Some((found, index)) if *found == kind => Ok(*index),
            _ => Err(format_err!("nothing is exported as {name}")),
        }
    }

    /// Module and name of an import.
    pub fn import(&self, kind: ExternalKind, index: u32) -> Option<(&'a str, &'a str)> {
        self.imports[place_of(kind)?].get(index as usize).copied()
    }

    pub fn import_count(&self, kind: ExternalKind) -> u32 {
        place_of(kind).map_or(0, |place| self.imports[place].len() as u32)
    }

    /// Imported ones and its own.
    pub fn count(&self, kind: ExternalKind) -> u32 {
        match kind {
            ExternalKind::Func => self.function_types.len() as u32,
            ExternalKind::Memory => self.import_count(kind) + self.memories.len() as u32,
            ExternalKind::Table => self.table_count,
            ExternalKind::Global => self.global_count,
            _ => 0,
        }
    }

    /// The functions of one table's only segment, which begins at 0, of a module that is nothing
    /// but that.
    pub fn as_filler(&self) -> Option<Vec<u32>> {
        let is_bare = self.code.is_none()
            && self.data.is_empty()
            && self.memories.is_empty()
            && self.globals.is_none()
            && self.tables.is_none()
            && self.exports.is_empty()
            && self.element_count == 1
            && self.import_count(ExternalKind::Table) == 1;
        let segment = self.elements.clone().filter(|_| is_bare)?.into_iter().next()?.ok()?;
        match (segment.kind, segment.items) {
            (
                ElementKind::Active { table_index: None | Some(0), offset_expr },
                ElementItems::Functions(functions),
            ) if constant(&offset_expr).ok()? == 0 => {
                functions.into_iter().collect::<Result<_, _>>().ok()
            }
            _ => None,
        }
    }

    /// The slot of its only table that each function calls, of a module that is nothing but that.
    pub fn as_shim(&self) -> Option<Vec<u32>> {
        let is_bare = self.imports.iter().all(|imports| imports.is_empty())
            && self.data.is_empty()
            && self.memories.is_empty()
            && self.globals.is_none()
            && self.elements.is_none()
            && self.start.is_none()
            && self.table_count == 1;
        let code = self.code.clone().filter(|_| is_bare)?;
        code.into_iter().map(|body| slot_called_by(&body.ok()?)).collect()
    }
}

/// How many items a section has, which is what it says once they have been read.
fn counted<'a, T: FromReader<'a>>(section: &SectionLimited<'a, T>) -> Result<u32> {
    for item in section.clone() {
        item?;
    }
    Ok(section.count())
}

/// Where in `imports` those of a kind are.
fn place_of(kind: ExternalKind) -> Option<usize> {
    match kind {
        ExternalKind::Func => Some(0),
        ExternalKind::Table => Some(1),
        ExternalKind::Memory => Some(2),
        ExternalKind::Global => Some(3),
        _ => None,
    }
}

pub fn constant(expression: &wasmparser::ConstExpr) -> Result<i32> {
    let mut operators = expression.get_operators_reader();
    let Operator::I32Const { value } = operators.read()? else {
        bail!("it has a segment at an offset that is computed");
    };
    if !matches!(operators.read()?, Operator::End) {
        bail!("it has a segment at an offset that is computed");
    }
    Ok(value)
}

/// Of a function that passes its parameters on: local.get 0, 1, ..., i32.const slot, call_indirect.
fn slot_called_by(body: &FunctionBody) -> Option<u32> {
    if body.get_locals_reader().ok()?.get_count() > 0 {
        return None;
    }
    let mut operators = body.get_operators_reader().ok()?.into_iter().flatten();
    let mut parameters = 0;
    let slot = loop {
        match operators.next()? {
            Operator::LocalGet { local_index } if local_index == parameters => parameters += 1,
            Operator::I32Const { value } => break value as u32,
            _ => return None,
        }
    };
    let calls = matches!(operators.next()?, Operator::CallIndirect { table_index: 0, .. });
    (calls && matches!(operators.next()?, Operator::End)).then_some(slot)
}
