//! Jumps within functions of Go, that lead where they are meant to.
//!
//! WebAssembly has no jumps, so Go's compiler writes a function as a loop around nested blocks: who jumps
//! sets a local to the number of a block and goes back to the loop's head, where a `br_table` leads to that
//! block. Compiled as it is, each jump brings all locals to where the head expects them, asks whether the
//! run's time is over, as every loop does, and jumps through a table in memory, as each call of a function
//! does at its beginning. Here a jump that leads forwards goes to its block itself (jump threading), a loop
//! that nothing goes back to becomes a block, and a head asks for the usual numbers before it takes the
//! table. What a function does stays the same.

use crate::snapshot::module::Module;
use std::collections::BTreeMap;
use wasm_encoder::{BlockType, CodeSection, Encode, Instruction, RawSection};
use wasmparser::{FunctionBody, Operator, Parser, Payload, Validator, WasmFeatures};
use wasmtime::Result;

/// Changes when modules are rewritten in another way: code that was compiled by another rule is compiled
/// again.
pub const RULE: u32 = 1;

/// Only block, loop and if have labels in these, and only br, br_if and br_table lead to them.
const FEATURES: WasmFeatures = WasmFeatures::WASM2.union(WasmFeatures::TAIL_CALL);

/// Numbers that a head asks for, besides that of a function's beginning.
const ASKED_MAX: usize = 2;

/// The same module with its jumps threaded; nothing where it is not of Go's compiler.
pub fn threaded(wasm: &[u8]) -> Result<Option<Vec<u8>>> {
    let is_known = || Validator::new_with_features(FEATURES).validate_all(wasm).is_ok();
    if !Module::parse(wasm)?.is_go() || !is_known() {
        return Ok(None);
    }
    let mut module = wasm_encoder::Module::new();
    let mut code = CodeSection::new();
    let mut bodies = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::CodeSectionStart { count, .. } => bodies = count,
            Payload::CodeSectionEntry(body) => {
                code.raw(&Threading::of(&body)?);
                if code.len() == bodies {
                    module.section(&code);
                }
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    module.section(&RawSection { id, data: &wasm[range] });
                }
            }
        }
    }
    Ok(Some(module.finish()))
}

/// `loop; block...; local.get; br_table`, perhaps without the loop: the first of a function.
struct Head {
    /// Where the loop begins.
    start: Option<usize>,
    /// Where the table is.
    table: usize,
    local: u32,
    /// The depths that the table has, the last one for all other numbers.
    depths: Vec<u32>,
    /// The labels there: how many are open around each, and where it begins.
    targets: Vec<(usize, usize)>,
    /// Whether something goes back to the loop.
    is_needed: bool,
    /// How many jumps lead to a number by way of the head.
    jumps: BTreeMap<usize, u32>,
}

/// Of one function. Instructions are named by their place: how many there are before.
struct Threading<'a> {
    operators: Vec<Operator<'a>>,
    /// Where each label that is open begins; the first is the function's own.
    labels: Vec<usize>,
    head: Option<Head>,
    /// What stands in place of an instruction.
    edits: BTreeMap<usize, Vec<Instruction<'static>>>,
}

impl<'a> Threading<'a> {
    /// The body as it is to be.
    fn of(body: &FunctionBody<'a>) -> Result<Vec<u8>> {
        let (mut operators, mut offsets) = (Vec::new(), Vec::new());
        for operator in body.get_operators_reader()?.into_iter_with_offsets() {
            let (operator, offset) = operator?;
            operators.push(operator);
            offsets.push(offset - body.range().start);
        }
        offsets.push(body.range().len());
        let mut threading =
            Threading { operators, labels: vec![usize::MAX], head: None, edits: BTreeMap::new() };
        for place in 0..threading.operators.len() {
            threading.visit(place);
        }
        threading.finish();

        let mut written = body.as_bytes()[..offsets[0]].to_vec();
        for place in 0..threading.operators.len() {
            match threading.edits.get(&place) {
                Some(edit) => edit.iter().for_each(|instruction| instruction.encode(&mut written)),
                None => written.extend(&body.as_bytes()[offsets[place]..offsets[place + 1]]),
            }
        }
        Ok(written)
    }

