//! What a folded component has for the host, which makes its instances as good as new after a run: a way
//! to see its memory, and one to empty its table of handles and put it in order.

use super::merge::{FIRST, SIZE};
use crate::entry::{FIRST_BYTES, MEMORY_BYTES, ORDER_HANDLES};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentSection, ComponentSectionId, ComponentTypeSection,
    ComponentValType, ExportKind, InstanceSection, ModuleArg, PrimitiveValType, RawSection,
    ValType,
};
use wasmparser::{Validator, WasmFeatures};
use wasmtime::Result;

/// Of `wasi:http/types`: kinds of handles that a run may leave, as it does in a language whose garbage collector
/// gives them back.
pub const LEFT: [&str; 2] = ["incoming-request", "fields"];

/// Drops the handles of the kinds in `LEFT` that it is told of, a number for each kind whose bits are handles
/// from 1 on; one of another kind traps. Then it puts the first numbers of handles in order, of which none is in
/// use: it takes as many as it is asked to, which are these, and gives them back from the last to the first. What
/// was given back last is given out first, so that the next run is given 1, 2, 3 and so on, as a fresh instance is.
const ORDERER: &str = r#"(module
  (import "" "take" (func $take (param i32) (result i32)))
  (import "" "give" (func $give (param i32)))
  IMPORTS
  (func (export "order") (param $count i32) (param $left_0 i64) (param $left_1 i64) (local $left i32)
    DROPS
    (local.set $left (local.get $count))
    (block $all_taken
      (loop $next
        (br_if $all_taken (i32.eqz (local.get $left)))
        (if (i32.gt_u (call $take (i32.const 0)) (local.get $count)) (then unreachable))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (loop $next
      (if (local.get $count)
        (then
          (call $give (local.get $count))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next))))))"#;

const IMPORT: &str = r#"(import "" "drop_KIND" (func $drop_KIND (param i32)))"#;
const DROP: &str = "
    (loop $next
      (if (i64.ne (local.get $left_KIND) (i64.const 0))
        (then
          (call $drop_KIND (i32.add (i32.wrap_i64 (i64.ctz (local.get $left_KIND))) (i32.const 1)))
          (local.set $left_KIND
            (i64.and (local.get $left_KIND) (i64.sub (local.get $left_KIND) (i64.const 1))))
          (br $next))))";

/// For a component that knows of these kinds only.
fn orderer(kinds: &[usize]) -> Result<Vec<u8>> {
    let for_each = |text: &str| -> String {
        kinds.iter().map(|kind| text.replace("KIND", &kind.to_string())).collect()
    };
    let text = ORDERER.replace("IMPORTS", &for_each(IMPORT)).replace("DROPS", &for_each(DROP));
    Ok(wat::parse_str(text)?)
}

/// The same component with three functions more: two of its keeper, and that which puts handles in order.
/// `http_types` is the instance of `wasi:http/types` that it imports.
pub fn with_access(mut folded: Vec<u8>, http_types: Option<u32>) -> Result<Vec<u8>> {
    let all = Validator::new_with_features(WasmFeatures::default()).validate_all(&folded)?;
    let all = all.as_ref();
    let knows = |kind: &usize| {
        http_types.is_some_and(|instance| {
            all[all.component_instance_at(instance)].exports.contains_key(LEFT[*kind])
        })
    };
    let kinds: Vec<usize> = (0..LEFT.len()).filter(knows).collect();
    let (core, function) = (all.function_count(), all.component_function_count());
    let (module, instance) = (all.module_count(), all.core_instance_count());
    let handle = all.component_type_count();

    let mut types = ComponentTypeSection::new();
    types.resource(ValType::I32, None);
    types.defined_type().list(ComponentValType::Primitive(PrimitiveValType::U8));
    let none: [(&str, ComponentValType); 0] = [];
    let list = ComponentValType::Type(handle + 1);
    types.function().params(none).result(Some(PrimitiveValType::U64.into()));
    types.function().params(none).result(Some(list));
    types
        .function()
        .params([
            ("count", PrimitiveValType::U32),
            ("left-0", PrimitiveValType::U64),
            ("left-1", PrimitiveValType::U64),
        ])
        .result(None);

    let mut kinds_of_http = ComponentAliasSection::new();
    let mut handles = CanonicalFunctionSection::new();
    handles.resource_new(handle).resource_drop(handle);
    let mut given = vec![("take".to_owned(), core), ("give".to_owned(), core + 1)];
    for ((place, kind), ty) in (core + 2..).zip(&kinds).zip(handle + 5..) {
        let instance = http_types.expect("knows the kind");
        let (name, kind_of_item) = (LEFT[*kind], ComponentExportKind::Type);
        kinds_of_http.alias(Alias::InstanceExport { instance, kind: kind_of_item, name });
        handles.resource_drop(ty);
        given.push((format!("drop_{kind}"), place));
    }
    let orderer = orderer(&kinds)?;
    let orderer = RawSection { id: ComponentSectionId::CoreModule.into(), data: &orderer };
    let mut instances = InstanceSection::new();
    let lifted = core + given.len() as u32;
    instances
        .export_items(given.iter().map(|(name, place)| (name.as_str(), ExportKind::Func, *place)));
    instances.instantiate(module, [("", ModuleArg::Instance(instance))]);

    let mut aliases = ComponentAliasSection::new();
    for (instance, name) in [(0, FIRST), (0, SIZE), (instance + 1, "order")] {
        aliases.alias(Alias::CoreInstanceExport { instance, kind: ExportKind::Func, name });
    }
    let mut lifts = CanonicalFunctionSection::new();
    lifts.lift(lifted, handle + 2, []);
    lifts.lift(lifted + 1, handle + 3, [CanonicalOption::Memory(0)]);
    lifts.lift(lifted + 2, handle + 4, []);
    let mut exports = ComponentExportSection::new();
    // Each export is a function more, behind those that are lifted.
    for (lifted, name) in (function..).zip([FIRST_BYTES, MEMORY_BYTES, ORDER_HANDLES]) {
        exports.export(name, ComponentExportKind::Func, lifted, None);
    }

    types.append_to_component(&mut folded);
    kinds_of_http.append_to_component(&mut folded);
    handles.append_to_component(&mut folded);
    orderer.append_to_component(&mut folded);
    instances.append_to_component(&mut folded);
    aliases.append_to_component(&mut folded);
    lifts.append_to_component(&mut folded);
    exports.append_to_component(&mut folded);
    Ok(folded)
}
