// How a slot of memory is made fresh again, mended: see pagemap_scan.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace funcd::engine {

// Pages that were written, one after the other; of linux/fs.h.
struct PageRegion {
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t categories;
};

// Makes of regions in ascending order `regions_max` at the most, in place, by taking together those
// that have the least between them, which is `gap_bytes_max` in sum at the most. Where that does
// not do, the last ones are left out. Returns how many there are; takes 128.
[[nodiscard]] std::size_t merge_regions(std::span<PageRegion> regions, std::size_t regions_max,
                                        std::uint64_t gap_bytes_max);

// While there are descriptors to be had; else written_regions() does.
void open_pagemap();

// The pages of a memory that may hold something else than what they began with, zeros or a file's
// content, in `regions`: how many of these, or -1 when the kernel does not tell, or they are more.
[[nodiscard]] std::int64_t written_regions(std::span<const std::uint8_t> memory,
                                           std::span<PageRegion> regions);

// How many page faults this thread has had. A page that it writes to for the first time is one.
[[nodiscard]] std::uint64_t page_faults();

// Whether Wasmtime's scans of dirty pages pass through here. When they do not although it scans,
// what one guest has written could be read by another.
[[nodiscard]] bool are_pagemap_scans_seen();

}  // namespace funcd::engine
