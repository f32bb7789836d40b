#pragma once

#include <sys/resource.h>

#include <charconv>
#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"

// What the floors have in common.
namespace funcd::bench {

// User + system time of the process so far.
inline double cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

// An option's value.
template <class Number>
Result<Number> number_of(std::string_view name, std::string_view text) {
  Number value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec == std::errc{} && read.ptr == text.data() + text.size()) return value;
  return fail("{} {}: no number", name, text);
}

// The body of a main: 2 for wrong usage, 1 for what could not be measured.
template <class Options>
int run_floor(std::string_view program, int argc, char** argv,
              Result<Options> (*parse)(std::span<char*> arguments),
              Result<> (*measure)(const Options& options)) {
  const auto options = parse({argv + 1, static_cast<std::size_t>(argc - 1)});
  const auto done = options ? measure(*options) : Result<>(fail(options.error()));
  if (done) return 0;
  fmt::print(stderr, "{}: {}\n", program, done.error().message);
  return options ? 1 : 2;
}

}  // namespace funcd::bench
