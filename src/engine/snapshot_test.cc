#include "engine/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "engine/engine_fixture.h"

namespace funcd::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Engine& the_engine() {
  static const auto engine = Engine::create({.instances_max = 16}).value();
  return *engine;
}

using Wasm = std::vector<std::uint8_t>;

// A reactor whose handle prints the digit at address 100, after `extra` and what _initialize does.
std::string reactor(std::string_view initialize, std::string_view handle = "",
                    std::string_view extra = "") {
  return fmt::format(R"((module
    (import "wasi_snapshot_preview1" "fd_write"
      (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get"
      (func $clock (param i32 i64 i32) (result i32)))
    (memory (export "memory") 1)
    (global $calls (mut i32) (i32.const 0))
    (data (i32.const 100) "0")
    {}
    (func (export "_initialize") {})
    (func (export "handle") {}
      (i32.store (i32.const 0) (i32.const 100))
      (i32.store (i32.const 4) (i32.const 1))
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))",
                     extra, initialize, handle);
}

constexpr std::string_view kSetsSeven = "(i32.store8 (i32.const 100) (i32.const 55))";
constexpr std::string_view kCounts = R"(
  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
  (i32.store8 (i32.const 100) (i32.add (i32.const 48) (global.get $calls))))";

struct Started {
  Wasm wasm;
  Program program;
};

Result<Started> started(std::string_view wat, WarmUp warm_up = WarmUp::none) {
  const auto build = TRY(SnapshotBuild::create(the_engine(), wasm_of(wat), warm_up));
  const auto left = build.run({});
  if (left.ending.kind != EndKind::returned) {
    return fail("{}: {}", build.last_call(), left.ending.message);
  }
  auto wasm = TRY(build.module(left.asked));
  const auto code = TRY(the_engine().compile(wasm));
  return Started{std::move(wasm), TRY(the_engine().load(code, FileAccess::none))};
}

std::string printed(const Program& program) {
  const auto run = run_blocking(program, kReactorEntry, Resumption::from_snapshot, {});
  EXPECT_EQ(run.ending.kind, EndKind::returned) << run.ending.message;
  return run.out;
}

TEST(Snapshot, HoldsWhatInitializeLeft) {
  const auto from = started(reactor(kSetsSeven));
  ASSERT_TRUE(from) << from.error().message;
  EXPECT_FALSE(from->program.has_export("_initialize"));
  EXPECT_EQ(printed(from->program), "7");
}

TEST(Snapshot, EachInstanceIsFresh) {
  const auto from = started(reactor("", kCounts));
  ASSERT_TRUE(from) << from.error().message;
  EXPECT_EQ(printed(from->program), "1");
  EXPECT_EQ(printed(from->program), "1");
}

TEST(Snapshot, AWarmUpIsPartOfIt) {
  const auto from = started(reactor("", kCounts), WarmUp::one_call);
  ASSERT_TRUE(from) << from.error().message;
  EXPECT_EQ(printed(from->program), "2");
}

TEST(Snapshot, FuncdWarmIsCalledWhereThereIsOne) {
  const auto from = started(reactor("", "", R"((func (export "funcd_warm")
        (i32.store8 (i32.const 100) (i32.const 57))))"),
                            WarmUp::one_call);
  ASSERT_TRUE(from) << from.error().message;
  EXPECT_EQ(printed(from->program), "9");
}

TEST(Snapshot, APlainReactorIsInitialized) {
  const auto code = the_engine().compile(wasm_of(reactor(kSetsSeven)));
  const auto program = the_engine().load(*code, FileAccess::none);
  ASSERT_TRUE(program);
  EXPECT_EQ(run_blocking(*program, kReactorEntry, Resumption::from_start, {}).out, "7");
}

TEST(Snapshot, GrownMemoryIsThere) {
  const auto from = started(reactor(R"((drop (memory.grow (i32.const 9)))
    (i32.store8 (i32.const 600000) (i32.const 56)))",
                                    R"((i32.store8 (i32.const 100)
    (i32.load8_u (i32.const 600000))))"));
  ASSERT_TRUE(from) << from.error().message;
  EXPECT_EQ(from->program.memory_bytes_min(), 10U << 16);
  EXPECT_EQ(printed(from->program), "8");
}

