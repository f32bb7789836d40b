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
  (import "" "incoming-request" (func $drop_request (param i32)))
  (import "" "fields" (func $drop_fields (param i32)))
  (func $drop (param $left i64) (param $are_fields i32) (local $handle i32)
    (loop $next
      (if (i64.ne (local.get $left) (i64.const 0))
        (then
          (local.set $handle (i32.add (i32.wrap_i64 (i64.ctz (local.get $left))) (i32.const 1)))
          (if (local.get $are_fields)
            (then (call $drop_fields (local.get $handle)))
            (else (call $drop_request (local.get $handle))))
          (local.set $left (i64.and (local.get $left) (i64.sub (local.get $left) (i64.const 1))))
          (br $next)))))
  (func (export "order") (param $count i32) (param $requests i64) (param $fields i64)
    (local $left i32)
    (call $drop (local.get $requests) (i32.const 0))
    (call $drop (local.get $fields) (i32.const 1))
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

/// The same component with three functions more: two of its keeper, and that which puts handles in order.
/// `left` are the instances that have the kinds in `LEFT`.
pub fn with_access(mut folded: Vec<u8>, left: [Option<u32>; LEFT.len()]) -> Result<Vec<u8>> {
    let all = Validator::new_with_features(WasmFeatures::default()).validate_all(&folded)?;
    let all = all.as_ref();
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
            ("requests", PrimitiveValType::U64),
            ("fields", PrimitiveValType::U64),
        ])
        .result(None);

    let (mut kinds, mut handles) = (ComponentAliasSection::new(), CanonicalFunctionSection::new());
    handles.resource_new(handle).resource_drop(handle);
    let (take, give) = (core, core + 1);
    // What it does not know it never has in hand, and there is nothing to drop.
    let mut drops = [give; LEFT.len()];
    let known = LEFT.iter().zip(left).zip(&mut drops);
    let known = known.filter_map(|((name, instance), drop)| Some((name, instance?, drop)));
    let mut lifted = core + 2;
    for (ty, (name, instance, drop)) in (handle + 5..).zip(known) {
        kinds.alias(Alias::InstanceExport { instance, kind: ComponentExportKind::Type, name });
        handles.resource_drop(ty);
        *drop = lifted;
        lifted += 1;
    }
    let orderer = wat::parse_str(ORDERER)?;
    let orderer = RawSection { id: ComponentSectionId::CoreModule.into(), data: &orderer };
    let mut instances = InstanceSection::new();
    let [incoming_request, fields] = drops;
    let given = [
        ("take", take),
        ("give", give),
        ("incoming-request", incoming_request),
        ("fields", fields),
    ];
    instances.export_items(given.map(|(name, place)| (name, ExportKind::Func, place)));
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
    kinds.append_to_component(&mut folded);
    handles.append_to_component(&mut folded);
    orderer.append_to_component(&mut folded);
    instances.append_to_component(&mut folded);
    aliases.append_to_component(&mut folded);
    lifts.append_to_component(&mut folded);
    exports.append_to_component(&mut folded);
    Ok(folded)
}
