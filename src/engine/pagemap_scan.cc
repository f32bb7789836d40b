// Wasmtime asks the kernel which pages a guest has written (PAGEMAP_SCAN) and writes their first
// content back, so that the next guest in the slot finds none of it. It asks for written pages that
// are *present*. A page that the kernel has swapped out, or is just moving to another place in
// memory, is not: it would keep what the guest wrote, for the next guest to read. Wasmtime's
// repository has this as pull request 14357.
//
// It also takes 32 regions of written pages at the most, and drops all pages behind the 32nd, which
// the next guest then faults in again one by one. A guest that writes here and there over a large
// memory, as JavaScript's engine does, pays for that with each run. So the regions with the least
// between them are reported as one: some pages that were not written are written back as well, and
// none is dropped.
//
// All programs are linked with --wrap=ioctl (cmake/bridge.cmake), which brings each call of ioctl()
// here; a scan is made to ask for written pages that are present or swapped, which is what the
// kernel calls both kinds.
#include "engine/pagemap_scan.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdint>

#include "base/check.h"
#include "base/descriptor.h"

// NOLINTNEXTLINE(readability-identifier-naming): the linker's name.
extern "C" int __real_ioctl(int descriptor, unsigned long request, void* argument);

namespace funcd::engine {
namespace {

// Of linux/fs.h since 6.7: PAGEMAP_SCAN(2const).
struct ScanArgument {
  std::uint64_t size;
  std::uint64_t flags;
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t walk_end;
  std::uint64_t vec;
  std::uint64_t vec_len;
  std::uint64_t max_pages;
  std::uint64_t category_inverted;
  std::uint64_t category_mask;
  std::uint64_t category_anyof_mask;
  std::uint64_t return_mask;
};
// More than these are not looked at; the pages behind them are dropped.
constexpr std::size_t kRegionsMax = 128;
// What is written back between regions although it was not written, at the most. To fault a page in
// costs as much as to copy several.
constexpr std::uint64_t kGapBytesMax = 512 << 10;
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArgument);
constexpr std::uint64_t kWritten = 1U << 1U;
constexpr std::uint64_t kFile = 1U << 2U;
constexpr std::uint64_t kPresent = 1U << 3U;
constexpr std::uint64_t kSwapped = 1U << 4U;
constexpr std::uint64_t kZeroPage = 1U << 5U;

std::atomic<bool> is_seen{false};

int pagemap() {
  static const Descriptor kPagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  return kPagemap.get();
}

void ask_for_all_written(ScanArgument& scan) {
  if (!is_seen.load(std::memory_order_relaxed)) is_seen.store(true, std::memory_order_relaxed);
  const bool asks_for_present = (scan.category_mask & (kPresent | kSwapped)) == kPresent;
  const bool is_inverted = (scan.category_inverted & (kPresent | kSwapped)) != 0;
  if (!asks_for_present || is_inverted || scan.category_anyof_mask != 0) return;
  scan.category_mask &= ~kPresent;
  scan.category_anyof_mask = kPresent | kSwapped;
}

}  // namespace

std::size_t merge_regions(std::span<PageRegion> regions, std::size_t regions_max,
                          std::uint64_t gap_bytes_max) {
  const std::size_t count = regions.size();
  if (count <= regions_max || regions_max == 0) return std::min(count, regions_max);
  std::array<std::uint64_t, kRegionsMax> gaps{};
  CHECK(count <= gaps.size(), "{} regions", count);
  for (std::size_t i = 1; i < count; ++i) gaps[i - 1] = regions[i].start - regions[i - 1].end;
  const auto merged = static_cast<std::ptrdiff_t>(count - regions_max);
  std::nth_element(gaps.begin(), gaps.begin() + merged - 1,
                   gaps.begin() + static_cast<std::ptrdiff_t>(count) - 1);
  const std::uint64_t widest = gaps[static_cast<std::size_t>(merged) - 1];

  std::size_t last = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 1; i < count; ++i) {
    const std::uint64_t gap = regions[i].start - regions[last].end;
    if (gap <= widest && bytes + gap <= gap_bytes_max) {
      bytes += gap;
      regions[last].end = regions[i].end;
    } else if (last + 1 == regions_max) {
      break;
    } else {
      regions[++last] = regions[i];
    }
  }
  return last + 1;
}

void open_pagemap() {
  (void)pagemap();
}

std::int64_t written_regions(std::span<const std::uint8_t> memory, std::span<PageRegion> regions) {
  if (memory.empty()) return 0;
  ScanArgument scan{};
  scan.size = sizeof(scan);
  scan.start = reinterpret_cast<std::uint64_t>(memory.data());  // NOLINT: the kernel's way
  scan.end = scan.start + memory.size();
  scan.vec = reinterpret_cast<std::uint64_t>(regions.data());  // NOLINT: the kernel's way
  scan.vec_len = regions.size();
  scan.category_inverted = kFile | kZeroPage;
  scan.category_mask = kWritten | kFile | kZeroPage;
  scan.category_anyof_mask = kPresent | kSwapped;
  const int found = __real_ioctl(pagemap(), kPagemapScan, &scan);
  return found < 0 || scan.walk_end != scan.end ? -1 : found;
}

std::uint64_t page_faults() {
  rusage usage{};
  CHECK(::getrusage(RUSAGE_THREAD, &usage) == 0);
  return static_cast<std::uint64_t>(usage.ru_minflt) + static_cast<std::uint64_t>(usage.ru_majflt);
}

bool are_pagemap_scans_seen() {
  return is_seen.load(std::memory_order_relaxed);
}

}  // namespace funcd::engine

// NOLINTBEGIN(readability-identifier-naming): the linker's names.
extern "C" int __wrap_ioctl(int descriptor, unsigned long request, ...) {
  std::va_list rest;
  va_start(rest, request);
  void* const argument = va_arg(rest, void*);
  va_end(rest);
  using namespace funcd::engine;  // NOLINT: one function
  if (request != kPagemapScan) return __real_ioctl(descriptor, request, argument);
  auto& scan = *static_cast<ScanArgument*>(argument);
  ask_for_all_written(scan);
  if (scan.vec_len == 0 || scan.vec_len >= kRegionsMax) {
    return __real_ioctl(descriptor, request, argument);
  }

  std::array<PageRegion, kRegionsMax> regions;  // NOLINT: the kernel writes those that it counts
  ScanArgument whole = scan;
  whole.vec = reinterpret_cast<std::uint64_t>(regions.data());  // NOLINT: the kernel's way
  whole.vec_len = regions.size();
  const int found = __real_ioctl(descriptor, request, &whole);
  scan.walk_end = whole.walk_end;
  if (found <= 0) return found;
  const std::span all(regions.data(), static_cast<std::size_t>(found));
  const std::uint64_t end = all.back().end;
  const std::size_t kept = merge_regions(all, scan.vec_len, kGapBytesMax);
  // Where not all could be kept, the walk is one that has ended there.
  if (all[kept - 1].end != end) scan.walk_end = all[kept - 1].end;
  std::ranges::copy(all.first(kept), reinterpret_cast<PageRegion*>(scan.vec));  // NOLINT: its way
  return static_cast<int>(kept);
}
// NOLINTEND(readability-identifier-naming)
