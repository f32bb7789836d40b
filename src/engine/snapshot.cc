#include "engine/snapshot.h"

#include <algorithm>
#include <array>
#include <memory>
#include <thread>
#include <utility>

#include "engine/bridge_bytes.h"
#include "engine/stdio.h"
#include "engine/task.h"

namespace funcd::engine {
namespace {

constexpr std::uint64_t kStderrBytesMax = 64 << 10;

TaskLimits limits_of(const RunInput& input) {
  TaskLimits limits;
  limits.memory_bytes_max = input.memory_bytes_max;
  limits.deadline = limits.started_at + input.timeout;
  return limits;
}

BufferedStdio stdio_of(const RunInput& input) {
  return {input.stdin_bytes, input.output_bytes_max, kStderrBytesMax};
}

RunOutput finish(Task& task, BufferedStdio& stdio) {
  while (true) {
    switch (task.poll()) {
      case Task::State::done:
        return {task.ending(), std::move(stdio.out()), stdio.err(), task.asked()};
      case Task::State::runnable:
        break;
      case Task::State::sleeping:
      case Task::State::waiting:
        std::this_thread::sleep_until(task.wake_at());
        break;
    }
  }
}

}  // namespace

bool is_reactor(std::span<const std::uint8_t> wasm) {
  return fb_is_reactor(wasm.data(), wasm.size());
}

bool is_component(std::span<const std::uint8_t> wasm) {
  // The magic number, then version and layer; a module's layer is 0.
  constexpr std::array<std::uint8_t, 8> kBegin = {0, 'a', 's', 'm', 13, 0, 1, 0};
  return wasm.size() >= kBegin.size() && std::ranges::equal(wasm.first<kBegin.size()>(), kBegin);
}

Result<> may_snapshot(std::span<const std::uint8_t> wasm) {
  BridgeBytes error;
  if (fb_may_snapshot(wasm.data(), wasm.size(), error.out())) return {};
  return fail("{}", error.text());
}

std::uint32_t snapshot_recipe() {
  return fb_snapshot_recipe();
}

RunOutput run_blocking(const Program& program, const char* entry, Resumption resumption,
                       const RunInput& input) {
  auto stdio = stdio_of(input);
  Task task(program, input.input, stdio, limits_of(input),
            {.entry = entry, .resumption = resumption});
  return finish(task, stdio);
}

Result<SnapshotBuild> SnapshotBuild::create(const Engine& engine,
                                            std::span<const std::uint8_t> wasm, WarmUp warm_up,
                                            const CompileScratch& compile) {
  BridgeBytes error;
  std::unique_ptr<fb_snapshot_plan, decltype(&fb_snapshot_plan_delete)> plan(
      fb_snapshot_plan_new(wasm.data(), wasm.size(), warm_up == WarmUp::one_call, error.out()),
      &fb_snapshot_plan_delete);
  if (plan == nullptr) return fail("{}", error.text());
  BridgeBytes build;
  BridgeBytes plain;
  fb_snapshot_plan_take(plan.get(), build.out(), plain.out());
  const auto code_of = [&](const BridgeBytes& bytes) -> Result<std::vector<std::uint8_t>> {
    if (bytes.bytes().empty()) return {};
    return compile ? compile(bytes.bytes()) : engine.compile(bytes.bytes(), Tier::scratch);
  };
  const auto build_code = TRY(code_of(build));
  const auto plain_code = TRY(code_of(plain));
  fb_snapshot* snapshot =
      fb_snapshot_new(engine.engine_, plan.release(), build_code.data(), build_code.size(),
                      plain_code.data(), plain_code.size(), error.out());
  if (snapshot == nullptr) return fail("{}", error.text());
  return SnapshotBuild(snapshot, *engine.ticker_);
}

SnapshotBuild::SnapshotBuild(SnapshotBuild&& other) noexcept
    : snapshot_(std::exchange(other.snapshot_, nullptr)), ticker_(other.ticker_) {}

SnapshotBuild::~SnapshotBuild() {
  if (snapshot_ != nullptr) fb_snapshot_delete(snapshot_);
}

RunOutput SnapshotBuild::run(const RunInput& input) const {
  auto stdio = stdio_of(input);
  Task task(*this, Task::SnapshotRun::build, input.input, stdio, limits_of(input));
  return finish(task, stdio);
}

RunOutput SnapshotBuild::run_plain(const RunInput& input) const {
  auto stdio = stdio_of(input);
  Task task(*this, Task::SnapshotRun::plain, input.input, stdio, limits_of(input));
  return finish(task, stdio);
}

std::string SnapshotBuild::last_call() const {
  BridgeBytes name;
  fb_snapshot_last_call(snapshot_, name.out());
  return name.text();
}

Result<std::vector<std::uint8_t>> SnapshotBuild::module(const Asked& asked) const {
  std::uint32_t bits = 0;
  if (asked.clock) bits |= FB_ASKED_CLOCK;
  if (asked.random) bits |= FB_ASKED_RANDOM;
  if (asked.environment) bits |= FB_ASKED_ENVIRONMENT;
  BridgeBytes wasm;
  BridgeBytes error;
  if (!fb_snapshot_module(snapshot_, bits, wasm.out(), error.out()))
    return fail("{}", error.text());
  return std::vector<std::uint8_t>(wasm.bytes().begin(), wasm.bytes().end());
}

}  // namespace funcd::engine
