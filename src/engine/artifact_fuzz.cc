// An artifact of whoever may publish: nothing that reads it or rewrites it before the compiler has
// validated it ends the process, and what is made of a good one is good. Input: the artifact.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "base/check.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "engine/snapshot_request.h"
#include "testing/wasm_mutator.h"

namespace funcd::engine {
namespace {

using Wasm = std::span<const std::uint8_t>;

constexpr std::chrono::milliseconds kRunMax{20};
constexpr std::uint64_t kMemoryMax = 16 << 20;
constexpr std::uint64_t kOutputMax = 1 << 20;

const Engine& shared_engine() {
  static const auto engine = [] {
    auto made = Engine::create({.instances_max = 4, .memory_bytes_ceiling = kMemoryMax});
    CHECK(made.has_value(), "{}", made.error().message);
    return std::move(made).value();
  }();
  static const std::jthread ticker([](const std::stop_token& stop) { engine->run_ticker(stop); });
  return *engine;
}

// By either tier, each with what it rewrites. The optimizing compiler knows all that the other
// does.
void compile(Wasm wasm) {
  const auto baseline = shared_engine().compile(wasm, Tier::baseline);
  const auto optimized = shared_engine().compile(wasm);
  CHECK(!baseline || optimized, "{}", optimized.error().message);
}

// Whether its build has left what a snapshot is made of.
bool run(const SnapshotBuild& build, Wasm wasm, Asked& asked) {
  if (is_component(wasm)) {
    const RequestInput request{
        .memory_bytes_max = kMemoryMax, .body_bytes_max = kOutputMax, .timeout = kRunMax};
    return answer_blocking(build, Task::SnapshotRun::build, request).failure.empty();
  }
  const RunInput input{.input = {},
                       .stdin_bytes = "{}",
                       .memory_bytes_max = kMemoryMax,
                       .output_bytes_max = kOutputMax,
                       .timeout = kRunMax};
  const RunOutput left = build.run(input);
  asked = left.asked;
  return left.ending.kind == EndKind::returned;
}

void make_snapshot(Wasm wasm) {
  const bool may_warm_up = is_component(wasm) || is_reactor(wasm);
  const auto build =
      SnapshotBuild::create(shared_engine(), wasm, may_warm_up ? WarmUp::one_call : WarmUp::none);
  Asked asked;
  if (!build || !run(*build, wasm, asked)) return;
  const auto resumed = build->module(asked);
  if (!resumed) return;
  const auto code = shared_engine().compile(*resumed);
  CHECK(code.has_value(), "the snapshot: {}", code.error().message);
}

}  // namespace
}  // namespace funcd::engine

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace funcd::engine;  // NOLINT: one function
  compile({data, size});
  make_snapshot({data, size});
  return 0;
}

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  const auto changed = funcd::testing::WasmMutator(seed).change({data, size});
  const std::size_t changed_size = std::min(changed.size(), size_max);
  std::copy_n(changed.begin(), changed_size, data);
  return changed_size;
}
