//! Instances whose run is over, as good as new, for the next runs of the same programs.
//!
//! To make an instance and to drop it costs more than many a run. What a run can change of an instance
//! is its memory, its globals and its tables. So where a program is compiled to set its globals itself
//! when it is entered ([entry](crate::entry)), and has nothing that changes a table, an instance whose
//! memory is written back ([renewal](crate::renewal)) is what a fresh one is. What there is of a
//! component beside its modules, [http_spare](crate::http_spare) sees to.

use crate::component::ComponentGuest;
use crate::host::{Guest, Host};
use crate::http_spare::Entry;
use crate::program::Program;
use crate::renewal::{Image, Place, Written, renew};
use crate::task::Limits;
use std::collections::BTreeMap;
use wasmtime::{Store, TypedFunc};

/// Runs of one instance, after which a fresh one takes its place.
const RUNS_MAX: u32 = 1 << 12;

/// Of all memories of one list, and one memory more.
const BYTES_MAX: usize = 64 << 20;

/// A store with one instance.
pub struct Instance<G: 'static, E> {
    pub store: Store<G>,
    pub kept: Box<Kept<E>>,
}

/// What is called in an instance, and what there is to write back.
pub struct Kept<E> {
    pub entry: E,
    /// Of its memory, where it has one and that is known.
    pub place: Option<Place>,
    /// Of its memories when it was made.
    pub memory_bytes: u64,
    written: Option<Written>,
    runs: u32,
}

pub type ModuleInstance = Instance<Guest, TypedFunc<(), ()>>;
pub type ComponentInstance = Instance<ComponentGuest, Entry>;

impl<E> Kept<E> {
    pub fn new(entry: E, place: Option<Place>, memory_bytes: u64) -> Box<Self> {
        Box::new(Kept { entry, place, memory_bytes, written: None, runs: 0 })
    }

    /// Makes its instance as good as new after a run: how many bytes its memory takes. `None` where that
    /// cannot be done.
    fn renew(&mut self, image: &Image, host: &Host) -> Option<usize> {
        self.runs += 1;
        let Some(place) = self.place else { return Some(0) };
        let written = self.written.get_or_insert_with(|| Written::new(place));
        unsafe { renew(place, image, written, host) }
    }

    /// Whether it has grown, or has been used for long.
    pub fn is_used_up(&self, memory_bytes: u64) -> bool {
        let is_all = self.place.is_none_or(|place| place.bytes as u64 == memory_bytes);
        memory_bytes != self.memory_bytes || !is_all || self.runs + 1 >= RUNS_MAX
    }
}

/// `fb_spares`: those of one thread, of each kind `count_max` at the most.
pub struct Spares {
    pub modules: List<ModuleInstance>,
    pub components: List<ComponentInstance>,
}

#[derive(Clone, Copy)]
pub struct SparesPointer(*mut Spares);

// A task and all it holds are used by one thread at a time, and by the same that its spares are of.
unsafe impl Send for SparesPointer {}

impl SparesPointer {
    pub fn of(spares: *mut Spares) -> Option<SparesPointer> {
        (!spares.is_null()).then_some(SparesPointer(spares))
    }

    pub fn list(&mut self) -> &mut Spares {
        unsafe { &mut *self.0 }
    }
}

struct Spare<I> {
    /// What it was made under.
    limits: Limits,
    instance: I,
    /// Of its memory that the kernel has had to find a place for.
    bytes: usize,
    /// The period in which its last run has ended.
    period: u64,
}

pub struct List<I> {
    /// By the program's number.
    of_programs: BTreeMap<u64, Vec<Spare<I>>>,
    count: usize,
    count_max: usize,
    bytes: usize,
    period: u64,
}

impl<G, E> List<Instance<G, E>> {
    fn new(count_max: usize) -> Self {
        List { of_programs: BTreeMap::new(), count: 0, count_max, bytes: 0, period: 0 }
    }

    /// One of this program that was made under these limits.
    pub fn take(&mut self, program: u64, limits: Limits) -> Option<Instance<G, E>> {
        let spares = self.of_programs.get_mut(&program)?;
        let position = spares.iter().rposition(|spare| spare.limits == limits)?;
        let spare = spares.remove(position);
        self.count -= 1;
        self.bytes -= spare.bytes;
        Some(spare.instance)
    }

    /// Renews an instance after a run, in which its memory has not grown, and keeps it, where that can be
    /// done and there is room.
    pub fn keep(&mut self, program: &Program, limits: Limits, mut instance: Instance<G, E>) {
        let Some(Some(image)) = program.image.get() else { return };
        if self.count >= self.count_max || self.bytes > BYTES_MAX {
            return;
        }
        let Some(bytes) = instance.kept.renew(image, program.host) else {
            // Its runs write all over, or the kernel does not tell.
            program.was_not_renewed();
            return;
        };
        program.was_renewed();
        self.count += 1;
        self.bytes += bytes;
        let spare = Spare { limits, instance, bytes, period: self.period };
        self.of_programs.entry(program.id).or_default().push(spare);
    }

    /// Begins another period, and drops those that nobody has wanted since the last one began: so there
    /// is room for others soon.
    fn sweep(&mut self) {
        let (period, mut count, mut bytes) = (self.period, 0, 0);
        self.of_programs.retain(|_, spares| {
            spares.retain(|spare| spare.period == period);
            count += spares.len();
            bytes += spares.iter().map(|spare| spare.bytes).sum::<usize>();
            !spares.is_empty()
        });
        (self.count, self.bytes) = (count, bytes);
        self.period += 1;
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_spares_new(count_max: u32) -> Box<Spares> {
    let count_max = count_max as usize;
    Box::new(Spares { modules: List::new(count_max), components: List::new(count_max) })
}

#[unsafe(no_mangle)]
pub extern "C" fn fb_spares_delete(_spares: Box<Spares>) {}

#[unsafe(no_mangle)]
pub extern "C" fn fb_spares_sweep(spares: &mut Spares) -> usize {
    spares.modules.sweep();
    spares.components.sweep();
    spares.modules.count + spares.components.count
}
