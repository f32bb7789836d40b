//! A component's core modules, put together into two.

use std::collections::{HashMap, HashSet};
use wasm_encoder::reencode::{Error as ReencodeError, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, ImportSection, MemArg, MemorySection,
    NameMap, NameSection, RefType, StartSection, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::ExternalKind;
use wasmtime::{Error, Result, bail};

use super::member::Module;
use super::shape::{Origin, Shape, cut_short};
use crate::renewal::MEMORY_BYTES_MAX;

/// How the modules that are made name what passes between them.
pub const KEEPER: &str = "keeper";
pub const LOWERED: &str = "lowered";
pub const MEMORY: &str = "memory";
const TABLE: &str = "table";
/// By these the keeper shows the memory.
pub const FIRST: &str = "first";
pub const SIZE: &str = "size";

/// Which instances of a component are put together, and what has to be reachable from outside.
pub struct Plan<'s, 'a> {
    shape: &'s Shape<'a>,
    members: Vec<u32>,
    shim: (u32, Vec<u32>),
    filler: (u32, Vec<u32>),
    memory: Origin,
    /// What allocates for lowered functions.
    pub reallocs: Vec<Origin>,
    /// What is lifted, or belongs to what is.
    pub exports: Vec<Origin>,
    /// Canonical functions that the merged module imports, and with which of its types.
    pub imports: Vec<(u32, u32)>,
    /// Where in `imports` a canonical function is.
    positions: HashMap<u32, u32>,
    bases: HashMap<u32, Bases>,
}

/// Where what a member defines begins in the merged module.
#[derive(Clone, Copy, Default)]
struct Bases {
    types: u32,
    functions: u32,
    tables: u32,
    globals: u32,
    elements: u32,
}

impl<'s, 'a> Plan<'s, 'a> {
    pub fn new(shape: &'s Shape<'a>, memory: Origin) -> Result<Plan<'s, 'a>> {
        let modules = (0..shape.instances.len() as u32)
            .filter_map(|instance| Some((instance, shape.instance(instance).ok()?.1)));
        let (mut members, mut seen) = (Vec::new(), HashSet::new());
        let (mut shim, mut filler) = (None, None);
        for (instance, module) in modules {
            // Each would be there once more, however many there are.
            if !seen.insert(shape.instance(instance)?.0) {
                bail!("a module of it is instantiated twice");
            }
            if let Some(slots) = module.as_shim().filter(|_| shim.is_none()) {
                shim = Some((instance, slots));
            } else if let Some(functions) = module.as_filler().filter(|_| filler.is_none()) {
                filler = Some((instance, functions));
            } else {
                members.push(instance);
            }
        }
        let (Some(shim), Some(filler)) = (shim, filler) else {
            bail!("nothing stands between it and what it imports");
        };
        let table = Origin::Defined { instance: shim.0, index: 0 };
        if shape.origin(filler.0, ExternalKind::Table, 0)? != table {
            bail!("its shim is not filled");
        }
        let (reallocs, exports, imports) = (Vec::new(), Vec::new(), Vec::new());
        let (positions, bases) = (HashMap::new(), HashMap::new());
        let mut plan = Plan {
            shape,
            members,
            shim,
            filler,
            memory,
            reallocs,
            exports,
            imports,
            positions,
            bases,
        };
        plan.lay_out()?;
        Ok(plan)
    }

    /// Finds the imports, and where everything else begins behind them.
    fn lay_out(&mut self) -> Result<()> {
        let mut next = Bases { tables: 1, ..Bases::default() };
        for &instance in &self.members {
            let (_, module, _) = self.shape.instance(instance)?;
            if module.start.is_some() {
                bail!("a module of it has a start function");
            }
            for (index, kind) in (0..).zip(&module.imported_functions) {
                let origin =
                    self.past_shim(self.shape.origin(instance, ExternalKind::Func, index)?)?;
                if let Origin::Canonical(canonical) = origin
                    && !self.positions.contains_key(&canonical)
                {
                    if *kind >= module.type_count {
                        return Err(cut_short());
                    }
                    self.positions.insert(canonical, self.imports.len() as u32);
                    self.imports.push((canonical, next.types + kind));
                }
            }
            self.bases.insert(instance, next);
            let defined = |kind| module.count(kind) - module.import_count(kind);
            next.types += module.type_count;
            next.functions += defined(ExternalKind::Func);
            next.tables += defined(ExternalKind::Table);
            next.globals += defined(ExternalKind::Global);
            next.elements += module.element_count;
        }
        let count = self.imports.len() as u32;
        self.bases.values_mut().for_each(|bases| bases.functions += count);
        Ok(())
    }

    /// What a function of the shim leads to.
    fn past_shim(&self, origin: Origin) -> Result<Origin> {
        let Origin::Defined { instance, index } = origin else {
            return Ok(origin);
        };
        if instance != self.shim.0 {
            return Ok(origin);
        }
        let slot = *self.shim.1.get(index as usize).ok_or_else(cut_short)?;
        let function = *self.filler.1.get(slot as usize).ok_or_else(cut_short)?;
        let origin = self.shape.origin(self.filler.0, ExternalKind::Func, function)?;
        match origin {
            Origin::Defined { instance, .. } if instance == self.shim.0 => {
                bail!("its shim leads to itself")
            }
            origin => Ok(origin),
        }
    }

    /// Of a function by its index in the component.
    pub fn function(&self, index: u32) -> Result<Origin> {
        self.past_shim(self.shape.function(index)?)
    }

    pub fn check_memory(&self, index: u32) -> Result<()> {
        if self.shape.memory(index)? == self.memory { Ok(()) } else { bail!("it has two memories") }
    }

    /// Index in the merged module.
    fn placed(&self, kind: ExternalKind, origin: Origin) -> Result<u32> {
        let (instance, index) = match (kind, origin) {
            (ExternalKind::Func, Origin::Canonical(canonical)) => {
                return self.positions.get(&canonical).copied().ok_or_else(cut_short);
            }
            (_, Origin::Defined { instance, index }) => (instance, index),
            _ => bail!("a canonical function is no {kind:?}"),
        };
        let Some(bases) = self.bases.get(&instance) else {
            bail!("its shim is used in another way");
        };
        let (_, module, _) = self.shape.instance(instance)?;
        let first = match kind {
            ExternalKind::Func => bases.functions,
            ExternalKind::Table => bases.tables,
            _ => bases.globals,
        };
        Ok(first + index - module.import_count(kind))
    }

    /// A module that keeps what lowered functions need before there is anything else: the memory
    /// with what is in it, and a way to what allocates.
    /// `shows_memory` is for `access`.
    pub fn keeper(&self, shows_memory: bool) -> Result<Vec<u8>> {
        let Origin::Defined { instance, index: 0 } = self.memory else {
            bail!("it has two memories");
        };
        let (_, owner, _) = self.shape.instance(instance)?;
        let [memory] = owner.memories[..] else {
            bail!("it has two memories");
        };
        let mut module = wasm_encoder::Module::new();
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        let mut exports = ExportSection::new();
        exports.export(MEMORY, ExportKind::Memory, 0);
        exports.export(TABLE, ExportKind::Table, 0);
        for slot in 0..self.reallocs.len() as u32 {
            functions.function(0);
            exports.export(&slot.to_string(), ExportKind::Func, slot);
            let mut body = Function::new([]);
            let mut instructions = body.instructions();
            (0..4).for_each(|parameter| {
                instructions.local_get(parameter);
            });
            instructions.i32_const(slot as i32).call_indirect(0, 0).end();
            code.function(&body);
        }
        if shows_memory {
            if memory.memory64
                || memory.shared
                || !(1..=MEMORY_PAGES_MAX).contains(&memory.initial)
                || memory.page_size_log2.is_some()
            {
                bail!("its memory is of another kind");
            }
            let first = self.reallocs.len() as u32;
            types.ty().function([], [ValType::I64]);
            types.ty().function([], [ValType::I32]);
            functions.function(1).function(2);
            exports.export(FIRST, ExportKind::Func, first);
            exports.export(SIZE, ExportKind::Func, first + 1);
            code.function(&first_bytes()).function(&all_bytes());
        }
        let (mut tables, mut memories) = (TableSection::new(), MemorySection::new());
        tables.table(slots(self.reallocs.len()));
        memories.memory(memory.into());
        let mut data = DataSection::new();
        for &member in &self.members {
            for (offset, bytes) in &self.shape.instance(member)?.1.data {
                data.active(0, &ConstExpr::i32_const(*offset), bytes.iter().copied());
            }
        }
        module.section(&types).section(&functions).section(&tables).section(&memories);
        module.section(&exports).section(&code).section(&data);
        Ok(module.finish())
    }

    /// All members as one module, which uses the keeper's memory.
    pub fn merged(&self) -> Result<Vec<u8>> {
        let Origin::Defined { instance, .. } = self.memory else { return Err(cut_short()) };
        let (_, owner, _) = self.shape.instance(instance)?;
        let memory = *owner.memories.first().ok_or_else(cut_short)?;
        let mut parts = Parts::default();
        for (position, (_, kind)) in self.imports.iter().enumerate() {
            parts.imports.import(LOWERED, &position.to_string(), EntityType::Function(*kind));
        }
        parts.imports.import(KEEPER, MEMORY, EntityType::Memory(memory.into()));
        parts.imports.import(KEEPER, TABLE, EntityType::Table(slots(self.reallocs.len())));
        for &member in &self.members {
            let (_, module, _) = self.shape.instance(member)?;
            let mut remap = self.remap(member, module)?;
            parts.add(module, &mut remap).map_err(Error::msg)?;
        }
        let exports = self.exports.iter().enumerate();
        for (position, origin) in exports {
            let index = self.placed(ExternalKind::Func, *origin)?;
            parts.exports.export(&position.to_string(), ExportKind::Func, index);
        }
        let reallocs = self.reallocs.iter().map(|origin| self.placed(ExternalKind::Func, *origin));
        let reallocs = reallocs.collect::<Result<Vec<u32>>>()?;
        let zero = ConstExpr::i32_const(0);
        parts.elements.active(Some(0), &zero, Elements::Functions(reallocs.into()));
        let (_, filler, _) = self.shape.instance(self.filler.0)?;
        if let Some(start) = filler.start {
            let origin = self.shape.origin(self.filler.0, ExternalKind::Func, start)?;
            parts.start = Some(self.placed(ExternalKind::Func, self.past_shim(origin)?)?);
        }
        Ok(parts.finish())
    }

    fn remap(&self, member: u32, module: &Module) -> Result<Remap> {
        let all = |kind| -> Result<Vec<u32>> {
            let placed = |index| match self.shape.origin(member, kind, index)? {
                origin if kind == ExternalKind::Func => self.placed(kind, self.past_shim(origin)?),
                origin => self.placed(kind, origin),
            };
            (0..module.count(kind)).map(placed).collect()
        };
        for index in 0..module.count(ExternalKind::Memory) {
            if self.shape.origin(member, ExternalKind::Memory, index)? != self.memory {
                bail!("it has two memories");
            }
        }
        let bases = self.bases[&member];
        Ok(Remap {
            types: (bases.types, module.type_count),
            functions: all(ExternalKind::Func)?,
            tables: all(ExternalKind::Table)?,
            globals: all(ExternalKind::Global)?,
            elements: (bases.elements, module.element_count),
        })
    }
}

/// Of a memory that is shown.
const MEMORY_PAGES_MAX: u64 = (MEMORY_BYTES_MAX >> PAGE_BITS) as u64;
const AT_ZERO: MemArg = MemArg { offset: 0, align: 2, memory_index: 0 };
const PAGE_BITS: i32 = 16;

/// What is in the first 8 bytes of the memory.
fn first_bytes() -> Function {
    let mut body = Function::new([]);
    body.instructions().i32_const(0).i64_load(AT_ZERO).end();
    body
}

/// The whole memory as a list of the canonical ABI, which lies in those 8 bytes: 0, and its size.
fn all_bytes() -> Function {
    let mut body = Function::new([]);
    body.instructions()
        .i32_const(0)
        .memory_size(0)
        .i64_extend_i32_u()
        .i64_const(i64::from(PAGE_BITS + 32))
        .i64_shl()
        .i64_store(AT_ZERO)
        .i32_const(0)
        .end();
    body
}

fn slots(count: usize) -> TableType {
    let count = count as u64;
    TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: count,
        maximum: Some(count),
        shared: false,
    }
}

