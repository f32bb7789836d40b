//! What lets the host see the memory of a folded component, so that it can write it back after a run.

use super::merge::{FIRST, SIZE};
use crate::entry::{FIRST_BYTES, MEMORY_BYTES};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentSection, ComponentTypeSection, ComponentValType, ExportKind,
    PrimitiveValType,
};
use wasmparser::{Validator, WasmFeatures};
use wasmtime::Result;

/// The same component with two functions more, which its keeper serves.
pub fn with_access(mut folded: Vec<u8>) -> Result<Vec<u8>> {
    let all = Validator::new_with_features(WasmFeatures::default()).validate_all(&folded)?;
    let all = all.as_ref();
    let (core, function) = (all.function_count(), all.component_function_count());
    let list = all.component_type_count();

    let mut aliases = ComponentAliasSection::new();
    for name in [FIRST, SIZE] {
        let kind = ExportKind::Func;
        aliases.alias(Alias::CoreInstanceExport { instance: 0, kind, name });
    }
    let mut types = ComponentTypeSection::new();
    types.defined_type().list(ComponentValType::Primitive(PrimitiveValType::U8));
    let no_parameters: [(&str, ComponentValType); 0] = [];
    let number = ComponentValType::Primitive(PrimitiveValType::U64);
    types.function().params(no_parameters).result(Some(number));
    types.function().params(no_parameters).result(Some(ComponentValType::Type(list)));
    let mut lifts = CanonicalFunctionSection::new();
    lifts.lift(core, list + 1, []);
    lifts.lift(core + 1, list + 2, [CanonicalOption::Memory(0)]);
    let mut exports = ComponentExportSection::new();
    exports.export(FIRST_BYTES, ComponentExportKind::Func, function, None);
    // Each export is a function more.
    exports.export(MEMORY_BYTES, ComponentExportKind::Func, function + 1, None);

    aliases.append_to_component(&mut folded);
    types.append_to_component(&mut folded);
    lifts.append_to_component(&mut folded);
    exports.append_to_component(&mut folded);
    Ok(folded)
}
