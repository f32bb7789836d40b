//! A component's core half, as far as folding needs it: modules, how their instances are linked, and
//! what is lowered and lifted.

use std::collections::HashMap;
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, ExternalKind, Instance, Parser, Payload,
};
use wasmtime::{Result, bail, format_err};

use super::access::LEFT;
use super::member::Module;

/// Instances of one component at the most, and steps from an import to what it stands for.
const INSTANCES_MAX: usize = 256;
const STEPS_MAX: usize = 2 * INSTANCES_MAX;

/// What an index of a core function stands for.
#[derive(Clone, Copy)]
pub enum CoreFunction<'a> {
    /// One of `Shape::canonical`: lowered, or dropping a resource.
    Canonical(u32),
    Export(u32, &'a str),
}

pub enum CoreInstance<'a> {
    Module { module: u32, arguments: HashMap<&'a str, u32> },
    Items(HashMap<&'a str, (ExternalKind, u32)>),
}

/// Where something is defined, past all imports and exports that lead to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    Canonical(u32),
    /// An index of the module that this instance is of.
    Defined {
        instance: u32,
        index: u32,
    },
}

#[derive(Default)]
pub struct Shape<'a> {
    pub modules: Vec<Module<'a>>,
    pub instances: Vec<CoreInstance<'a>>,
    pub functions: Vec<CoreFunction<'a>>,
    memories: Vec<(u32, &'a str)>,
    tables: Vec<(u32, &'a str)>,
    globals: Vec<(u32, &'a str)>,
    /// Lowered functions and droppers of resources, in their order.
    pub canonical: Vec<CanonicalFunction>,
    pub lifted: Vec<CanonicalFunction>,
    /// Instances from which the component takes the kinds in `LEFT`.
    pub left: [Option<u32>; LEFT.len()],
}

impl<'a> Shape<'a> {
    /// An error: the component has something that is not folded.
    pub fn read(wasm: &'a [u8]) -> Result<Shape<'a>> {
        let mut shape = Shape::default();
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if depth > 0 {
                match &payload {
                    Payload::End(_) => depth -= 1,
                    Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                    payload => check_nested(payload)?,
                }
                continue;
            }
            match payload {
                Payload::ModuleSection { unchecked_range, .. } => {
                    let bytes = wasm.get(unchecked_range).ok_or_else(cut_short)?;
                    shape.modules.push(Module::read(bytes)?);
                    depth = 1;
                }
                Payload::ComponentSection { .. } => depth = 1,
                payload => shape.read_section(payload)?,
            }
        }
        Ok(shape)
    }

    fn read_section(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    self.read_instance(instance?)?;
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    self.read_alias(alias?)?;
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    self.read_canonical(function?)?;
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    if matches!(import?.ty, ComponentTypeRef::Module(_)) {
                        bail!("it imports a core module");
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    check_kind(export?.kind)?;
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    match instance? {
                        ComponentInstance::Instantiate { args, .. } => {
                            args.iter().try_for_each(|argument| check_kind(argument.kind))?;
                        }
                        ComponentInstance::FromExports(exports) => {
                            exports.iter().try_for_each(|export| check_kind(export.kind))?;
                        }
                    }
                }
            }
            Payload::CoreTypeSection(_) => bail!("it has core types"),
            Payload::ComponentStartSection { .. } => bail!("it has a start function"),
            _ => {}
        }
        Ok(())
    }

    fn read_instance(&mut self, instance: Instance<'a>) -> Result<()> {
        let count = self.instances.len();
        if count == INSTANCES_MAX {
            bail!("it has more than {INSTANCES_MAX} core instances");
        }
        self.instances.push(match instance {
            Instance::Instantiate { module_index, args } => {
                let arguments: HashMap<_, _> =
                    args.iter().map(|arg| (arg.name, arg.index)).collect();
                if arguments.values().any(|index| *index as usize >= count) {
                    bail!("an instance is made of a later one");
                }
                CoreInstance::Module { module: module_index, arguments }
            }
            Instance::FromExports(exports) => CoreInstance::Items(
                exports.iter().map(|export| (export.name, (export.kind, export.index))).collect(),
            ),
        });
        Ok(())
    }

    fn read_alias(&mut self, alias: ComponentAlias<'a>) -> Result<()> {
        match alias {
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                let list = match kind {
                    ExternalKind::Func => {
                        self.functions.push(CoreFunction::Export(instance_index, name));
                        return Ok(());
                    }
                    ExternalKind::Memory => &mut self.memories,
                    ExternalKind::Table => &mut self.tables,
                    ExternalKind::Global => &mut self.globals,
                    _ => bail!("it has an alias of another kind"),
                };
                list.push((instance_index, name));
                Ok(())
            }
            ComponentAlias::InstanceExport { kind, instance_index, name } => {
                if kind == ComponentExternalKind::Type
                    && let Some(place) = LEFT.iter().position(|left| *left == name)
                {
                    self.left[place] = Some(instance_index);
                }
                check_kind(kind)
            }
            ComponentAlias::Outer { kind, .. } => check_outer(kind),
        }
    }

    fn read_canonical(&mut self, function: CanonicalFunction) -> Result<()> {
        match &function {
            CanonicalFunction::Lift { .. } => {
                self.lifted.push(function);
                return Ok(());
            }
            CanonicalFunction::Lower { options, .. } => check_options(options)?,
            CanonicalFunction::ResourceDrop { .. } => {}
            _ => bail!("it has other canonical functions than lifted and lowered ones"),
        }
        self.functions.push(CoreFunction::Canonical(self.canonical.len() as u32));
        self.canonical.push(function);
        Ok(())
    }

    /// Module and arguments of an instance that is of a module.
    pub fn instance(&self, instance: u32) -> Result<(u32, &Module<'a>, &HashMap<&'a str, u32>)> {
        let Some(CoreInstance::Module { module, arguments }) =
            self.instances.get(instance as usize)
        else {
            bail!("instance {instance} is not of a module");
        };
        let found = self.modules.get(*module as usize).ok_or_else(cut_short)?;
        Ok((*module, found, arguments))
    }

    pub fn function(&self, index: u32) -> Result<Origin> {
        self.item(ExternalKind::Func, index, STEPS_MAX)
    }

    pub fn memory(&self, index: u32) -> Result<Origin> {
        self.item(ExternalKind::Memory, index, STEPS_MAX)
    }

    fn item(&self, kind: ExternalKind, index: u32, steps: usize) -> Result<Origin> {
        let list = match kind {
            ExternalKind::Func => match self.functions.get(index as usize) {
                Some(CoreFunction::Canonical(index)) => return Ok(Origin::Canonical(*index)),
                Some(CoreFunction::Export(instance, name)) => {
                    return self.export(*instance, kind, name, steps);
                }
                None => return Err(cut_short()),
            },
            ExternalKind::Memory => &self.memories,
            ExternalKind::Table => &self.tables,
            ExternalKind::Global => &self.globals,
            _ => bail!("it links what is neither function, memory, table nor global"),
        };
        let (instance, name) = list.get(index as usize).ok_or_else(cut_short)?;
        self.export(*instance, kind, name, steps)
    }

    fn export(&self, at: u32, kind: ExternalKind, name: &str, steps: usize) -> Result<Origin> {
        let steps = steps.checked_sub(1).ok_or_else(cut_short)?;
        match self.instances.get(at as usize) {
            Some(CoreInstance::Items(items)) => match items.get(name) {
                Some((found, index)) if *found == kind => self.item(kind, *index, steps),
                _ => bail!("nothing is exported as {name}"),
            },
            Some(CoreInstance::Module { .. }) => {
                let (_, module, _) = self.instance(at)?;
                self.defined(at, kind, module.export(kind, name)?, steps)
            }
            None => Err(cut_short()),
        }
    }

    /// Where what an instance's module calls `index` comes from.
    pub fn origin(&self, instance: u32, kind: ExternalKind, index: u32) -> Result<Origin> {
        self.defined(instance, kind, index, STEPS_MAX)
    }

    fn defined(
        &self,
        instance: u32,
        kind: ExternalKind,
        index: u32,
        steps: usize,
    ) -> Result<Origin> {
        let (_, module, arguments) = self.instance(instance)?;
        match module.import(kind, index) {
            Some((from, name)) => {
                let from = arguments.get(from).ok_or_else(|| format_err!("{from} is not given"))?;
                self.export(*from, kind, name, steps)
            }
            None if index < module.count(kind) => Ok(Origin::Defined { instance, index }),
            None => Err(cut_short()),
        }
    }
}

