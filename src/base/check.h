#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace funcd {

// Ends the process after printing where and why. For our own bugs only: bad input is a Result.
[[noreturn]] inline void check_failed(const char* file, int line, const char* condition,
                                      const std::string& values) {
  fmt::print(stderr, "{}:{}: CHECK({}) failed{}{}\n", file, line, condition,
             values.empty() ? "" : ": ", values);
  std::abort();
}

}  // namespace funcd

// CHECK(condition) or CHECK(condition, "fd {} of {}", fd, count).
#define CHECK(condition, ...)                                                     \
  do {                                                                            \
    if (!(condition)) [[unlikely]] {                                              \
      ::funcd::check_failed(__FILE__, __LINE__, #condition,                       \
                            std::string(__VA_OPT__(::fmt::format(__VA_ARGS__)))); \
    }                                                                             \
  } while (false)