    fn visit(&mut self, place: usize) {
        match &self.operators[place] {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.labels.push(place);
            }
            Operator::End => {
                self.labels.pop();
            }
            Operator::Br { relative_depth } => self.jump(place, *relative_depth),
            Operator::BrIf { relative_depth } => self.need(*relative_depth),
            Operator::BrTable { targets } => {
                let depths = targets.targets().flatten().chain([targets.default()]).collect();
                match self.head {
                    None => self.head = self.head_at(place, depths),
                    Some(_) => depths.into_iter().for_each(|depth| self.need(depth)),
                }
            }
            _ => {}
        }
    }

    fn head_at(&self, table: usize, depths: Vec<u32>) -> Option<Head> {
        let [before @ .., Operator::LocalGet { local_index }] = &self.operators[..table] else {
            return None;
        };
        let is_block = |operator: &Operator| {
            matches!(operator, Operator::Block { blockty: wasmparser::BlockType::Empty })
        };
        let blocks = before.iter().rev().take_while(|operator| is_block(operator)).count();
        let start = before.len().checked_sub(blocks + 1)?;
        let is_loop =
            matches!(before[start], Operator::Loop { blockty: wasmparser::BlockType::Empty });
        let open = |depth: &u32| self.labels.len() - 1 - *depth as usize;
        let targets: Vec<_> =
            depths.iter().map(open).map(|open| (open, self.labels[open])).collect();
        Some(Head {
            start: is_loop.then_some(start),
            table,
            local: *local_index,
            is_needed: is_loop && targets.iter().any(|(_, label)| *label == start),
            depths,
            targets,
            jumps: BTreeMap::new(),
        })
    }

    /// Whether a label of this depth is the loop with the head.
    fn is_head(&self, depth: u32) -> bool {
        let label = self.labels[self.labels.len() - 1 - depth as usize];
        self.head.as_ref().is_some_and(|head| head.start == Some(label))
    }

    fn need(&mut self, depth: u32) {
        let is_head = self.is_head(depth);
        if let Some(head) = self.head.as_mut().filter(|_| is_head) {
            head.is_needed = true;
        }
    }

    fn jump(&mut self, place: usize, depth: u32) {
        let is_head = self.is_head(depth);
        let Some(head) = self.head.as_mut().filter(|_| is_head) else { return };
        let number = match &self.operators[..place] {
            [.., Operator::I32Const { value }, Operator::LocalSet { local_index }]
                if *local_index == head.local =>
            {
                Some((*value as u32 as usize).min(head.targets.len() - 1))
            }
            _ => None,
        };
        if let Some(number) = number {
            let (open, label) = head.targets[number];
            if self.labels.get(open) == Some(&label) {
                let depth = (self.labels.len() - 1 - open) as u32;
                self.edits.insert(place, vec![Instruction::Br(depth)]);
                return;
            }
            *head.jumps.entry(number).or_default() += 1;
        }
        head.is_needed = true;
    }

    /// Has the head ask for numbers, if there is one, and makes a block of a loop that is none.
    fn finish(&mut self) {
        let Some(head) = self.head.take() else { return };
        if let Some(start) = head.start.filter(|_| !head.is_needed) {
            self.edits.insert(start, vec![Instruction::Block(BlockType::Empty)]);
        }
        let mut usual: Vec<_> = head.jumps.iter().filter(|(number, _)| **number != 0).collect();
        usual.sort_by_key(|(_, jumps)| std::cmp::Reverse(**jumps));
        let mut edit = vec![Instruction::I32Eqz, Instruction::BrIf(head.depths[0])];
        for (number, _) in usual.into_iter().take(ASKED_MAX) {
            edit.extend([
                Instruction::LocalGet(head.local),
                Instruction::I32Const(*number as i32),
                Instruction::I32Eq,
                Instruction::BrIf(head.depths[*number]),
            ]);
        }
        let (others, depths) = head.depths.split_last().unwrap_or((&0, &[]));
        edit.extend([
            Instruction::LocalGet(head.local),
            Instruction::BrTable(depths.to_vec().into(), *others),
        ]);
        self.edits.insert(head.table, edit);
    }
}
