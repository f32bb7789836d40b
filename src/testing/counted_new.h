#pragma once

// Replaces the global operator new of a test program by one that counts, for its whole life. For
// one file of the program: these are definitions.

#include <cstddef>
#include <cstdlib>
#include <new>

namespace funcd::testing {

// Of this thread, since it began.
inline thread_local std::size_t allocations = 0;

inline void* counted(std::size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace funcd::testing

void* operator new(std::size_t bytes) {
  return funcd::testing::counted(bytes);
}
void* operator new[](std::size_t bytes) {
  return funcd::testing::counted(bytes);
}
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return funcd::testing::counted(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
