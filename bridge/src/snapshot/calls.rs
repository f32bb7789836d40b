//! Calls through a table that never changes, made without it.
//!
//! All functions of a Go program are in its table, and Wasmtime makes an entry of it when it is
//! first called, in each instance anew: that costs many times the call. So the functions are chosen
//! by a function instead: it jumps to the one whose number it is given, and an instance has neither
//! a table to clear nor a reference to each function to keep.

use super::module::Signature;
use std::collections::BTreeMap;
use std::convert::Infallible;
use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, ElementSection, Function, FunctionSection, Instruction as I,
    TableSection, TypeSection,
};
use wasmparser::{
    ElementItems, ElementKind, ExternalKind, FunctionBody, Operator, Parser, Payload, TableInit,
    TypeRef,
};
use wasmtime::{Error, Result};

/// From the first slot that is filled to the last, at the most; programs of Go have some thousands.
const SLOTS_MAX: u32 = 100_000;

/// The same module without its table; nothing where it does more with tables than to call through
/// one, always functions of the same type. A call that would have trapped still traps.
pub fn direct(wasm: &[u8]) -> Result<Option<Vec<u8>>> {
    let Some(mut table) = Table::of(wasm)? else { return Ok(None) };
    let mut module = wasm_encoder::Module::new();
    table.parse_core_module(&mut module, Parser::new(0), wasm).map_err(Error::msg)?;
    Ok(Some(module.finish()))
}

/// What a module has to do with its table.
#[derive(Default)]
struct Table {
    types: Vec<Signature>,
    /// Type of each function, imported ones first.
    function_types: Vec<u32>,
    /// Functions by their slot.
    slots: BTreeMap<u32, u32>,
    /// Of the functions that are called through it.
    called: Option<u32>,
}

impl Table {
    fn of(wasm: &[u8]) -> Result<Option<Table>> {
        let mut table = Table::default();
        for payload in Parser::new(0).parse_all(wasm) {
            if !table.read(payload?)? {
                return Ok(None);
            }
        }
        let span = match (table.slots.first_key_value(), table.slots.last_key_value()) {
            (Some((first, _)), Some((last, _))) => last - first,
            _ => return Ok(None),
        };
        Ok((table.called.is_some() && span < SLOTS_MAX).then_some(table))
    }

    /// Whether the table can go, as far as this tells.
    fn read(&mut self, payload: Payload) -> Result<bool> {
        match payload {
            Payload::TypeSection(types) => {
                for kind in types.into_iter_err_on_gc_types() {
                    let Ok(kind) = kind else { return Ok(false) };
                    self.types.push((kind.params().to_vec(), kind.results().to_vec()));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import?.ty {
                        TypeRef::Func(kind) => self.function_types.push(kind),
                        TypeRef::Table(_) => return Ok(false),
                        _ => {}
                    }
                }
            }
            Payload::FunctionSection(functions) => {
                for kind in functions {
                    self.function_types.push(kind?);
                }
            }
            Payload::TableSection(tables) => {
                let is_only = tables.count() == 1;
                for table in tables {
                    if !is_only || !matches!(table?.init, TableInit::RefNull) {
                        return Ok(false);
                    }
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    if global?.ty.content_type.is_reference_type() {
                        return Ok(false);
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    if export?.kind == ExternalKind::Table {
                        return Ok(false);
                    }
                }
            }
            Payload::ElementSection(segments) => {
                for segment in segments {
                    if !self.read_segment(segment?)? {
                        return Ok(false);
                    }
                }
            }
            Payload::CodeSectionEntry(body) => return self.read_body(&body),
            _ => {}
        }
        Ok(true)
    }

    fn read_segment(&mut self, segment: wasmparser::Element) -> Result<bool> {
        let ElementKind::Active { offset_expr, .. } = segment.kind else { return Ok(false) };
        let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
            return Ok(false);
        };
        let ElementItems::Functions(functions) = segment.items else { return Ok(false) };
        for (slot, function) in (value as u32..).zip(functions) {
            self.slots.insert(slot, function?);
        }
        Ok(true)
    }

