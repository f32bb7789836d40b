//! A component whose core modules are few.
//!
//! What a toolchain makes of a program is a component of several core modules: the program, often an
//! adapter that serves one interface by another, and two that only break a circle: a program is
//! instantiated with the functions that it imports, which are lowered with its memory and its
//! allocator, which it has once it is instantiated. So it is given a shim, whose functions call
//! through a table that is filled at last. Each request makes them all anew, and looks up each
//! function that passes from one to the next.
//!
//! Here the circle is broken elsewhere. A small module, the keeper, has the memory and calls the
//! allocator through a table; functions are lowered with those, and all else is one module, which
//! imports what is lowered as it is. The component's own half, which says what it imports and
//! exports, stays byte for byte as it was. A component of another shape is left as it is.

mod access;
mod member;
mod merge;
mod shape;

use crate::entry;
pub use access::LEFT;
use merge::{KEEPER, LOWERED, MEMORY, Plan};
use shape::{Origin, Shape, cut_short, is_core, lift_of};
use std::collections::BTreeSet;
use wasm_encoder::{
    CanonicalFunctionSection, Component, ComponentAliasSection, ComponentSectionId, Encode,
    ExportKind, InstanceSection, ModuleArg, RawSection,
};
use wasmparser::{CanonicalFunction, CanonicalOption, Parser, Payload};
use wasmtime::{Result, bail};

/// Functions of the merged module that are lifted, and allocators, at the most.
const PLACES_MAX: usize = 256;
/// What is made of a component, told apart from what other versions of this make of it.
pub const VERSION: u32 = 4;

/// Whether instances of the result can be made as good as new.
#[derive(Clone, Copy, PartialEq)]
pub enum Instances {
    Used,
    /// Each is entered once before its memory is written back.
    Renewed,
}

/// The same component with fewer core modules, or an error that says why it is left as it is. The
/// result is as good or as bad as what it is made of.
pub fn folded(wasm: &[u8], instances: Instances) -> Result<Vec<u8>> {
    let shape = Shape::read(wasm)?;
    let mut plan = Plan::new(&shape, memory_of(&shape)?)?;
    for function in &shape.canonical {
        if let CanonicalFunction::Lower { options, .. } = function {
            options_of(&mut plan, options, &mut |plan, origin| {
                place_in(&mut plan.reallocs, origin)
            })?;
        }
    }
    let mut lifts = Vec::new();
    for function in &shape.lifted {
        let (core_function, kind, options) = lift_of(function)?;
        let origin = plan.function(core_function)?;
        let lifted = place_in(&mut plan.exports, origin);
        let export = &mut |plan: &mut Plan, origin| place_in(&mut plan.exports, origin);
        lifts.push((lifted, kind, options_of(&mut plan, options, export)?));
    }
    if lifts.is_empty() || plan.exports.len().max(plan.reallocs.len()) > PLACES_MAX {
        bail!("it exports no function, or more than {PLACES_MAX}");
    }
    let out = Component::new();
    let folded = Writer { plan, lifts, instances, out, lowered: 0, exported: None }.write(wasm)?;
    match instances {
        Instances::Used => Ok(folded),
        Instances::Renewed => access::with_access(folded, shape.left),
    }
}

/// The memory that functions are lowered with.
fn memory_of(shape: &Shape) -> Result<Origin> {
    for function in &shape.canonical {
        let CanonicalFunction::Lower { options, .. } = function else { continue };
        for option in options {
            if let CanonicalOption::Memory(index) = option {
                return shape.memory(*index);
            }
        }
    }
    bail!("it lowers no function with a memory")
}

type Place<'f> = &'f mut dyn FnMut(&mut Plan, Origin) -> u32;

