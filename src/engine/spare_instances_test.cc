// An instance that another run has left is what a fresh one is: of modules.

#include "engine/spare_instances.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "engine/http_fixture.h"
#include "engine/spare_fixture.h"

namespace funcd::engine {
namespace {

using testing::HasSubstr;

// Exits with 7 unless all of its state is as its text says, after it has changed it.
constexpr std::string_view kSoils = R"((memory (export "memory") 3)
  (data (i32.const 70000) "\05")
  {}
  (global $i (mut i32) (i32.const 41)) (global $l (mut i64) (i64.const -2))
  (global $f (mut f32) (f32.const 1.5)) (global $d (mut f64) (f64.const -0.5))
  (global $v (mut v128) (v128.const i64x2 7 0))
  (func $check (param i32) (if (i32.eqz (local.get 0)) (then (call $exit (i32.const 7)))))
  (func $sum (result i32) (local $at i32) (local $sum i32)
    (loop $more
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $at) (i32.const 196608))))
    (local.get $sum))
  (func (export "{}")
    (call $check (i32.eq (call $sum) (i32.const {})))
    (call $check (i32.eq (i32.load8_u (i32.const 70000)) (i32.const 5)))
    (call $check (i32.eq (global.get $i) (i32.const 41)))
    (call $check (i64.eq (global.get $l) (i64.const -2)))
    (call $check (f32.eq (global.get $f) (f32.const 1.5)))
    (call $check (f64.eq (global.get $d) (f64.const -0.5)))
    (call $check (i64.eq (i64x2.extract_lane 0 (global.get $v)) (i64.const 7)))
    (memory.fill (i32.const 4000) (i32.const 9) (i32.const 9000))
    (i32.store8 (i32.const 70000) (i32.const 6)) (i32.store8 (i32.const 196607) (i32.const 6))
    (global.set $i (i32.const 1)) (global.set $l (i64.const 1)) (global.set $f (f32.const 1))
    (global.set $d (f64.const 1)) (global.set $v (v128.const i64x2 1 1))
    {}))";

// More segments than are filled: a memory that begins with them is mapped.
std::string many_segments() {
  constexpr int kSegments = 17;
  std::string segments;
  for (int i = 0; i < kSegments; ++i) segments += R"((data (i32.const 9000) "\01"))";
  return segments;
}

std::string soils(std::string_view entry, std::string_view ending, bool is_mapped = false) {
  return fmt::format(kSoils, is_mapped ? many_segments() : "", entry, is_mapped ? 6 : 5, ending);
}

TEST_F(SpareInstancesTest, ACommandFindsNothingOfTheOneBefore) {
  for (const bool is_mapped : {false, true}) {
    const Program program = program_of(soils("_start", "", is_mapped));
    for (int i = 0; i < 10; ++i) {
      const Ending ending = run(program);
      ASSERT_EQ(ending.kind, EndKind::returned) << i << ": " << ending.exit_code << ending.message;
    }
  }
  EXPECT_EQ(spares_.sweep(), 2U);
}

// Of pages that begin with something each, one alone is written.
TEST_F(SpareInstancesTest, APageGetsItsOwnContentBack) {
  const Program program = program_of(fmt::format(R"((memory (export "memory") 1)
    {} (data (i32.const 5000) "\05")
    (func (export "_start")
      (if (i64.ne (i64.load (i32.const 9000)) (i64.const 1)) (then (call $exit (i32.const 7))))
      (if (i64.ne (i64.load (i32.const 9096)) (i64.const 0)) (then (call $exit (i32.const 8))))
      (i32.store (i32.const 9000) (i32.const 9))))",
                                                 many_segments()));
  for (int i = 0; i < 3; ++i) {
    const Ending ending = run(program);
    ASSERT_EQ(ending.kind, EndKind::returned) << i << ": " << ending.exit_code << ending.message;
  }
  EXPECT_EQ(spares_.sweep(), 1U);
}

