//! An instance made as good as new: its memory is written back to what it began with.

use crate::host::Host;
use object::{Object, ObjectSection};
use rustix::mm::{Advice, madvise};
use std::ops::Range;

/// Pages that were written, as the kernel lists them; `fb_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// With more than these a memory is not written back.
const REGIONS_MAX: usize = 256;
const PAGE_BYTES: usize = 4 << 10;
/// Of compiled code, which is an ELF file: what memories begin with.
const DATA_SECTION: &str = ".rodata.wasm";
/// Larger memories are not looked through.
pub const MEMORY_BYTES_MAX: usize = 16 << 20;
/// More than this is not kept a second time.
const COPIED_BYTES_MAX: usize = 4 << 20;
/// To look through a memory up to this size takes as long as to ask for the thread's page faults.
const LOOKED_THROUGH_BYTES: usize = 512 << 10;

/// A linear memory where it lies. It stays there, and as large as it is, as long as nothing grows it.
#[derive(Clone, Copy)]
pub struct Place {
    pub base: *mut u8,
    pub bytes: usize,
}

// Used where the store is that it belongs to.
unsafe impl Send for Place {}

/// What is in a memory at the start, where that is not zero.
pub struct Image {
    /// Runs of pages, in ascending order: where in memory they are, and in `bytes`.
    runs: Vec<(Range<usize>, usize)>,
    bytes: ImageBytes,
}

enum ImageBytes {
    Copied(Vec<u8>),
    /// A part of the program's compiled code, whose owner is the image's.
    Compiled(*const [u8]),
}

// Nobody writes to compiled code.
unsafe impl Send for ImageBytes {}
unsafe impl Sync for ImageBytes {}

impl Image {
    /// Of a memory that no run has had yet; `None` when it is too large. `code` is what its program is
    /// compiled to, as it is mapped.
    ///
    /// # Safety
    /// The memory is there, and nothing else uses it. The code is there as long as the image is.
    pub unsafe fn of(place: Place, code: Range<*const u8>, host: &Host) -> Option<Image> {
        if place.bytes > MEMORY_BYTES_MAX {
            return None;
        }
        let memory = unsafe { std::slice::from_raw_parts(place.base, place.bytes) };
        let bytes = unsafe { code.end.offset_from(code.start) } as usize;
        let code = unsafe { std::slice::from_raw_parts(code.start, bytes) };
        let runs = runs_of(memory);
        let image = Image::within(code, memory, &runs).or_else(|| Image::copied(memory, runs));
        unsafe { drop_unwritten(place, host) };
        image
    }

    /// Where the program has it whole, page for page, as it has what its instances map copy-on-write: that is
    /// the first of its data.
    fn within(code: &[u8], memory: &[u8], runs: &[Range<usize>]) -> Option<Image> {
        let origin = runs.first()?.start;
        let code = object::File::parse(code).ok()?;
        let data = code.section_by_name(DATA_SECTION)?.data().ok()?;
        let is_there = |run: &Range<usize>| {
            data.get(run.start - origin..run.end - origin) == Some(&memory[run.clone()])
        };
        runs.iter().all(is_there).then(|| Image {
            runs: runs.iter().map(|run| (run.clone(), run.start - origin)).collect(),
            bytes: ImageBytes::Compiled(data),
        })
    }

    fn copied(memory: &[u8], runs: Vec<Range<usize>>) -> Option<Image> {
        if runs.iter().map(|run| run.len()).sum::<usize>() > COPIED_BYTES_MAX {
            return None;
        }
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for run in &runs {
            places.push(bytes.len());
            bytes.extend_from_slice(&memory[run.clone()]);
        }
        bytes.shrink_to_fit();
        Some(Image {
            runs: runs.into_iter().zip(places).collect(),
            bytes: ImageBytes::Copied(bytes),
        })
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            ImageBytes::Copied(bytes) => bytes,
            ImageBytes::Compiled(bytes) => unsafe { &**bytes },
        }
    }

    /// Writes back a part of the memory.
    fn restore(&self, memory: &mut [u8], part: Range<usize>) {
        let mut at = part.start;
        let first = self.runs.partition_point(|(run, _)| run.end <= part.start);
        for (run, bytes) in &self.runs[first..] {
            if run.start >= part.end {
                break;
            }
            let (from, to) = (run.start.max(at), run.end.min(part.end));
            memory[at..from].fill(0);
            let bytes = bytes + from - run.start;
            memory[from..to].copy_from_slice(&self.bytes()[bytes..bytes + to - from]);
            at = to;
        }
        memory[at..part.end].fill(0);
    }
}