pub fn cut_short() -> wasmtime::Error {
    format_err!("an index is out of range")
}

/// Whether an alias is of the component's own half.
pub fn is_core(alias: &ComponentAlias) -> bool {
    matches!(alias, ComponentAlias::CoreInstanceExport { .. })
}

fn check_kind(kind: ComponentExternalKind) -> Result<()> {
    if kind == ComponentExternalKind::Module {
        bail!("it passes core modules on");
    }
    Ok(())
}

fn check_outer(kind: ComponentOuterAliasKind) -> Result<()> {
    match kind {
        ComponentOuterAliasKind::CoreModule | ComponentOuterAliasKind::CoreType => {
            bail!("it passes core modules on")
        }
        ComponentOuterAliasKind::Type | ComponentOuterAliasKind::Component => Ok(()),
    }
}

fn check_options(options: &[CanonicalOption]) -> Result<()> {
    let is_known = |option: &CanonicalOption| {
        use CanonicalOption::*;
        matches!(option, UTF8 | UTF16 | CompactUTF16 | Memory(_) | Realloc(_) | PostReturn(_))
    };
    if options.iter().all(is_known) { Ok(()) } else { bail!("it has asynchronous functions") }
}

/// A component within is kept as it is: it may have nothing to do with core modules out here.
fn check_nested(payload: &Payload) -> Result<()> {
    if let Payload::ComponentAliasSection(aliases) = payload {
        for alias in aliases.clone() {
            if let ComponentAlias::Outer { kind, .. } = alias? {
                check_outer(kind)?;
            }
        }
    }
    Ok(())
}

/// The options of a lifted function, which are those of a lowered one and its own.
pub fn lift_of(function: &CanonicalFunction) -> Result<(u32, u32, &[CanonicalOption])> {
    let CanonicalFunction::Lift { core_func_index, type_index, options } = function else {
        bail!("it is not lifted");
    };
    check_options(options)?;
    Ok((*core_func_index, *type_index, options))
}