/// How the indices of one member become those of the merged module.
struct Remap {
    /// The first, and how many.
    types: (u32, u32),
    functions: Vec<u32>,
    tables: Vec<u32>,
    globals: Vec<u32>,
    elements: (u32, u32),
}

type Remapped<T> = std::result::Result<T, ReencodeError<&'static str>>;

const OUT_OF_RANGE: ReencodeError<&str> = ReencodeError::UserError("an index is out of range");

fn looked_up(list: &[u32], index: u32) -> Remapped<u32> {
    list.get(index as usize).copied().ok_or(OUT_OF_RANGE)
}

fn counted((first, count): (u32, u32), index: u32) -> Remapped<u32> {
    if index < count { Ok(first + index) } else { Err(OUT_OF_RANGE) }
}

impl Reencode for Remap {
    type Error = &'static str;

    fn type_index(&mut self, index: u32) -> Remapped<u32> {
        counted(self.types, index)
    }
    fn function_index(&mut self, index: u32) -> Remapped<u32> {
        looked_up(&self.functions, index)
    }
    fn table_index(&mut self, index: u32) -> Remapped<u32> {
        looked_up(&self.tables, index)
    }
    fn global_index(&mut self, index: u32) -> Remapped<u32> {
        looked_up(&self.globals, index)
    }
    fn element_index(&mut self, index: u32) -> Remapped<u32> {
        counted(self.elements, index)
    }
}

