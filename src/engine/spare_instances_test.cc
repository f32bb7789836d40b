// An instance that another run has left is what a fresh one is.

#include "engine/spare_instances.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/check.h"
#include "engine/engine_fixture.h"
#include "engine/http_fixture.h"
#include "engine/http_task.h"
#include "engine/task.h"

namespace funcd::engine {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kSpares = 4;
// More than one instance is used for.
constexpr int kManyRuns = 5'000;

class SpareInstancesTest : public testing::Test {
 protected:
  SpareInstancesTest() {
    ticker_ = std::jthread([this](const std::stop_token& stop) { engine_->run_ticker(stop); });
  }
  Program component_of(std::string_view text) { return engine::program_of(*engine_, text); }
  // Its fields stand behind imports of proc_exit and sched_yield.
  Program program_of(std::string_view fields) {
    return component_of(fmt::format(R"((module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
      {}))",
                                    fields));
  }
  Ending run(const Program& program, const char* entry = kCommandEntry,
             const TaskLimits& limits = {}) {
    return end_of(program, limits, {.entry = entry, .spares = &spares_});
  }
  // What it exits with.
  int exit_code_of(const Program& program, const char* entry = kCommandEntry) {
    const Ending ending = run(program, entry);
    EXPECT_EQ(ending.kind, EndKind::exited) << ending.message;
    return ending.exit_code;
  }
  // How many instances are left by two runs, one after the other: 1, where the second was the
  // first's.
  std::size_t left_by(const Program& program, const char* entry = kCommandEntry) {
    run(program, entry);
    run(program, entry);
    return spares_.sweep();
  }
  struct Answered {
    std::string body;
    EndKind end = EndKind::returned;
  };
  Answered answer(const Program& program, const TaskLimits& limits = {}) {
    BufferedStdio stdio({}, 1 << 10, 1 << 10);
    HttpTask task(program,
                  {.method = "GET", .authority = "a", .path_with_query = "/", .fields = {}}, stdio,
                  limits, {.spares = &spares_});
    while (task.poll() != HttpTask::State::done) {
    }
    Answered answered;
    if (task.answer() == HttpAnswer::head) {
      (void)task.take_head();
      (void)task.take_body(answered.body, 1 << 10);
    }
    answered.end = task.ending().kind;
    return answered;
  }

  std::unique_ptr<Engine> engine_ =
      new_engine({.instances_max = 4 * kSpares, .spare_instances_max = kSpares});
  std::jthread ticker_;
  SpareInstances spares_{kSpares};
};

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

std::string soils(std::string_view entry, std::string_view ending, bool is_mapped = false) {
  std::string more;
  constexpr int kSegments = 17;  // more than are filled
  for (int i = 0; is_mapped && i < kSegments; ++i) more += R"((data (i32.const 9000) "\01"))";
  return fmt::format(kSoils, more, entry, is_mapped ? 6 : 5, ending);
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
  for (int i = 0; i < kManyRuns; ++i) ASSERT_EQ(run(program).kind, EndKind::returned) << i;
  EXPECT_EQ(spares_.sweep(), 1U);
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
  EXPECT_EQ(left("(func $first) (start $first)", ""), 0U);
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
  GuestInput writing;
  writing.args.add("program");
  constexpr int kGivesUpWithin = 100;
  for (int i = 0; i < kGivesUpWithin; ++i) (void)end_of(program, {}, options, writing);
  end_of(program, {}, options);
  EXPECT_EQ(spares_.sweep(), 0U);
  constexpr int kTriesWithin = 1'100;
  for (int i = 0; i < kTriesWithin; ++i) end_of(program, {}, options);
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
  // Those that nobody has wanted for a while make room.
  for (const Program& program : programs) run(program);
  EXPECT_EQ(spares_.sweep(), kSpares);
  EXPECT_EQ(spares_.sweep(), 0U);
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

// Answers with "iello" unless it finds something of another run.
std::string counting_component(std::string_view body = "", std::string_view before = "") {
  return shimmed(http_component(
      fmt::format("{} (if (global.get $seen) (then unreachable)) (global.set $seen (i32.const 1))"
                  "(i32.store8 (i32.const 1048) (i32.add (i32.load8_u (i32.const 1048))"
                  "  (i32.const 1)))"
                  "(if (i64.ne (i64.load (i32.const 0)) (i64.const 0x77)) (then unreachable))"
                  "(i64.store (i32.const 0) (i64.const 5)) {} {}",
                  before, answer_with(1048, 5), body),
      R"((global $seen (mut i32) (i32.const 0)) (data (i32.const 0) "\77"))"));
}
constexpr std::string_view kDropRequest = "(call $drop_request (local.get $request))";

// A component that has so many fields in hand before its work, and gives them back in an order of
// its own. None of their handles is another number than in a fresh instance.
std::string disordering_component(int fields) {
  constexpr std::string_view kDisorder = R"(
    (if (i32.ne (local.get $request) (i32.const 1)) (then unreachable))
    (if (i32.ne (local.get $outparam) (i32.const 2)) (then unreachable))
    (loop $next
      (local.set $a (i32.add (local.get $a) (i32.const 1)))
      (if (i32.ne (call $fields) (i32.add (local.get $a) (i32.const 2))) (then unreachable))
      (br_if $next (i32.lt_u (local.get $a) (i32.const {}))))
    (loop $next
      (call $drop_fields (i32.add (i32.const 3)
        (i32.rem_u (i32.mul (i32.const 7) (local.get $a)) (i32.const {}))))
      (local.set $a (i32.sub (local.get $a) (i32.const 1)))
      (br_if $next (local.get $a))))";
  std::string text = counting_component(kDropRequest, fmt::format(kDisorder, fields, fields));
  put(text, "(core func $l_drop_out", R"((alias export $http "fields" (type $fields))
    (core func $l_drop_fields (canon resource.drop $fields)))");
  put(text, R"((export "drop_in")", R"((export "drop_fields" (func $l_drop_fields)))");
  put(text, R"((import "host" "drop_in")",
      R"((import "host" "drop_fields" (func $drop_fields (param i32))))");
  return text;
}

