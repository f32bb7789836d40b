//! A module taken apart as far as its rewriting needs, and put together again with what was added.

use std::collections::{BTreeMap, HashMap};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{CodeSection, ExportKind, ExportSection, Function, GlobalSection, SectionId};
use wasmparser::{
    ElementItems, ElementKind, ExternalKind, FunctionBody, GlobalType, KnownCustom, Name, Operator,
    Parser, Payload, TypeRef, ValType,
};
use wasmtime::{Error, Result};

/// Functions of one module at the most that may have names: far beyond any toolchain's.
const NAMES_MAX: usize = 1_000_000;

/// A function's type, cut down to numbers: "i32 -> i32" is (["i32"], ["i32"]).
pub type Signature = (Vec<ValType>, Vec<ValType>);

#[derive(Default)]
pub struct Module<'a> {
    sections: Vec<(u8, &'a [u8])>,
    types: Vec<Option<Signature>>,
    /// Type of each function, imported ones first.
    function_types: Vec<u32>,
    function_imports: HashMap<(&'a str, &'a str), u32>,
    import_count: u32,
    pub globals: Vec<GlobalType>,
    exports: Vec<wasmparser::Export<'a>>,
    bodies: Vec<&'a [u8]>,
    /// Slot of each function in table 0, where an active segment puts it there.
    slots: HashMap<u32, u32>,
    names: HashMap<&'a str, u32>,
    name_of: BTreeMap<u32, &'a str>,
    has_go_build_id: bool,
    pub go_version: Option<&'a str>,
}