/// Options whose indices are those of the folded component, except that functions are numbered as
/// `place` does.
fn options_of(
    plan: &mut Plan,
    options: &[CanonicalOption],
    place: Place,
) -> Result<Vec<wasm_encoder::CanonicalOption>> {
    use wasm_encoder::CanonicalOption as To;
    let mut folded = Vec::new();
    for option in options {
        folded.push(match option {
            CanonicalOption::UTF8 => To::UTF8,
            CanonicalOption::UTF16 => To::UTF16,
            CanonicalOption::CompactUTF16 => To::CompactUTF16,
            CanonicalOption::Memory(index) => {
                plan.check_memory(*index)?;
                To::Memory(0)
            }
            CanonicalOption::Realloc(index) => {
                let origin = plan.function(*index)?;
                To::Realloc(place(plan, origin))
            }
            CanonicalOption::PostReturn(index) => {
                let origin = plan.function(*index)?;
                To::PostReturn(place(plan, origin))
            }
            _ => bail!("it has asynchronous functions"),
        });
    }
    Ok(folded)
}

/// Beyond what is looked through, each is taken for another one.
fn place_in(list: &mut Vec<Origin>, origin: Origin) -> u32 {
    let known = list.iter().take(PLACES_MAX).position(|known| *known == origin);
    let position = known.unwrap_or_else(|| {
        list.push(origin);
        list.len() - 1
    });
    position as u32
}

type Lift = (u32, u32, Vec<wasm_encoder::CanonicalOption>);

/// Writes the folded component. Its core functions are, in this order: the keeper's allocators,
/// canonical functions as they were, and what of the merged module is lifted.
struct Writer<'s, 'a> {
    plan: Plan<'s, 'a>,
    lifts: Vec<Lift>,
    instances: Instances,
    out: Component,
    /// Canonical functions so far.
    lowered: u32,
    /// Index of the first function of the merged module, once that is written.
    exported: Option<u32>,
}