    fn read_body(&mut self, body: &FunctionBody) -> Result<bool> {
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::CallIndirect { type_index, .. }
                    if *self.called.get_or_insert(type_index) != type_index =>
                {
                    return Ok(false);
                }
                Operator::ReturnCallIndirect { .. }
                | Operator::RefFunc { .. }
                | Operator::ElemDrop { .. }
                | Operator::TableCopy { .. }
                | Operator::TableFill { .. }
                | Operator::TableGet { .. }
                | Operator::TableGrow { .. }
                | Operator::TableInit { .. }
                | Operator::TableSet { .. }
                | Operator::TableSize { .. } => return Ok(false),
                _ => {}
            }
        }
        Ok(true)
    }

    fn called_type(&self) -> &Signature {
        &self.types[self.called.unwrap_or_default() as usize]
    }

    /// Takes what the call takes, and the slot.
    fn chooser(&self) -> Function {
        let parameters = self.called_type().0.len() as u32;
        let is_callable = |function: &u32| {
            self.types[self.function_types[*function as usize] as usize] == *self.called_type()
        };
        let callable: Vec<_> =
            self.slots.iter().filter(|(_, function)| is_callable(function)).collect();
        let first = callable.first().map_or(0, |(slot, _)| **slot);
        // Slots that hold nothing, or a function of another type, lead to the trap.
        let trap = callable.len() as u32;
        let mut labels = Vec::new();
        for (label, (slot, _)) in (0..).zip(&callable) {
            labels.resize((**slot - first) as usize, trap);
            labels.push(label);
        }
        let mut body = Function::new([]);
        for _ in 0..=callable.len() {
            body.instruction(&I::Block(BlockType::Empty));
        }
        body.instruction(&I::LocalGet(parameters));
        body.instruction(&I::I32Const(first as i32));
        body.instruction(&I::I32Sub);
        body.instruction(&I::BrTable(labels.into(), trap));
        body.instruction(&I::End);
        for (_, function) in callable {
            for parameter in 0..parameters {
                body.instruction(&I::LocalGet(parameter));
            }
            body.instruction(&I::ReturnCall(*function));
            body.instruction(&I::End);
        }
        body.instruction(&I::Unreachable);
        body.instruction(&I::End);
        body
    }
}

type Written = std::result::Result<(), reencode::Error<Infallible>>;

/// Writes the module without the table; the chooser is its last type and its last function.
impl Reencode for Table {
    type Error = Infallible;

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> Written {
        utils::parse_type_section(self, types, section)?;
        let (mut parameters, results) = self.called_type().clone();
        parameters.push(wasmparser::ValType::I32);
        let mut written = |kinds: Vec<wasmparser::ValType>| -> std::result::Result<Vec<_>, _> {
            kinds.into_iter().map(|kind| self.val_type(kind)).collect()
        };
        types.ty().function(written(parameters)?, written(results)?);
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Written {
        utils::parse_function_section(self, functions, section)?;
        functions.function(self.types.len() as u32);
        Ok(())
    }

    fn parse_table_section(
        &mut self,
        _: &mut TableSection,
        _: wasmparser::TableSectionReader<'_>,
    ) -> Written {
        Ok(())
    }

    fn parse_element_section(
        &mut self,
        _: &mut ElementSection,
        _: wasmparser::ElementSectionReader<'_>,
    ) -> Written {
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Written {
        utils::parse_code_section(self, code, section)?;
        code.function(&self.chooser());
        Ok(())
    }

    fn instruction<'a>(
        &mut self,
        operator: Operator<'a>,
    ) -> std::result::Result<I<'a>, reencode::Error<Infallible>> {
        match operator {
            Operator::CallIndirect { .. } => Ok(I::Call(self.function_types.len() as u32)),
            other => utils::instruction(self, other),
        }
    }
}
