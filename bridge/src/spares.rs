//! Instances whose run is over, as good as new, for the next runs of the same programs.
//!
//! To make an instance and to drop it costs more than many a run. What a run can change of an instance
//! is its memory, its globals and its tables. So where a program is compiled to set its globals itself
//! when it is entered ([entry](crate::entry)), and has nothing that changes a table, an instance whose
//! memory is written back ([renewal](crate::renewal)) is what a fresh one is. Of a component that is so
//! but for what [http_spare](crate::http_spare) says of handles.

use crate::component::ComponentGuest;
use crate::host::{Guest, Host};
use crate::http_spare::Entry;
use crate::program::Program;
use crate::renewal::{Image, Place, renew};
use crate::task::Limits;
use std::collections::VecDeque;
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
    runs: u32,
}

pub type ModuleInstance = Instance<Guest, TypedFunc<(), ()>>;
pub type ComponentInstance = Instance<ComponentGuest, Entry>;

impl<E> Kept<E> {
    pub fn new(entry: E, place: Option<Place>, memory_bytes: u64) -> Box<Self> {
        Box::new(Kept { entry, place, memory_bytes, runs: 0 })
    }

    /// Makes its instance as good as new after a run: how many bytes its memory takes. `None` where that
    /// cannot be done.
    fn renew(&mut self, image: &Image, host: &Host) -> Option<usize> {
        self.runs += 1;
        self.place.map_or(Some(0), |place| unsafe { renew(place, image, host) })
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
    program: u64,
    /// What it was made under.
    limits: Limits,
    instance: I,
    /// Of its memory that the kernel has had to find a place for.
    bytes: usize,
    /// The period in which its last run has ended.
    period: u64,
}

pub struct List<I> {
    /// Those that have waited longest come first.
    spares: VecDeque<Spare<I>>,
    count_max: usize,
    bytes: usize,
    period: u64,
}

impl<G, E> List<Instance<G, E>> {
    fn new(count_max: usize) -> Self {
        List { spares: VecDeque::new(), count_max, bytes: 0, period: 0 }
    }

    /// One of this program that was made under these limits.
    pub fn take(&mut self, program: u64, limits: Limits) -> Option<Instance<G, E>> {
        let position = self
            .spares
            .iter()
            .rposition(|spare| spare.program == program && spare.limits == limits)?;
        let spare = self.spares.remove(position)?;
        self.bytes -= spare.bytes;
        Some(spare.instance)
    }

    /// Renews an instance after a run, in which its memory has not grown, and keeps it, where that can be
    /// done and there is room: it takes the place of one that nobody has wanted for a while, but not of
    /// one that is in use by turns.
    pub fn keep(&mut self, program: &Program, limits: Limits, mut instance: Instance<G, E>) {
        let Some(Some(image)) = program.image.get() else { return };
        let is_full = self.spares.len() >= self.count_max || self.bytes > BYTES_MAX;
        if is_full && !self.drop_unwanted() {
            return;
        }
        let Some(bytes) = instance.kept.renew(image, program.host) else {
            // Its runs write all over, or the kernel does not tell.
            program.was_not_renewed();
            return;
        };
        program.was_renewed();
        let (program, period) = (program.id, self.period);
        self.bytes += bytes;
        self.spares.push_back(Spare { program, limits, instance, bytes, period });
    }

    /// Drops the one that has waited longest if nobody has wanted it since this period began.
    fn drop_unwanted(&mut self) -> bool {
        let period = self.period;
        let Some(spare) = self.spares.pop_front_if(|oldest| oldest.period < period) else {
            return false;
        };
        self.bytes -= spare.bytes;
        true
    }

    /// Begins another period, and drops those that nobody has wanted since the last one began.
    fn sweep(&mut self) {
        while self.drop_unwanted() {}
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
    spares.modules.spares.len() + spares.components.spares.len()
}