/// The merged module's sections.
#[derive(Default)]
struct Parts {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    globals: GlobalSection,
    exports: ExportSection,
    start: Option<u32>,
    elements: ElementSection,
    code: CodeSection,
    names: NameMap,
}

impl Parts {
    fn add(&mut self, module: &Module, remap: &mut Remap) -> Remapped<()> {
        if let Some(types) = module.types.clone() {
            remap.parse_type_section(&mut self.types, types)?;
        }
        for kind in &module.function_types[module.imported_functions.len()..] {
            self.functions.function(remap.type_index(*kind)?);
        }
        if let Some(tables) = module.tables.clone() {
            remap.parse_table_section(&mut self.tables, tables)?;
        }
        if let Some(globals) = module.globals.clone() {
            remap.parse_global_section(&mut self.globals, globals)?;
        }
        if let Some(elements) = module.elements.clone() {
            remap.parse_element_section(&mut self.elements, elements)?;
        }
        if let Some(code) = module.code.clone() {
            remap.parse_code_section(&mut self.code, code)?;
        }
        let imported = module.imported_functions.len() as u32;
        for (index, name) in &module.function_names {
            if *index >= imported {
                self.names.append(looked_up(&remap.functions, *index)?, name);
            }
        }
        Ok(())
    }

    fn finish(self) -> Vec<u8> {
        let mut module = wasm_encoder::Module::new();
        module.section(&self.types).section(&self.imports).section(&self.functions);
        module.section(&self.tables).section(&self.globals).section(&self.exports);
        if let Some(function_index) = self.start {
            module.section(&StartSection { function_index });
        }
        let mut names = NameSection::new();
        names.functions(&self.names);
        module.section(&self.elements).section(&self.code).section(&names);
        module.finish()
    }
}