// Each run reads all of a large memory, and writes to a page that it draws by lot: soon enough none
// that it had not before, so that the kernel need not be asked any more.
TEST_F(SpareInstancesTest, APageThatNoneBeforeHasWrittenIsCleanedToo) {
  constexpr int kRuns = 1'000;
  for (const bool is_mapped : {false, true}) {
    const Program program = component_of(fmt::format(R"((module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (memory (export "memory") 32) {}
      (func (export "_start") (local $at i32)
        (loop $more
          (if (i32.load offset=2048 (local.get $at)) (then (call $exit (i32.const 7))))
          (local.set $at (i32.add (local.get $at) (i32.const 4096)))
          (br_if $more (i32.lt_u (local.get $at) (i32.const 2097152))))
        (drop (call $random (i32.const 16) (i32.const 4)))
        (i32.store offset=2048
          (i32.mul (i32.and (i32.load (i32.const 16)) (i32.const 511)) (i32.const 4096))
          (i32.const 1)))))",
                                                     is_mapped ? many_segments() : ""));
    for (int i = 0; i < kRuns; ++i) {
      const Ending ending = run(program);
      ASSERT_EQ(ending.kind, EndKind::returned) << i << ": " << ending.exit_code << ending.message;
    }
  }
  EXPECT_EQ(spares_.sweep(), 2U);
}

// Of this process, in KiB: proc(5).
std::uint64_t mapped_from_files() {
  std::ifstream status("/proc/self/status");
  std::uint64_t sum = 0;
  for (std::string field; status >> field;) {
    std::uint64_t kib = 0;
    if ((field == "RssFile:" || field == "RssShmem:") && status >> kib) sum += kib;
  }
  return sum;
}

// A search for written pages would have to pass it after each run.
TEST_F(SpareInstancesTest, WhatNoRunReadsIsNotMapped) {
  constexpr std::size_t kBytes = 2 << 20;
  const Program program =
      program_of(fmt::format(R"((memory (export "memory") 64) (data (i32.const 65536) "{}")
        (func (export "_start") (drop (i32.load (i32.const 65536)))))",
                             std::string(kBytes, 'x')));
  const std::uint64_t before = mapped_from_files();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(program).kind, EndKind::returned);
  EXPECT_EQ(spares_.sweep(), 1U);
  EXPECT_LT(mapped_from_files(), before + kBytes / 1024 / 2);
}

TEST_F(SpareInstancesTest, NorDoesOneWhoseForerunnerHasExited) {
  const Program program = program_of(soils("_start", "(call $exit (i32.const 3))"));
  for (int i = 0; i < 10; ++i) ASSERT_EQ(exit_code_of(program), 3);
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareInstancesTest, NorAReactorThatNeedsNoInitialisation) {
  const Program program = program_of(soils("handle", "(call $exit (i32.const 3))"));
  for (int i = 0; i < 10; ++i) ASSERT_EQ(exit_code_of(program, kReactorEntry), 3);
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareInstancesTest, AnInstanceIsReplacedAfterManyRuns) {
  const Program program = program_of(soils("_start", ""));
  for (int i = 1; i < kRunsMax; ++i) ASSERT_EQ(run(program).kind, EndKind::returned) << i;
  EXPECT_EQ(spares_.sweep(), 1U);
  for (const std::size_t left : {0U, 1U}) {
    EXPECT_EQ(run(program).kind, EndKind::returned);
    EXPECT_EQ(spares_.sweep(), left);
  }
}

TEST_F(SpareInstancesTest, ThoseThatRunAtOnceAreApart) {
  const Program program = program_of(soils("_start", "(drop (call $yield))"));
  for (int round = 0; round < 3; ++round) {
    BufferedStdio stdio({}, 1 << 10, 1 << 10);
    const TaskOptions options{.spares = &spares_};
    Task first(program, {}, stdio, {}, options);
    Task second(program, {}, stdio, {}, options);
    for (Task* task : {&first, &second}) EXPECT_EQ(task->poll(), Task::State::runnable);
    for (Task* task : {&second, &first}) {
      while (task->poll() != Task::State::done) {
      }
      EXPECT_EQ(task->ending().kind, EndKind::returned) << task->ending().exit_code;
    }
  }
  EXPECT_EQ(spares_.sweep(), 2U);
}

