#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"

namespace funcd {

// For tests: memory of whole pages between two that nobody may touch, so that one byte too far ends
// the process.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t size)
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))), size_(size) {
    CHECK(size % page_ == 0, "{} bytes", size);
    void* mapped = ::mmap(nullptr, size + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapped != MAP_FAILED);
    base_ = static_cast<std::uint8_t*>(mapped);
    CHECK(size == 0 || ::mprotect(data(), size, PROT_READ | PROT_WRITE) == 0);
  }
  ~GuardedMemory() { ::munmap(base_, size_ + 2 * page_); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  [[nodiscard]] std::uint8_t* data() const { return base_ + page_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<std::uint8_t> bytes() const { return {data(), size_}; }

 private:
  std::size_t page_;
  std::size_t size_;
  std::uint8_t* base_ = nullptr;
};

}  // namespace funcd