impl<'a> Module<'a> {
    pub fn parse(wasm: &'a [u8]) -> Result<Module<'a>> {
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                // Code is read body by body: the section may say that it goes on beyond the end.
                let bytes = wasm.get(range).ok_or_else(|| Error::msg("it is cut short"))?;
                module.sections.push((id, bytes));
            }
            module.read(payload)?;
        }
        Ok(module)
    }

    fn read(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::TypeSection(groups) => {
                for group in groups {
                    for kind in group?.into_types() {
                        self.types.push(match &kind.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(function) => {
                                Some((function.params().to_vec(), function.results().to_vec()))
                            }
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    if let TypeRef::Func(kind) = import.ty {
                        let index = self.function_types.len() as u32;
                        self.function_imports.insert((import.module, import.name), index);
                        self.function_types.push(kind);
                    }
                }
                self.import_count = self.function_types.len() as u32;
            }
            Payload::FunctionSection(functions) => {
                for kind in functions {
                    self.function_types.push(kind?);
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    self.globals.push(global?.ty);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    self.exports.push(export?);
                }
            }
            Payload::ElementSection(segments) => {
                for segment in segments {
                    self.read_element(segment?)?;
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body.as_bytes()),
            Payload::CustomSection(custom) => self.read_custom(&custom),
            _ => {}
        }
        Ok(())
    }

    fn read_element(&mut self, segment: wasmparser::Element<'a>) -> Result<()> {
        let ElementKind::Active { table_index: None | Some(0), offset_expr } = segment.kind else {
            return Ok(());
        };
        let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
            return Ok(());
        };
        if let ElementItems::Functions(functions) = segment.items {
            for (position, function) in functions.into_iter().enumerate() {
                self.slots.insert(function?, value as u32 + position as u32);
            }
        }
        Ok(())
    }

    /// Custom sections are hints: what cannot be read is not there.
    fn read_custom(&mut self, custom: &wasmparser::CustomSectionReader<'a>) {
        self.has_go_build_id |= custom.name() == "go:buildid";
        match custom.as_known() {
            KnownCustom::Name(names) => {
                for name in names.into_iter().flatten() {
                    let Name::Function(functions) = name else { continue };
                    for naming in functions.into_iter().flatten().take(NAMES_MAX) {
                        self.names.insert(naming.name, naming.index);
                        self.name_of.insert(naming.index, naming.name);
                    }
                }
            }
            KnownCustom::Producers(fields) => {
                for field in fields.into_iter().flatten() {
                    for value in field.values.into_iter().flatten() {
                        if value.name == "Go cmd/compile" {
                            self.go_version = Some(value.version);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    pub fn is_go(&self) -> bool {
        self.has_go_build_id || self.go_version.is_some()
    }

    pub fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    pub fn function(&self, name: &str) -> Option<u32> {
        let index = *self.names.get(name)?;
        // A name is a hint, and an imported function has no body to look at.
        (index >= self.import_count && (index as usize) < self.function_types.len())
            .then_some(index)
    }

    pub fn import(&self, module: &str, name: &str) -> Option<u32> {
        self.function_imports.get(&(module, name)).copied()
    }

    pub fn signature(&self, function: u32) -> Option<&Signature> {
        let kind = *self.function_types.get(function as usize)?;
        self.types.get(kind as usize)?.as_ref()
    }

    pub fn slot(&self, function: u32) -> Option<u32> {
        self.slots.get(&function).copied()
    }

    /// Whether code names a function as the one to call.
    pub fn is_called(&self, function: u32) -> Result<bool> {
        for body in &self.bodies {
            let body = FunctionBody::new(wasmparser::BinaryReader::new(body, 0));
            for operator in body.get_operators_reader()? {
                if let Operator::Call { function_index } = operator?
                    && function_index == function
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    pub fn has_export(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export.name == name)
    }

    pub fn exported_function(&self, name: &str) -> Option<u32> {
        let export = self.exports.iter().find(|export| export.name == name)?;
        (export.kind == ExternalKind::Func).then_some(export.index)
    }
}

/// What is put into a module. Indices of what was there stay as they are.
#[derive(Default)]
pub struct Additions {
    /// Functions of the module whose body becomes another; the old body is a new function.
    pub replaced: Vec<(u32, Function)>,
    /// More functions: one whose type is the same, and the body.
    pub functions: Vec<(u32, Function)>,
    pub globals: Vec<wasm_encoder::GlobalType>,
    /// More exported functions.
    pub exports: Vec<(String, u32)>,
    /// Exports that lead to other functions than before.
    pub moved: Vec<(String, u32)>,
}

impl Module<'_> {
    /// Index of the first function that is added: `replaced`, then `functions`.
    pub fn next_function(&self) -> u32 {
        self.function_types.len() as u32
    }

    pub fn with(&self, additions: &Additions) -> Result<Vec<u8>> {
        let mut module = wasm_encoder::Module::new();
        for &(id, bytes) in &self.sections {
            if id == u8::from(SectionId::Function) {
                module.section(&self.functions_with(additions));
            } else if id == u8::from(SectionId::Global) {
                module.section(&globals_with(bytes, additions)?);
            } else if id == u8::from(SectionId::Export) {
                module.section(&self.exports_with(additions)?);
            } else if id == u8::from(SectionId::Code) {
                module.section(&self.code_with(additions));
            } else if id == u8::from(SectionId::Custom) && is_name_section(bytes) {
                module.section(&self.names_with(additions));
            } else {
                module.section(&wasm_encoder::RawSection { id, data: bytes });
            }
        }
        Ok(module.finish())
    }

    fn functions_with(&self, additions: &Additions) -> wasm_encoder::FunctionSection {
        let mut section = wasm_encoder::FunctionSection::new();
        for kind in &self.function_types[self.import_count as usize..] {
            section.function(*kind);
        }
        let like = |function: &u32| self.function_types[*function as usize];
        for (function, _) in additions.replaced.iter().chain(&additions.functions) {
            section.function(like(function));
        }
        section
    }

    fn exports_with(&self, additions: &Additions) -> Result<ExportSection> {
        let mut section = ExportSection::new();
        for export in &self.exports {
            let mut export = *export;
            if let Some((_, function)) =
                additions.moved.iter().find(|(name, _)| name == export.name)
            {
                export.index = *function;
            }
            RoundtripReencoder.parse_export(&mut section, export).map_err(Error::msg)?;
        }
        for (name, function) in &additions.exports {
            section.export(name, ExportKind::Func, *function);
        }
        Ok(section)
    }

    fn code_with(&self, additions: &Additions) -> CodeSection {
        let replaced: HashMap<u32, &Function> =
            additions.replaced.iter().map(|(function, body)| (*function, body)).collect();
        let mut section = CodeSection::new();
        for (index, body) in (self.import_count..).zip(&self.bodies) {
            match replaced.get(&index) {
                Some(body) => section.function(body),
                None => section.raw(body),
            };
        }
        for (function, _) in &additions.replaced {
            section.raw(self.bodies[(function - self.import_count) as usize]);
        }
        for (_, body) in &additions.functions {
            section.function(body);
        }
        section
    }

    /// Names of functions; a body that has moved takes its name along, for traces.
    fn names_with(&self, additions: &Additions) -> wasm_encoder::NameSection {
        let mut functions = wasm_encoder::NameMap::new();
        for (index, name) in &self.name_of {
            functions.append(*index, name);
        }
        for (position, (function, _)) in additions.replaced.iter().enumerate() {
            let name = self.name_of.get(function).unwrap_or(&"");
            functions.append(self.next_function() + position as u32, name);
        }
        let mut section = wasm_encoder::NameSection::new();
        section.functions(&functions);
        section
    }
}

fn globals_with(bytes: &[u8], additions: &Additions) -> Result<GlobalSection> {
    let reader = wasmparser::BinaryReader::new(bytes, 0);
    let mut section = GlobalSection::new();
    for global in wasmparser::GlobalSectionReader::new(reader)? {
        RoundtripReencoder.parse_global(&mut section, global?).map_err(Error::msg)?;
    }
    for kind in &additions.globals {
        let zero = match kind.val_type {
            wasm_encoder::ValType::I64 => wasm_encoder::ConstExpr::i64_const(0),
            _ => wasm_encoder::ConstExpr::i32_const(0),
        };
        section.global(*kind, &zero);
    }
    Ok(section)
}

fn is_name_section(bytes: &[u8]) -> bool {
    matches!(wasmparser::BinaryReader::new(bytes, 0).read_string(), Ok("name"))
}

/// Whether a function's body uses the data segments by number, so that they must stay as they are.
pub fn uses_data_segments(body: &FunctionBody) -> Result<bool> {
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::MemoryInit { .. }
            | Operator::DataDrop { .. }
            | Operator::ArrayNewData { .. }
            | Operator::ArrayInitData { .. } => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}