TEST_F(SpareInstancesTest, ATrapLeavesNone) {
  EXPECT_EQ(left_by(program_of(soils("_start", "unreachable"))), 0U);
}

TEST_F(SpareInstancesTest, NorDoesARunThatIsDropped) {
  const Program program = program_of(soils("_start", "(drop (call $yield))"));
  BufferedStdio stdio({}, 1 << 10, 1 << 10);
  {
    Task task(program, {}, stdio, {}, {.spares = &spares_});
    EXPECT_EQ(task.poll(), Task::State::runnable);
  }
  EXPECT_EQ(spares_.sweep(), 0U);
}

TEST_F(SpareInstancesTest, WhatHasGrownIsNotLeft) {
  EXPECT_EQ(left_by(program_of(R"((memory (export "memory") 1)
    (func (export "_start") (drop (memory.grow (i32.const 1)))))")),
            0U);
  EXPECT_EQ(left_by(program_of(R"((memory (export "memory") 1)
    (func (export "_start") (drop (memory.grow (i32.const 0)))))")),
            1U);
}

TEST_F(SpareInstancesTest, NeitherIsWhatMayDifferInMoreThanItsMemoryAndGlobals) {
  constexpr std::string_view kMemory = R"((memory (export "memory") 1))";
  constexpr std::string_view kTable = R"((table $t 4 9 funcref) (elem declare func $start))";
  constexpr std::string_view kStart = R"((func $start (export "_start") {}))";
  const auto left = [=, this](std::string_view fields, std::string_view body) {
    return left_by(program_of(fmt::format("{} {} {}", kMemory, fields, fmt::format(kStart, body))));
  };
  EXPECT_EQ(left("", ""), 1U);
  EXPECT_EQ(left(kTable, ""), 1U);
  EXPECT_EQ(left(kTable, "(table.set $t (i32.const 0) (ref.func $start))"), 0U);
  EXPECT_EQ(left(kTable, "(drop (table.grow $t (ref.null func) (i32.const 1)))"), 0U);
  EXPECT_EQ(left(kTable, "(table.fill $t (i32.const 0) (ref.null func) (i32.const 1))"), 0U);
  EXPECT_EQ(left(kTable, "(table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 0))"), 0U);
  EXPECT_EQ(left("(table $t 4 funcref) (elem $e func $start)",
                 "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))"),
            0U);
  EXPECT_EQ(left("(elem $e func $start)", "(elem.drop $e)"), 0U);
  EXPECT_EQ(left("(data $d \"a\")", "(data.drop $d)"), 0U);
  EXPECT_EQ(left("(global $g (mut funcref) (ref.null func))", ""), 0U);
  EXPECT_EQ(left("(global $g (mut i32) (i32.add (i32.const 1) (i32.const 2)))", ""), 0U);
  EXPECT_EQ(left("(func $first) (start $first)", ""), 0U);
}

TEST_F(SpareInstancesTest, NorWhatHasMoreGlobalsThanAreSet) {
  std::string fields = R"((memory (export "memory") 1) (func (export "_start")))";
  constexpr int kGlobals = 64;
  for (int i = 0; i < kGlobals; ++i) fields += "(global (mut i32) (i32.const 0))";
  EXPECT_EQ(left_by(program_of(fields)), 1U);
  EXPECT_EQ(left_by(program_of(fields + "(global (mut i32) (i32.const 0))")), 0U);
}

TEST_F(SpareInstancesTest, NorWhatIsTooLargeToKeepASecondTime) {
  constexpr std::string_view kMapped = "(i32.const {})";
  // Computed only when it is instantiated, so the compiled program has no image of it.
  constexpr std::string_view kCopied = "(offset (i32.add (i32.const 0) (i32.const {})))";
  const auto left = [this](int pages, int kept_pages, std::string_view offset) {
    std::string data;
    for (int i = 0; i < kept_pages; ++i) {
      const std::string at = fmt::format(fmt::runtime(offset), i * 4096);
      fmt::format_to(std::back_inserter(data), R"((data {} "\01"))", at);
    }
    return left_by(program_of(
        fmt::format(R"((memory (export "memory") {}) {} (func (export "_start")))", pages, data)));
  };
  EXPECT_EQ(left(256, 0, kMapped), 1U);
  EXPECT_EQ(left(257, 0, kMapped), 0U);
  EXPECT_EQ(left(256, 1025, kMapped), 1U);
  EXPECT_EQ(left(256, 1024, kCopied), 1U);
  EXPECT_EQ(left(256, 1025, kCopied), 0U);
}

TEST_F(SpareInstancesTest, NorWhatHasAMemoryThatNobodyCanSee) {
  EXPECT_EQ(left_by(program_of("(memory 1) (func (export \"_start\"))")), 0U);
  EXPECT_EQ(left_by(program_of("(func (export \"_start\"))")), 0U);
}

TEST_F(SpareInstancesTest, NorWhatHasAnotherMemory) {
  EXPECT_EQ(left_by(program_of(R"((memory (export "memory") 1) (memory $other 1)
    (func (export "_start") (i32.store $other (i32.const 0) (i32.const 1))))")),
            0U);
}

TEST_F(SpareInstancesTest, NorAReactorThatIsInitialised) {
  const Program program = program_of(R"((memory (export "memory") 1)
    (func (export "_initialize")) (func (export "handle")))");
  EXPECT_EQ(left_by(program, kReactorEntry), 0U);
}

TEST_F(SpareInstancesTest, AnEntryOfAnotherNameGetsAFreshInstance) {
  const Program program = program_of(R"((memory (export "memory") 1)
    (func (export "_start")) (func (export "handle")))");
  EXPECT_EQ(left_by(program, kReactorEntry), 0U);
  EXPECT_EQ(left_by(program), 1U);
}

GuestInput one_argument() {
  GuestInput input;
  input.args.add("program");
  return input;
}

// Writes, where it has an argument, to more pages far from each other than are looked at.
constexpr std::string_view kWritesAllOver = R"((module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (memory (export "memory") 200)
  (func (export "_start") (local $at i32)
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (if (i32.load (i32.const 0)) (then
      (loop $more
        (i32.store (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 32768)))
        (br_if $more (i32.lt_u (local.get $at) (i32.const 13107200)))))))))";

