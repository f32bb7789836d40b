#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace funcd::engine {

// Not where a sanitizer has more memory of its own than any limit.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsCompilerMemoryBounded = false;
#else
inline constexpr bool kIsCompilerMemoryBounded = true;
#endif

// What compiling one artifact may take.
struct CompilerLimits {
  // Up to ten times that where others keep the processors busy.
  std::chrono::milliseconds timeout{120'000};
  std::uint64_t memory_bytes = 2ULL << 30;
};

// Compiles in a process of its own: what an artifact can make a compiler take of time and memory is
// bounded, it yields the processor to those who serve, and nothing of it stays behind. The process
// is this program again, started with compiler_arguments(). Thread-safe.
class CompilerProcess {
 public:
  // `executable`: what to start, "/proc/self/exe". `engine` outlives this.
  CompilerProcess(std::string executable, const Engine& engine, CompilerLimits limits)
      : executable_(std::move(executable)), engine_(engine), limits_(limits) {}

  // As Engine::compile(). Blocks the calling thread until it is done, as long as the limit allows;
  // ends at once with an error when stopped.
  [[nodiscard]] Result<std::vector<std::uint8_t>> compile(std::span<const std::uint8_t> wasm,
                                                          Tier tier,
                                                          const std::stop_token& stop) const;

 private:
  std::string executable_;
  const Engine& engine_;
  CompilerLimits limits_;
};

// The first argument of a process that is to be a compiler.
inline constexpr const char* kCompilerVerb = "compile-for-server";

// The process's own side: takes the artifact from descriptor 0, writes code to 1 or one line of
// error to 2, and returns the exit code. `arguments` are those behind the verb.
[[nodiscard]] int run_compiler(std::span<char* const> arguments);

}  // namespace funcd::engine