TEST(Snapshot, ManyPiecesOfMemoryBecomeFewSegments) {
  // Every 16 bytes, up to 60,000: each a segment of its own before they are merged.
  const auto from = started(reactor(R"((local $at i32)
    (local.set $at (i32.const 1024))
    (loop $more
      (i32.store8 (local.get $at) (i32.const 1))
      (br_if $more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16)))
                             (i32.const 60000)))))"));
  ASSERT_TRUE(from) << from.error().message;
  EXPECT_EQ(printed(from->program), "0");
  EXPECT_LT(from->wasm.size(), 61'000U);
}

TEST(Snapshot, SegmentsThatAreNamedStay) {
  const auto from =
      started(reactor("", "(memory.init $later (i32.const 100) (i32.const 0) (i32.const 1))",
                      "(data $later \"5\")"));
  ASSERT_TRUE(from) << from.error().message;
  EXPECT_EQ(printed(from->program), "5");
}

constexpr std::uint8_t kTableSection = 4;

// Whether a module has a section, and it is not of nothing.
bool has_section(const Wasm& wasm, std::uint8_t wanted) {
  for (std::size_t at = 8; at < wasm.size();) {
    const std::uint8_t id = wasm[at++];
    std::size_t size = 0;
    for (unsigned shift = 0;; shift += 7) {
      size |= static_cast<std::size_t>(wasm[at] & 0x7FU) << shift;
      if ((wasm[at++] & 0x80U) == 0) break;
    }
    if (id == wanted && wasm[at] != 0) return true;
    at += size;
  }
  return false;
}

// A reactor that prints what the function in that slot makes of the digit 4.
std::string calling(std::string_view slot, std::string_view extra = "") {
  return reactor("",
                 fmt::format(R"((i32.store8 (i32.const 100)
                       (call_indirect (param i32) (result i32) (i32.const 52) {})))",
                             slot),
                 fmt::format(R"((table 12 funcref)
    (func $plus_one (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $plus_two (param i32) (result i32) (i32.add (local.get 0) (i32.const 2)))
    (func $other (param i64) (result i64) (local.get 0))
    (elem (i32.const 2) $plus_one $other $plus_two)
    (elem (i32.const 7) $plus_two $plus_one $plus_two)
    (elem (i32.const 9) $plus_one)
    {})",
                             extra));
}

TEST(Snapshot, CallsThroughATableDoWithoutIt) {
  for (const auto& [slot, digit] : {std::pair{2, "5"}, {4, "6"}, {7, "6"}, {8, "5"}, {9, "5"}}) {
    const auto from = started(calling(fmt::format("(i32.const {})", slot)));
    ASSERT_TRUE(from) << from.error().message;
    EXPECT_FALSE(has_section(from->wasm, kTableSection));
    EXPECT_EQ(printed(from->program), digit) << slot;
  }
}

