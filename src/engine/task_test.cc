#include "engine/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "engine/engine_fixture.h"

namespace funcd::engine {
namespace {

using std::chrono::milliseconds;

// One engine for all tests of this program: making one maps terabytes of address space.
Engine& shared_engine() {
  static const auto engine = new_engine({.instances_max = 64});
  return *engine;
}

Program program_of(std::string_view text, FileAccess files = FileAccess::none) {
  return program_of(shared_engine(), text, files);
}

// A module whose _start has `body` and calls the usual imports; 1 page of memory.
std::string module_with(const std::string& body, const std::string& extra = "") {
  return R"((module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
    (memory (export "memory") 1)
    (table 1 funcref)
    )" + extra +
         "(func (export \"_start\") " + body + "))";
}

// Prints `size` bytes of memory at `offset`.
std::string print(int offset, int size) {
  return fmt::format(
      "(i32.store (i32.const 16) (i32.const {})) (i32.store (i32.const 20) (i32.const {}))"
      "(drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))",
      offset, size);
}

struct GuestRun {
  Ending ending;
  std::string out;
  std::string err;
  int slices = 0;
};

GuestRun run(const Program& program, GuestInput input = {}, TaskLimits limits = {},
             TaskOptions options = {}, std::string_view stdin_bytes = {}) {
  const std::jthread ticker([](const std::stop_token& stop) { shared_engine().run_ticker(stop); });
  BufferedStdio stdio(stdin_bytes, 1 << 20, 1024);
  Task task(program, std::move(input), stdio, limits, options);
  GuestRun run;
  for (Task::State state = task.poll(); state != Task::State::done; state = task.poll()) {
    ++run.slices;
    if (state == Task::State::sleeping) std::this_thread::sleep_until(task.wake_at());
    if (state == Task::State::waiting) std::this_thread::yield();
  }
  run.ending = task.ending();
  run.out = stdio.out();
  run.err = stdio.err();
  return run;
}

TEST(Task, PrintsAndReturns) {
  const auto program = program_of(module_with(print(64, 5), "(data (i32.const 64) \"hello\")"));
  const GuestRun result = run(program);
  EXPECT_EQ(result.ending.kind, EndKind::returned);
  EXPECT_EQ(result.out, "hello");
  EXPECT_EQ(result.slices, 0);
}

TEST(Task, ExitCarriesItsCode) {
  const GuestRun result =
      run(program_of(module_with("(call $proc_exit (i32.const 3)) unreachable")));
  EXPECT_EQ(result.ending.kind, EndKind::exited);
  EXPECT_EQ(result.ending.exit_code, 3);
}

TEST(Task, TrapNamesItsCauseAndFrames) {
  const GuestRun result = run(program_of(module_with("call $deep", "(func $deep unreachable)")));
  EXPECT_EQ(result.ending.kind, EndKind::trapped);
  EXPECT_THAT(result.ending.message, testing::HasSubstr("unreachable"));
  EXPECT_THAT(result.ending.trace, testing::HasSubstr("deep"));
}

TEST(Task, EnvironmentArrivesAsGiven) {
  GuestInput input;
  input.env.add("DATA", "{\"age\":20}");
  input.env.add("NUL", std::string_view("a\0b", 3));
  const auto program =
      program_of(module_with("(drop (call $environ_sizes_get (i32.const 0) (i32.const 4)))"
                             "(drop (call $environ_get (i32.const 128) (i32.const 256)))" +
                             print(0, 8) + print(128, 8) + print(256, 22)));
  const GuestRun result = run(program, std::move(input));
  const std::string sizes("\2\0\0\0\26\0\0\0", 8);
  const std::string pointers("\0\1\0\0\20\1\0\0", 8);
  EXPECT_EQ(result.out, sizes + pointers + std::string("DATA={\"age\":20}\0NUL=a\0", 22));
}

TEST(Task, ANulEndsAStringWhereverItStands) {
  StringBlock block;
  block.add(std::string_view("a\0b", 3));
  block.add(std::string_view("K\0", 2), "v");
  block.add("X", {std::string_view("1\0", 2), "2"});
  block.add("Y", {"1", "", "2"});
  EXPECT_THAT(block.strings(), testing::ElementsAre("a", "K", "X=1", "Y=12"));
  EXPECT_EQ(block.count(), 4U);
}

TEST(Task, WhetherAProgramCanAskForItsEnvironmentIsKnown) {
  const auto importing = [](std::string_view name) {
    return program_of(fmt::format(
        R"((module (import "wasi_snapshot_preview1" "{}" (func (param i32 i32) (result i32)))
             (func (export "_start"))))",
        name));
  };
  EXPECT_TRUE(importing("environ_get").asks_for_environment());
  EXPECT_TRUE(importing("environ_sizes_get").asks_for_environment());
  EXPECT_TRUE(importing("args_get").asks_for_environment());
  EXPECT_FALSE(importing("random_get").asks_for_environment());
}