TEST_F(SpareInstancesTest, WhatWasWrittenAllOverIsNotLeftAndAfterManySuchRunsTriedAtTimesOnly) {
  const Program program = component_of(kWritesAllOver);
  const TaskOptions options{.spares = &spares_};
  const GuestInput writing = one_argument();
  constexpr int kGivesUpWithin = 100;
  for (int i = 0; i < kGivesUpWithin; ++i) (void)end_of(program, {}, options, writing);
  end_of(program, {}, options);
  EXPECT_EQ(spares_.sweep(), 0U);
  constexpr int kTriesWithin = 1'100;
  for (int i = 0; i < kTriesWithin; ++i) end_of(program, {}, options);
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareInstancesTest, WhatIsWrittenAllOverNowAndThenIsTriedEachTime) {
  const Program program = component_of(kWritesAllOver);
  const TaskOptions options{.spares = &spares_};
  const GuestInput writing = one_argument();
  constexpr int kTurns = 100;
  for (int i = 0; i < kTurns; ++i) {
    (void)end_of(program, {}, options, writing);
    (void)end_of(program, {}, options);
  }
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareInstancesTest, EachRunIsToldWhatItUses) {
  const Program program = program_of(soils("_start", ""));
  BufferedStdio stdio({}, 1 << 10, 1 << 10);
  const TaskOptions options{.spares = &spares_};
  Task first(program, {}, stdio, {}, options);
  Task second(program, {}, stdio, {}, options);
  for (Task* task : {&first, &second}) {
    while (task->poll() != Task::State::done) {
    }
    EXPECT_EQ(task->memory_bytes(), 3U << 16U);
  }
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareInstancesTest, WhoHasOtherLimitsGetsAnother) {
  const Program program = program_of(soils("_start", ""));
  TaskLimits limits;
  EXPECT_EQ(run(program).kind, EndKind::returned);
  limits.memory_bytes_max = 3 << 16;
  EXPECT_EQ(run(program, kCommandEntry, limits).kind, EndKind::returned);
  EXPECT_EQ(spares_.sweep(), 2U);
  limits.memory_bytes_max = 1 << 16;
  EXPECT_NE(run(program, kCommandEntry, limits).kind, EndKind::returned);
}