TEST(Snapshot, CallsThatTrappedStillDo) {
  // In front of what is in the table, of another type, a hole, behind it, beyond the table, huge.
  for (const int slot : {0, 1, 3, 5, 10, 11, 12, 5'000, -1}) {
    const auto from = started(calling(fmt::format("(i32.const {})", slot)));
    ASSERT_TRUE(from) << from.error().message;
    const auto run = run_blocking(from->program, kReactorEntry, Resumption::from_snapshot, {});
    EXPECT_EQ(run.ending.kind, EndKind::trapped) << slot;
  }
}

TEST(Snapshot, ATableThatIsUsedOtherwiseStays) {
  const std::string slot = "(i32.const 4)";
  for (const std::string_view other : {
           R"((func (drop (table.get (i32.const 0)))))",
           R"((func (drop (table.size))))",
           R"((func (drop (ref.func $plus_one))))",
           R"((func (drop (call_indirect (param i64) (result i64) (i64.const 0) (i32.const 3)))))",
           R"((elem declare func $plus_one))",
           R"((global funcref (ref.func $plus_one)))",
           R"((table 1 funcref))",
           R"((table 1 funcref (ref.func $plus_one)))",
       }) {
    const auto from = started(calling(slot, other));
    ASSERT_TRUE(from) << other << ": " << from.error().message;
    EXPECT_TRUE(has_section(from->wasm, kTableSection)) << other;
    EXPECT_EQ(printed(from->program), "6") << other;
  }
}

TEST(Snapshot, TellsWhatWasAskedFor) {
  const auto from = started(reactor("(drop (call $random (i32.const 500) (i32.const 8)))"));
  ASSERT_TRUE(from) << from.error().message;
  EXPECT_THAT(names_of(from->program.asked_before()), ElementsAre("random"));
  EXPECT_FALSE(from->program.has_export("funcd:asked:random"));
  const auto silent = started(reactor(""));
  ASSERT_TRUE(silent);
  EXPECT_THAT(names_of(silent->program.asked_before()), IsEmpty());
}

TEST(Snapshot, AFailureNamesTheCall) {
  EXPECT_THAT(started(reactor("unreachable")).error().message, HasSubstr("_initialize: "));
  EXPECT_THAT(started(reactor("", "unreachable"), WarmUp::one_call).error().message,
              HasSubstr("handle: "));
}

TEST(Snapshot, MemoryIsLimitedWhileItIsMade) {
  const auto build = SnapshotBuild::create(
      the_engine(),
      wasm_of(
          reactor("(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))")),
      WarmUp::none);
  ASSERT_TRUE(build);
  RunInput input;
  input.memory_bytes_max = 1 << 20;
  EXPECT_EQ(build->run(input).ending.kind, EndKind::memory_limit);
}

TEST(Snapshot, AWizerCommandGoesOnAtItsStart) {
  const auto from = started(R"((module
    (memory (export "memory") 1)
    (global $ready (mut i32) (i32.const 0))
    (func (export "wizer-initialize") (global.set $ready (i32.const 1)))
    (func (export "_start") (if (i32.eqz (global.get $ready)) (then unreachable)))))");
  ASSERT_TRUE(from) << from.error().message;
  const auto run = run_blocking(from->program, kCommandEntry, Resumption::from_snapshot, {});
  EXPECT_EQ(run.ending.kind, EndKind::returned);
}

TEST(Snapshot, RefusalsSayWhy) {
  const auto why = [](std::string_view wat, WarmUp warm_up = WarmUp::none) {
    const auto build = SnapshotBuild::create(the_engine(), wasm_of(wat), warm_up);
    return build ? "made" : build.error().message;
  };
  EXPECT_THAT(why(R"((module (func (export "_start"))))"), HasSubstr("those of Go"));
  EXPECT_THAT(why(R"((module (func (export "main"))))"), HasSubstr("neither a command nor"));
  EXPECT_THAT(why(R"((module (func (export "wizer-initialize")) (func (export "_start"))))",
                  WarmUp::one_call),
              HasSubstr("it does in wizer-initialize"));
  EXPECT_THAT(why(reactor("(table.set 0 (i32.const 0) (ref.null func))", "", "(table 1 funcref)")),
              HasSubstr("table.set"));
  EXPECT_THAT(why(R"((module (import "a" "b" (memory 1)) (func (export "_initialize"))
                     (func (export "handle"))))"),
              HasSubstr("imported memories"));
  EXPECT_EQ(why(reactor("")), "made");
}

TEST(Snapshot, AReactorIsKnownByItsExports) {
  EXPECT_TRUE(is_reactor(wasm_of(reactor(""))));
  EXPECT_FALSE(is_reactor(wasm_of(R"((module (func (export "_start"))))")));
  EXPECT_FALSE(is_reactor(wasm_of(R"((module (func (export "_initialize"))))")));
  EXPECT_FALSE(is_reactor({}));
}

TEST(Snapshot, TheMonotonicClockDoesNotGoBack) {
  // Read at the build into 200, later into 208; prints whether it has gone back.
  const auto from =
      started(reactor("(drop (call $clock (i32.const 1) (i64.const 0) (i32.const 200)))", R"(
        (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 208)))
        (i32.store8 (i32.const 100) (i32.add (i32.const 48)
          (i64.le_u (i64.load (i32.const 208)) (i64.load (i32.const 200))))))"));
  ASSERT_TRUE(from) << from.error().message;
  EXPECT_EQ(printed(from->program), "0");
}

}  // namespace
}  // namespace funcd::engine