TEST_F(SpareInstancesTest, AComponentFindsNothingOfTheOneBefore) {
  const Program program = component_of(counting_component(kDropRequest));
  for (int i = 0; i < kManyRuns; ++i) {
    const Answered answered = answer(program);
    ASSERT_EQ(answered.end, EndKind::returned) << i;
    ASSERT_EQ(answered.body, "iello") << i;
  }
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareInstancesTest, NorInWhichOrderHandlesWereGivenBack) {
  // As many as are put in order, beside request and response.
  const Program program = component_of(disordering_component(254));
  for (int i = 0; i < 10; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareInstancesTest, AComponentWithMoreHandlesThanArePutInOrderLeavesNone) {
  const Program program = component_of(disordering_component(255));
  for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 0U);
}

TEST_F(SpareInstancesTest, AComponentThatHoldsAHandleLeavesNone) {
  const Program program = component_of(counting_component());
  constexpr int kRuns = 20;  // more often than is tried
  for (int i = 0; i < kRuns; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 0U);
}

TEST_F(SpareInstancesTest, NorDoesOneThatHasGrownOrTrapped) {
  for (const std::string_view more : {"(drop (memory.grow (i32.const 1)))", "unreachable"}) {
    const Program program =
        component_of(counting_component(fmt::format("{} {}", kDropRequest, more)));
    for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  }
  EXPECT_EQ(spares_.sweep(), 0U);
}

// What a component within it keeps is nobody's to write back.
TEST_F(SpareInstancesTest, NorDoesOneWithMoreThanTypesWithin) {
  for (const std::string_view within :
       {"(core module $m (global $count (mut i32) (i32.const 0))) (core instance (instantiate $m))",
        "(type $secret (resource (rep i32))) (core func (canon resource.new $secret))"}) {
    std::string text = counting_component(kDropRequest);
    put(text, "(core module $main",
        fmt::format("(component $within {}) (instance (instantiate $within)) ", within));
    const Program program = component_of(text);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
    EXPECT_EQ(spares_.sweep(), 0U);
  }
}

TEST_F(SpareInstancesTest, OneWithTypesWithinLeavesOne) {
  std::string text = counting_component(kDropRequest);
  put(text, "(core module $main", "(component $within) (instance (instantiate $within)) ");
  const Program program = component_of(text);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareInstancesTest, NorDoesOneWithALargeMemory) {
  for (const std::string_view pages : {"200", "300"}) {
    std::string text = counting_component(kDropRequest);
    const std::size_t at = text.find(R"((memory (export "memory") 8))");
    ASSERT_NE(at, text.npos);
    text.replace(at, 28, fmt::format(R"((memory (export "memory") {}))", pages));
    const Program program = component_of(text);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
    EXPECT_EQ(spares_.sweep(), 0U);
  }
}

TEST_F(SpareInstancesTest, ALimitIsOfEachRequest) {
  const Program program =
      component_of(counting_component(kDropRequest, "(call $sleep (i64.const 2000000))"));
  for (int i = 0; i < 3; ++i) {
    TaskLimits limits;
    limits.deadline = Clock::now() + std::chrono::milliseconds(i % 2 == 0 ? 5'000 : 1);
    EXPECT_EQ(answer(program, limits).end, i % 2 == 0 ? EndKind::returned : EndKind::time_limit);
  }
}

}  // namespace
}  // namespace funcd::engine
