// The engine alone: one function again and again on one core, as a worker runs it but with no HTTP,
// no contract and a warm cache. What a request costs beyond this is the server's. Of a component,
// one GET request and its response.
//
//   engine_floor FILE.wasm [--env KEY=VALUE]... [--stdin TEXT] [--snapshot cold|warm]
//                [--instances spare|fresh] [--seconds S | --runs N] [--expect TEXT]
//
// --snapshot starts each run from a snapshot, which is made first with the same stdin, and where it
// is warm with the same environment; of a component, by one request. Instances are those that
// earlier runs have left, where they can be, or with `--instances fresh` made for each run. --runs
// makes that many runs and no others, so that what a run takes can be counted: the instructions of
// N and of 2 N runs under callgrind differ by those of N runs.
//
// Prints one line of JSON: {"runs": N, "cpu_us_per_run": X}. CPU is user + system time of the whole
// process, the thread that ticks the epoch included. Exits with 1 when a run does not end well or
// prints something else than TEXT.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/guest.h"
#include "engine/http_task.h"
#include "engine/program.h"
#include "engine/snapshot.h"
#include "engine/snapshot_request.h"
#include "engine/stdio.h"
#include "engine/task.h"
#include "floor.h"

namespace funcd {
namespace {

constexpr std::uint64_t kWasmBytesMax = 256ULL << 20;
constexpr std::uint64_t kOutputBytesMax = 32ULL << 20;
constexpr std::chrono::seconds kTimeout{10};
constexpr std::chrono::milliseconds kWarmUp{300};
// Valgrind gives a process less to reserve than a pool of the usual size takes.
constexpr std::uint32_t kInstancesUnderValgrind = 8;
constexpr std::uint32_t kSpares = 2;

struct Options {
  std::string file;
  std::vector<std::string> env;
  double seconds = 3;
  std::uint64_t runs = 0;  // 0: as many as there is time for
  std::string expect;
  std::string stdin_text;
  std::string snapshot;  // "", "cold", "warm"
  bool has_spares = true;
};

Result<Options> parse(std::span<char*> arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (!name.starts_with("--")) {
      options.file = name;
      continue;
    }
    if (++i == arguments.size()) return fail("{}: needs a value", name);
    const std::string_view value = arguments[i];
    if (name == "--env") {
      options.env.emplace_back(value);
    } else if (name == "--expect") {
      options.expect = value;
    } else if (name == "--stdin") {
      options.stdin_text = value;
    } else if (name == "--snapshot" && (value == "cold" || value == "warm")) {
      options.snapshot = value;
    } else if (name == "--instances" && (value == "spare" || value == "fresh")) {
      options.has_spares = value == "spare";
    } else if (name == "--seconds") {
      options.seconds = TRY(bench::number_of<decltype(options.seconds)>(name, value));
    } else if (name == "--runs") {
      options.runs = TRY(bench::number_of<decltype(options.runs)>(name, value));
    } else {
      return fail(
          "{}: unknown option; known are --env, --stdin, --snapshot cold|warm, "
          "--instances spare|fresh, --seconds, --runs, --expect",
          name);
    }
  }
  if (options.file.empty()) {
    return fail(
        "usage: engine_floor FILE.wasm [--env K=V]... [--stdin TEXT] [--snapshot cold|warm] "
        "[--instances spare|fresh] [--seconds S | --runs N] [--expect TEXT]");
  }
  return options;
}

// The module that starts from what a run of it has left.
Result<std::vector<std::uint8_t>> snapshot_of(const engine::Engine& engine,
                                              std::span<const std::uint8_t> wasm,
                                              const Options& options) {
  const auto warm_up = options.snapshot == "warm" ? engine::WarmUp::one_call : engine::WarmUp::none;
  const auto build = TRY(engine::SnapshotBuild::create(engine, wasm, warm_up));
  if (engine::is_component(wasm)) {
    const auto left = engine::answer_blocking(build, engine::Task::SnapshotRun::build, {});
    if (!left.failure.empty()) return fail("{} failed: {}", build.last_call(), left.failure);
    return build.module({});
  }
  engine::RunInput input;
  input.input.args.add("function");
  input.stdin_bytes = options.stdin_text;
  if (warm_up == engine::WarmUp::one_call) {
    for (const std::string& entry : options.env) input.input.env.add(entry);
  }
  const auto left = build.run(input);
  if (left.ending.kind != engine::EndKind::returned) {
    return fail("{} failed: {}", build.last_call(), left.ending.message);
  }
  return build.module(left.asked);
}

struct Subject {
  engine::Program program;
  engine::TaskOptions options;
};

Result<Subject> load(const engine::Engine& engine, const Options& options,
                     engine::SpareInstances& spares) {
  auto wasm = TRY(read_file(options.file, kWasmBytesMax));
  engine::TaskOptions task_options;
  task_options.spares = &spares;
  if (engine::is_reactor(wasm)) task_options.entry = engine::kReactorEntry;
  if (!options.snapshot.empty()) {
    wasm = TRY(snapshot_of(engine, wasm, options));
    task_options.resumption = engine::Resumption::from_snapshot;
  }
  const auto code = TRY(engine.compile(wasm));
  return Subject{TRY(engine.load(code, engine::FileAccess::none)), task_options};
}

// One run, from nothing to its output.
Result<> run_once(const Subject& subject, const Options& options) {
  engine::GuestInput input;
  input.args.add("function");
  for (const std::string& entry : options.env) input.env.add(entry);
  engine::BufferedStdio stdio(options.stdin_text, kOutputBytesMax, kOutputBytesMax);
  engine::TaskLimits limits;
  limits.deadline = Clock::now() + kTimeout;
  engine::Task task(subject.program, std::move(input), stdio, limits, subject.options);
  for (;;) {
    const engine::Task::State state = task.poll();
    if (state == engine::Task::State::done) break;
    if (state == engine::Task::State::waiting)
      return fail("the guest waits for what this program does not serve");
    if (state == engine::Task::State::sleeping) std::this_thread::sleep_until(task.wake_at());
  }
  const engine::Ending& ending = task.ending();
  const bool has_exited_well = ending.kind == engine::EndKind::exited && ending.exit_code == 0;
  if (ending.kind != engine::EndKind::returned && !has_exited_well) {
    return fail("the guest failed: {} (exit code {})", ending.message, ending.exit_code);
  }
  if (!options.expect.empty() && stdio.out() != options.expect) {
    return fail("the guest printed '{}' instead of '{}'", stdio.out(), options.expect);
  }
  return {};
}

// One request to a component, from nothing to the last byte of its response.
Result<> answer_once(const Subject& subject, const Options& options) {
  constexpr std::array<engine::HttpRequestHead::Field, 2> kFields = {
      {{"host", "127.0.0.1:8000"}, {"accept", "*/*"}}};
  engine::BufferedStdio stdio("", kOutputBytesMax, kOutputBytesMax);
  engine::TaskLimits limits;
  limits.deadline = Clock::now() + kTimeout;
  const engine::HttpRequestHead head{
      .method = "GET", .authority = "127.0.0.1:8000", .path_with_query = "/", .fields = kFields};
  engine::HttpTask task(subject.program, head, stdio, limits, {.spares = subject.options.spares});
  std::string body;
  for (auto state = task.poll(); state != engine::HttpTask::State::done; state = task.poll()) {
    if (state == engine::HttpTask::State::waiting) {
      return fail("the guest waits for what this program does not serve");
    }
  }
  if (task.answer() != engine::HttpAnswer::head) {
    return fail("the guest did not answer: {}", task.ending().message);
  }
  const engine::HttpResponseHead response = task.take_head();
  if (task.take_body(body, kOutputBytesMax) != engine::HttpBody::end) {
    return fail("the response's body {}", task.body_error());
  }
  if (response.status != 200) return fail("the guest answered {}", response.status);
  if (!options.expect.empty() && body != options.expect) {
    return fail("the guest answered '{}' instead of '{}'", body, options.expect);
  }
  return {};
}

Result<> measure(const Options& options) {
  const auto engine =
      TRY(engine::Engine::create({.instances_max = options.runs > 0 ? kInstancesUnderValgrind : 0,
                                  .spare_instances_max = kSpares}));
  engine::SpareInstances spares(options.has_spares ? kSpares : 0);
  const auto subject = TRY(load(*engine, options, spares));
  const std::jthread ticker([&engine](const std::stop_token& stop) { engine->run_ticker(stop); });
  const auto warm_at = Clock::now() + kWarmUp;
  const bool is_component = subject.program.kind() == engine::ProgramKind::http_component;
  const auto run = is_component ? &answer_once : &run_once;
  while (options.runs == 0 && Clock::now() < warm_at) TRY(run(subject, options));

  const auto end = Clock::now() + std::chrono::duration<double>(options.seconds);
  const double cpu_before_us = bench::cpu_us();
  std::uint64_t runs = 0;
  while (options.runs > 0 ? runs < options.runs : Clock::now() < end) {
    TRY(run(subject, options));
    ++runs;
  }
  const double each_us = (bench::cpu_us() - cpu_before_us) / static_cast<double>(runs);
  fmt::print("{{\"runs\": {}, \"cpu_us_per_run\": {:.3f}}}\n", runs, each_us);
  return {};
}

}  // namespace
}  // namespace funcd

int main(int argc, char** argv) {
  return funcd::bench::run_floor("engine_floor", argc, argv, funcd::parse, funcd::measure);
}