impl Writer<'_, '_> {
    fn write(mut self, wasm: &[u8]) -> Result<Vec<u8>> {
        self.write_keeper()?;
        let (mut depth, mut lifts) = (0, 0);
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if depth > 0 {
                match payload {
                    Payload::End(_) => depth -= 1,
                    // What these keep is nobody's to write back, nor to put in order.
                    Payload::ModuleSection { .. } | Payload::ComponentCanonicalSection(_)
                        if self.instances == Instances::Renewed =>
                    {
                        bail!("a component within it has more than types")
                    }
                    Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                    _ => {}
                }
                continue;
            }
            match payload {
                Payload::ModuleSection { .. } => depth = 1,
                Payload::InstanceSection(_) | Payload::CustomSection(_) => {}
                Payload::ComponentAliasSection(aliases) => self.write_aliases(wasm, aliases)?,
                Payload::ComponentCanonicalSection(functions) => {
                    for function in functions {
                        self.write_canonical(&function?, &mut lifts)?;
                    }
                }
                payload => {
                    if let Payload::ComponentSection { .. } = payload {
                        depth = 1;
                    }
                    if let Some((id, range)) = payload.as_section() {
                        let data = wasm.get(range).ok_or_else(cut_short)?;
                        self.out.section(&RawSection { id, data });
                    }
                }
            }
        }
        Ok(self.out.finish())
    }

    fn write_keeper(&mut self) -> Result<()> {
        self.write_module(&self.plan.keeper(self.instances == Instances::Renewed)?);
        let mut instances = InstanceSection::new();
        instances.instantiate::<_, &str>(0, []);
        let mut aliases = ComponentAliasSection::new();
        let mut alias = |kind, name: &str| {
            aliases.alias(wasm_encoder::Alias::CoreInstanceExport { instance: 0, kind, name });
        };
        alias(ExportKind::Memory, MEMORY);
        for slot in 0..self.plan.reallocs.len() {
            alias(ExportKind::Func, &slot.to_string());
        }
        self.out.section(&instances).section(&aliases);
        Ok(())
    }

    fn write_module(&mut self, data: &[u8]) {
        self.out.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data });
    }

    /// The merged module, once all that it imports is there.
    fn write_merged(&mut self) -> Result<u32> {
        let first = self.plan.reallocs.len() as u32;
        let imports = &self.plan.imports;
        if imports.iter().any(|(canonical, _)| *canonical >= self.lowered) {
            bail!("it lowers functions after it has lifted some");
        }
        let mut instances = InstanceSection::new();
        let imports = imports.iter().enumerate();
        let imports = imports.map(|(position, (canonical, _))| {
            (position.to_string(), ExportKind::Func, first + canonical)
        });
        instances.export_items(imports.collect::<Vec<_>>());
        let arguments = [(KEEPER, ModuleArg::Instance(0)), (LOWERED, ModuleArg::Instance(1))];
        instances.instantiate(1, arguments);
        let mut aliases = ComponentAliasSection::new();
        for position in 0..self.plan.exports.len() {
            let (kind, name) = (ExportKind::Func, &position.to_string());
            aliases.alias(wasm_encoder::Alias::CoreInstanceExport { instance: 2, kind, name });
        }
        let mut merged = self.plan.merged()?;
        if self.instances == Instances::Renewed {
            let lifted: BTreeSet<u32> = self.lifts.iter().map(|(place, ..)| *place).collect();
            let lifted: Vec<_> = lifted.iter().map(|place| place.to_string()).collect();
            merged = match entry::renewing(&merged, &lifted, &[])? {
                Some(renewing) => renewing,
                None => bail!("it keeps something beside its memory"),
            };
        }
        self.write_module(&merged);
        self.out.section(&instances).section(&aliases);
        let exported = first + self.lowered;
        self.exported = Some(exported);
        Ok(exported)
    }

    /// What is not of the core half, as it is.
    fn write_aliases(
        &mut self,
        wasm: &[u8],
        aliases: wasmparser::SectionLimited<'_, wasmparser::ComponentAlias<'_>>,
    ) -> Result<()> {
        let end = aliases.range().end;
        let aliases = aliases.into_iter_with_offsets().collect::<Result<Vec<_>, _>>()?;
        let ends = aliases.iter().skip(1).map(|(offset, _)| *offset).chain([end]);
        let (mut count, mut kept) = (0u32, Vec::new());
        for ((offset, alias), end) in aliases.iter().zip(ends) {
            if !is_core(alias) {
                count += 1;
                kept.extend_from_slice(wasm.get(*offset..end).ok_or_else(cut_short)?);
            }
        }
        if count > 0 {
            let mut data = Vec::new();
            count.encode(&mut data);
            data.extend(kept);
            self.out.section(&RawSection { id: ComponentSectionId::Alias.into(), data: &data });
        }
        Ok(())
    }

    fn write_canonical(&mut self, function: &CanonicalFunction, lifts: &mut usize) -> Result<()> {
        let mut section = CanonicalFunctionSection::new();
        match function {
            CanonicalFunction::Lower { func_index, options } => {
                let place = &mut |plan: &mut Plan, origin| place_in(&mut plan.reallocs, origin);
                section.lower(*func_index, options_of(&mut self.plan, options, place)?);
                self.lowered += 1;
            }
            CanonicalFunction::ResourceDrop { resource } => {
                section.resource_drop(*resource);
                self.lowered += 1;
            }
            _ => {
                let first = match self.exported {
                    Some(first) => first,
                    None => self.write_merged()?,
                };
                write_lift(&mut section, &self.lifts[*lifts], first);
                *lifts += 1;
            }
        }
        self.out.section(&section);
        Ok(())
    }
}

/// `first` is the index of the first function that the merged module exports.
fn write_lift(section: &mut CanonicalFunctionSection, lift: &Lift, first: u32) {
    use wasm_encoder::CanonicalOption as Option;
    let (function, kind, options) = lift;
    let options = options.iter().map(|option| match option {
        Option::Realloc(position) => Option::Realloc(first + position),
        Option::PostReturn(position) => Option::PostReturn(first + position),
        option => *option,
    });
    section.lift(first + function, *kind, options.collect::<Vec<_>>());
}