TEST_F(SpareInstancesTest, ALimitIsOfEachRun) {
  const Program program = program_of(R"((memory (export "memory") 1)
    (func (export "_start") (loop $again (br $again))))");
  for (int i = 0; i < 3; ++i) {
    TaskLimits limits;
    limits.deadline = Clock::now() + std::chrono::milliseconds(20);
    EXPECT_EQ(run(program, kCommandEntry, limits).kind, EndKind::time_limit);
    EXPECT_GE(Clock::now(), limits.deadline);
  }
}

TEST_F(SpareInstancesTest, ThoseThatNobodyWantsGo) {
  const Program program = program_of(soils("_start", ""));
  run(program);
  EXPECT_EQ(spares_.sweep(), 1U);
  run(program);
  EXPECT_EQ(spares_.sweep(), 1U);
  EXPECT_EQ(spares_.sweep(), 0U);
}

TEST_F(SpareInstancesTest, ThereAreNoMoreThanItSays) {
  std::vector<Program> programs;
  for (std::uint32_t i = 0; i < 2 * kSpares; ++i)
    programs.push_back(program_of(soils("_start", "")));
  for (const Program& program : programs) run(program);
  EXPECT_EQ(spares_.sweep(), kSpares);
  // Those that nobody wants make room.
  EXPECT_EQ(spares_.sweep(), 0U);
  for (const Program& program : std::span(programs).last(kSpares)) run(program);
  EXPECT_EQ(spares_.sweep(), kSpares);
  EXPECT_EQ(spares_.sweep(), 0U);
}

TEST_F(SpareInstancesTest, NorOfMoreMemory) {
  std::vector<Program> programs;
  for (int i = 0; i < 7; ++i) {
    programs.push_back(program_of(R"((memory (export "memory") 256)
      (func (export "_start") (memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216))))"));
  }
  SpareInstances spares(8);
  // Again once these are gone.
  for (int round = 0; round < 2; ++round) {
    for (const Program& program : programs) end_of(program, {}, {.spares = &spares});
    EXPECT_EQ(spares.sweep(), 5U) << "64 MiB, and one memory more";
    EXPECT_EQ(spares.sweep(), 0U);
  }
}

TEST_F(SpareInstancesTest, OneMayOutliveItsProgram) {
  for (int i = 0; i < 3; ++i) {
    const Program program = program_of(soils("_start", ""));
    EXPECT_EQ(run(program).kind, EndKind::returned);
  }
  EXPECT_EQ(spares_.sweep(), 3U);
}

TEST_F(SpareInstancesTest, NobodyElseSaysThatItIsAsGoodAsNew) {
  for (const std::string_view name :
       {"funcd:renewable", "funcd-memory", "funcd-first-bytes", "funcd-order-handles"}) {
    const auto program = try_program(
        *engine_,
        fmt::format(
            R"((module (memory (export "memory") 1) (func (export "_start") (export "{}"))))",
            name));
    ASSERT_FALSE(program) << name;
    EXPECT_THAT(program.error().message, HasSubstr("a name that is reserved"));
  }
}

TEST_F(SpareInstancesTest, ItsOwnExportsAreNotShown) {
  for (const Program& program :
       {program_of(soils("_start", "")), component_of(shimmed(http_component("")))}) {
    for (const Extern& item : program.exports()) EXPECT_THAT(item.name, Not(HasSubstr("funcd")));
  }
}

}  // namespace
}  // namespace funcd::engine