TEST(Task, ReadsStdin) {
  const auto program = program_of(module_with(
      "(i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 32))"
      "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))" +
      print(64, 4)));
  EXPECT_EQ(run(program, {}, {}, {}, "body").out, "body");
}

TEST(Task, TightLoopYieldsAndEndsAtItsDeadline) {
  const auto program = program_of(module_with("(loop $l br $l)"));
  const TimePoint begin = Clock::now();
  TaskLimits limits;
  limits.deadline = begin + milliseconds(50);
  const GuestRun result = run(program, {}, limits);
  EXPECT_EQ(result.ending.kind, EndKind::time_limit);
  EXPECT_GT(result.slices, 5);
  EXPECT_LT(Clock::now() - begin, milliseconds(500));
}

std::string sleep_for(std::int64_t nanoseconds) {
  return fmt::format(
      "(i64.store (i32.const 512) (i64.const 7)) (i32.store8 (i32.const 520) (i32.const 0))"
      "(i32.store (i32.const 528) (i32.const 1)) (i64.store (i32.const 536) (i64.const {}))"
      "(drop (call $poll_oneoff (i32.const 512) (i32.const 640) (i32.const 1) (i32.const 700)))",
      nanoseconds);
}

TEST(Task, SleepSuspendsTheGuestNotTheThread) {
  const auto program = program_of(module_with(sleep_for(30'000'000) + print(700, 1)));
  const TimePoint begin = Clock::now();
  const GuestRun result = run(program);
  EXPECT_GE(Clock::now() - begin, milliseconds(30));
  EXPECT_EQ(result.slices, 1);
  EXPECT_EQ(result.out, "\1");
}

TEST(Task, SleepEndsAtTheDeadline) {
  const auto program = program_of(module_with(sleep_for(3'600'000'000'000)));
  TaskLimits limits;
  limits.deadline = Clock::now() + milliseconds(20);
  EXPECT_EQ(run(program, {}, limits).ending.kind, EndKind::time_limit);
}

TEST(Task, YieldLetsOthersRunOnce) {
  EXPECT_EQ(run(program_of(module_with("(drop (call $sched_yield))"))).slices, 1);
}

TEST(Task, LargeRandomReadsComeInSlices) {
  const auto program =
      program_of(module_with("(drop (memory.grow (i32.const 31)))"
                             "(drop (call $random_get (i32.const 0) (i32.const 2097152)))" +
                             print(2097000, 8)));
  const GuestRun result = run(program);
  EXPECT_EQ(result.slices, 7);
  EXPECT_NE(result.out, std::string(8, '\0'));
}

TEST(Task, MemoryGrowthStopsAtItsLimit) {
  // Grows page by page until refused, then traps as a C program out of memory would.
  const auto program = program_of(module_with(
      "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"));
  TaskLimits limits;
  limits.memory_bytes_max = 10 << 16;
  const GuestRun result = run(program, {}, limits);
  EXPECT_EQ(result.ending.kind, EndKind::memory_limit);
}

TEST(Task, RefusedGrowthIsNotAFailureByItself) {
  const auto program =
      program_of(module_with("(drop (memory.grow (i32.const 60000)))" + print(0, 1)));
  EXPECT_EQ(run(program).ending.kind, EndKind::returned);
}

TEST(Task, MemoryOverTheLimitDoesNotStart) {
  TaskLimits limits;
  limits.memory_bytes_max = 1 << 15;
  EXPECT_EQ(run(program_of(module_with("")), {}, limits).ending.kind, EndKind::memory_limit);
}

TEST(Task, TableGrowthStopsAtItsLimit) {
  const auto program = program_of(
      module_with("(if (i32.eq (table.grow 0 (ref.null func) (i32.const 50000000)) (i32.const -1))"
                  "(then unreachable))"));
  EXPECT_EQ(run(program).ending.kind, EndKind::memory_limit);
}

TEST(Task, EndlessOutputStops) {
  const auto program = program_of(module_with(fmt::format("(loop $l {} br $l)", print(0, 60000))));
  EXPECT_EQ(run(program).ending.kind, EndKind::output_limit);
}

TEST(Task, StackOverflowIsATrap) {
  const auto program = program_of(module_with("call $f", "(func $f (call $f) (call $f))"));
  const GuestRun result = run(program);
  EXPECT_EQ(result.ending.kind, EndKind::trapped);
  EXPECT_THAT(result.ending.message, testing::HasSubstr("stack"));
}

TEST(Task, FreshInstanceSeesNothingOfTheOneBefore) {
  const auto program = program_of(
      module_with(print(1000, 8) + "(memory.fill (i32.const 1000) (i32.const 65) (i32.const 8))"));
  for (int round = 0; round < 200; ++round) {
    ASSERT_EQ(run(program).out, std::string(8, '\0')) << round;
  }
}