/// Runs of pages that are not zero.
fn runs_of(memory: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, page) in memory.chunks(PAGE_BYTES).enumerate() {
        let start = index * PAGE_BYTES;
        if page.iter().all(|byte| *byte == 0) {
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.end == start => run.end += page.len(),
            _ => runs.push(start..start + page.len()),
        }
    }
    runs
}

/// The pages of a memory that may hold something else than what it began with; `None` where the kernel
/// does not tell, or they are too many.
unsafe fn written<'a>(
    place: Place,
    host: &Host,
    regions: &'a mut [Region; REGIONS_MAX],
) -> Option<&'a [Region]> {
    let count =
        unsafe { (host.written)(place.base, place.bytes, regions.as_mut_ptr(), REGIONS_MAX) };
    regions.get(..usize::try_from(count).ok()?)
}

/// The pages of a memory that runs have written so far. A page that none has written is not writable yet, so
/// the first write to it is a page fault of the thread: where it had none since the kernel was asked, these
/// are all. The kernel makes no other page writable by the way, as it would by taking small pages together.
pub struct Written {
    is_lasting: bool,
    /// How many faults the thread had had by then.
    faults: Option<u64>,
    regions: Vec<Region>,
}

impl Written {
    pub fn new(place: Place) -> Written {
        let has_small_pages =
            || unsafe { madvise(place.base.cast(), place.bytes, Advice::LinuxNoHugepage) }.is_ok();
        Written {
            is_lasting: place.bytes > LOOKED_THROUGH_BYTES && has_small_pages(),
            faults: None,
            regions: Vec::new(),
        }
    }

    /// `None` as for `written`.
    unsafe fn look(&mut self, place: Place, host: &Host) -> Option<&[Region]> {
        let faults = self.is_lasting.then(|| (host.page_faults)());
        if faults.is_none() || self.faults != faults {
            let mut regions = [Region::default(); REGIONS_MAX];
            let regions = unsafe { written(place, host, &mut regions) }?;
            self.regions.clear();
            self.regions.extend_from_slice(regions);
            self.faults = faults;
        }
        Some(&self.regions)
    }
}

/// Has the kernel drop the pages that were only read. They come back when they are read again, as they
/// were; until then no search for written pages has to pass them.
unsafe fn drop_unwritten(place: Place, host: &Host) {
    let mut regions = [Region::default(); REGIONS_MAX];
    let Some(regions) = (unsafe { written(place, host, &mut regions) }) else { return };
    let mut from = place.base as u64;
    let end = from + place.bytes as u64;
    for (to, next) in regions.iter().map(|region| (region.start, region.end)).chain([(end, end)]) {
        let bytes = to.saturating_sub(from) as usize;
        // Where it cannot, they stay.
        let _ = unsafe { madvise(from as *mut _, bytes, Advice::LinuxDontNeed) };
        from = next;
    }
}

/// Gives a memory its first content back: how many bytes may have been written. `None` where that is not
/// known: the memory is not to be used again then.
///
/// # Safety
/// The memory is there, and nothing else uses it.
pub unsafe fn renew(
    place: Place,
    image: &Image,
    written: &mut Written,
    host: &Host,
) -> Option<usize> {
    let regions = unsafe { written.look(place, host) }?;
    let memory = unsafe { std::slice::from_raw_parts_mut(place.base, place.bytes) };
    let base = place.base as u64;
    let mut bytes = 0;
    for region in regions {
        let offset = |address: u64| (address.saturating_sub(base) as usize).min(memory.len());
        let (start, end) = (offset(region.start), offset(region.end));
        image.restore(memory, start..end);
        bytes += end - start;
    }
    Some(bytes)
}
