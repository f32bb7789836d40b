// Wasmtime asks the kernel which pages a guest has written (PAGEMAP_SCAN) and writes their first
// content back, so that the next guest in the slot finds none of it. It asks for written pages that
// are *present*. A page that the kernel has swapped out, or is just moving to another place in
// memory, is not: it would keep what the guest wrote, for the next guest to read. Wasmtime's
// repository has this as pull request 14357.
//
// All programs are linked with --wrap=ioctl (cmake/bridge.cmake), which brings each call of ioctl()
// here; a scan is made to ask for written pages that are present or swapped, which is what the
// kernel calls both kinds.
#include "engine/pagemap_scan.h"

#include <sys/ioctl.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>

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
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArgument);
constexpr std::uint64_t kPresent = 1U << 3U;
constexpr std::uint64_t kSwapped = 1U << 4U;

std::atomic<bool> is_seen{false};

void ask_for_all_written(ScanArgument& scan) {
  if (!is_seen.load(std::memory_order_relaxed)) is_seen.store(true, std::memory_order_relaxed);
  const bool asks_for_present = (scan.category_mask & (kPresent | kSwapped)) == kPresent;
  const bool is_inverted = (scan.category_inverted & (kPresent | kSwapped)) != 0;
  if (!asks_for_present || is_inverted || scan.category_anyof_mask != 0) return;
  scan.category_mask &= ~kPresent;
  scan.category_anyof_mask = kPresent | kSwapped;
}

}  // namespace

bool are_pagemap_scans_seen() {
  return is_seen.load(std::memory_order_relaxed);
}

}  // namespace funcd::engine

// NOLINTBEGIN(readability-identifier-naming): the linker's names.
extern "C" int __real_ioctl(int descriptor, unsigned long request, void* argument);

extern "C" int __wrap_ioctl(int descriptor, unsigned long request, ...) {
  std::va_list rest;
  va_start(rest, request);
  void* const argument = va_arg(rest, void*);
  va_end(rest);
  using namespace funcd::engine;  // NOLINT: one function
  if (request == kPagemapScan) ask_for_all_written(*static_cast<ScanArgument*>(argument));
  return __real_ioctl(descriptor, request, argument);
}
// NOLINTEND(readability-identifier-naming)