TEST(Task, HostilePointersTrap) {
  for (const char* call : {
           "(drop (call $fd_write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 0)))",
           "(drop (call $fd_write (i32.const 1) (i32.const 65532) (i32.const 1) (i32.const 0)))",
           "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 65533)))",
           "(drop (call $environ_get (i32.const 65536) (i32.const 0)))",
           "(drop (call $random_get (i32.const 65000) (i32.const -1)))",
           "(drop (call $poll_oneoff (i32.const 65500) (i32.const 0) (i32.const 1) (i32.const 0)))",
           "(drop (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 4000) (i32.const 0)))",
           "(drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 3)))",
       }) {
    GuestInput input;
    input.env.add("A=B");
    const GuestRun result = run(program_of(module_with(call)), std::move(input));
    EXPECT_EQ(result.ending.kind, EndKind::trapped) << call;
    EXPECT_THAT(result.ending.message, testing::HasSubstr("pointer")) << call;
  }
}

TEST(Task, DroppedWhileItSleepsFreesItsInstance) {
  const auto program = program_of(module_with(sleep_for(3'600'000'000'000)));
  // More than the pool holds, one after the other.
  for (int round = 0; round < 200; ++round) {
    BufferedStdio stdio({}, 0, 0);
    Task task(program, {}, stdio, {}, {});
    ASSERT_EQ(task.poll(), Task::State::sleeping);
  }
}

TEST(Task, PoolThatIsFullIsAFailureWithAReason) {
  const auto program = program_of(module_with(sleep_for(3'600'000'000'000)));
  BufferedStdio stdio({}, 0, 0);
  std::vector<std::unique_ptr<Task>> sleepers;
  for (int count = 0; count < 64; ++count) {
    sleepers.push_back(
        std::make_unique<Task>(program, GuestInput{}, stdio, TaskLimits{}, TaskOptions{}));
    ASSERT_EQ(sleepers.back()->poll(), Task::State::sleeping);
  }
  Task one_more(program, {}, stdio, {}, {});
  ASSERT_EQ(one_more.poll(), Task::State::done);
  EXPECT_EQ(one_more.ending().kind, EndKind::exhausted);
  EXPECT_THAT(one_more.ending().message, testing::HasSubstr("limit"));
}

TEST(Task, WasmtimesFilesServeMountsAndStdio) {
  const auto program =
      program_of(module_with(print(64, 5) + "(call $proc_exit (i32.const 4)) unreachable",
                             "(data (i32.const 64) \"hello\")"),
                 FileAccess::mounts);
  const GuestRun result = run(program);
  EXPECT_EQ(result.ending.kind, EndKind::exited);
  EXPECT_EQ(result.ending.exit_code, 4);
  EXPECT_EQ(result.out, "hello");
}

TEST(Engine, ProbeTellsWhyAModuleCannotStart) {
  const auto program = program_of("(module (func $f unreachable) (start $f))");
  const auto probed = shared_engine().probe(program, 1 << 20);
  ASSERT_FALSE(probed.has_value());
  EXPECT_THAT(probed.error().message, testing::HasSubstr("unreachable"));
}

TEST(Engine, UnknownImportIsNamed) {
  const auto wasm = Engine::wasm_from_text("(module (import \"env\" \"f\" (func)))");
  const auto code = shared_engine().compile(*wasm);
  const auto program = shared_engine().load(*code, FileAccess::none);
  ASSERT_FALSE(program.has_value());
  EXPECT_THAT(program.error().message, testing::HasSubstr("env::f"));
}

TEST(Engine, TruncatedModuleIsAnError) {
  auto wasm = *Engine::wasm_from_text(module_with(""));
  wasm.resize(wasm.size() / 2);
  EXPECT_FALSE(shared_engine().compile(wasm).has_value());
}

TEST(Engine, ProgramsThatTheKernelCannotMapAreRefused) {
  const auto wasm = Engine::wasm_from_text("(module)");
  const auto code = shared_engine().compile(*wasm);
  ASSERT_TRUE(code.has_value());
  const auto engine = Engine::create({.instances_max = 16, .programs_max = 3});
  ASSERT_TRUE(engine.has_value()) << engine.error().message;
  std::vector<Program> programs;
  for (std::uint32_t count = 0; count < 3; ++count) {
    auto program = (*engine)->load(*code, FileAccess::none);
    ASSERT_TRUE(program.has_value()) << program.error().message;
    programs.push_back(std::move(*program));
  }
  const auto one_more = (*engine)->load(*code, FileAccess::none);
  ASSERT_FALSE(one_more.has_value());
  EXPECT_THAT(one_more.error().message, testing::HasSubstr("vm.max_map_count"));
  programs.pop_back();
  EXPECT_TRUE((*engine)->load(*code, FileAccess::none).has_value());
}

TEST(Engine, MoreInstancesThanTheKernelMapsAreRefused) {
  const auto engine = Engine::create({.instances_max = 1'000'000});
  ASSERT_FALSE(engine.has_value());
  EXPECT_THAT(engine.error().message, testing::HasSubstr("vm.max_map_count"));
}

}  // namespace
}  // namespace funcd::engine
