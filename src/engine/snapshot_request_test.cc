#include "engine/snapshot_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "engine/engine_fixture.h"
#include "engine/http_fixture.h"

namespace funcd::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Engine& the_engine() {
  static const auto engine = Engine::create({.instances_max = 16}).value();
  return *engine;
}

constexpr std::string_view kCalls = "(global $calls (mut i32) (i32.const 48))";
// Adds one to a global and to a byte of memory, which are what is said of them.
constexpr std::string_view kCounts = R"(
  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
  (i32.store8 (i32.const 1048) (global.get $calls))
  (i32.store8 (i32.const 1049) (i32.add (i32.load8_u (i32.const 1049)) (i32.const 1))))";
constexpr std::string_view kDrops = "(call $drop_request (local.get $request))";

// Answers with the count in a global, and with "f" and so on for the one in memory.
std::string counter(std::string_view first = kDrops, std::string_view last = "") {
  return http_component(fmt::format("{}{}{}{}", first, kCounts, answer_with(1048, 2), last),
                        kCalls);
}

Result<std::vector<std::uint8_t>> snapshot_of(const std::string& wat,
                                              const RequestInput& input = {}) {
  const auto build = TRY(SnapshotBuild::create(the_engine(), wasm_of(wat), WarmUp::one_call));
  const auto left = answer_blocking(build, Task::SnapshotRun::build, input);
  if (!left.failure.empty()) return fail("{}: {}", build.last_call(), left.failure);
  return build.module({});
}

Result<Program> started(const std::string& wat, const RequestInput& input = {}) {
  const auto wasm = TRY(snapshot_of(wat, input));
  const auto code = TRY(the_engine().compile(wasm));
  return the_engine().load(code, FileAccess::none);
}

std::string why_not(const std::string& wat) {
  const auto made = started(wat);
  return made ? "made" : made.error().message;
}

TEST(SnapshotRequest, HoldsWhatTheRequestLeft) {
  const auto program = started(counter());
  ASSERT_TRUE(program) << program.error().message;
  // "e" is what is there first.
  EXPECT_EQ(answer_blocking(*program, {}).body, "2g");
}

TEST(SnapshotRequest, ItIsFoldedLikeAnyOther) {
  const std::string text = shimmed(counter());
  const auto wasm = snapshot_of(text);
  ASSERT_TRUE(wasm) << wasm.error().message;
  const auto folded = Engine::folded(*wasm);
  EXPECT_TRUE(folded) << folded.error().message;
  const auto program = started(text);
  ASSERT_TRUE(program) << program.error().message;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(answer_blocking(*program, {}).body, "2g");
}

TEST(SnapshotRequest, EachInstanceIsFresh) {
  const auto program = started(counter());
  ASSERT_TRUE(program) << program.error().message;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(answer_blocking(*program, {}).body, "2g");
}

TEST(SnapshotRequest, APlainRunIsOneWithout) {
  const auto build = SnapshotBuild::create(the_engine(), wasm_of(counter()), WarmUp::one_call);
  ASSERT_TRUE(build) << build.error().message;
  for (int i = 0; i < 2; ++i) {
    const auto run = answer_blocking(*build, Task::SnapshotRun::plain, {});
    EXPECT_EQ(run.failure, "");
    EXPECT_EQ(run.head.status, 200);
    EXPECT_EQ(run.body, "1f");
  }
  EXPECT_THAT(build->module({}).error().message, HasSubstr("has not returned"));
}

TEST(SnapshotRequest, GrownMemoryIsThere) {
  const auto program = started(http_component(fmt::format(R"({}
        (if (i32.eq (memory.size) (i32.const 8)) (then
          (drop (memory.grow (i32.const 2)))
          (i32.store8 (i32.const 600000) (i32.const 57))))
        (i32.store8 (i32.const 1048) (i32.load8_u (i32.const 600000))){})",
                                                          kDrops, answer_with(1048, 1))));
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(answer_blocking(*program, {}).body, "9");
}

TEST(SnapshotRequest, AHandleThatIsKeptIsRefused) {
  EXPECT_THAT(why_not(counter("")), HasSubstr("handle"));
  EXPECT_EQ(why_not(counter()), "made");
}

TEST(SnapshotRequest, AFailureIsToldOf) {
  EXPECT_THAT(why_not(counter(kDrops, "unreachable")), HasSubstr("warm-up request: "));
  EXPECT_THAT(why_not(http_component("(call $drop_request (local.get $request))"
                                     "(call $drop_outparam (local.get $outparam))")),
              HasSubstr("did not answer"));
  EXPECT_THAT(why_not(http_component("(call $drop_request (local.get $request))"
                                     "(call $refuse (local.get $outparam) (i32.const 38))")),
              HasSubstr("internal-error"));
}

TEST(SnapshotRequest, ItsBoundsHold) {
  const std::jthread ticker([](const std::stop_token& stop) { the_engine().run_ticker(stop); });
  RequestInput small;
  small.memory_bytes_max = 1 << 19;
  const auto grows =
      http_component("(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))");
  EXPECT_THAT(started(grows, small).error().message, HasSubstr("memory"));
  RequestInput brief;
  brief.body_bytes_max = 1;
  EXPECT_THAT(started(counter(), brief).error().message, HasSubstr("more than 1 bytes"));
  brief.body_bytes_max = 2;
  EXPECT_TRUE(started(counter(), brief));
  RequestInput quick;
  quick.timeout = std::chrono::milliseconds(20);
  EXPECT_THAT(started(http_component("(loop $l (br $l))"), quick).error().message,
              HasSubstr("longer than its limit"));
}

TEST(SnapshotRequest, WhatIsHeldIsNamed) {
  // The pollable of a wait is never dropped there.
  EXPECT_THAT(why_not(http_component(
                  fmt::format("{}(call $sleep (i64.const 1)){}", kDrops, answer_with(1048, 5)))),
              HasSubstr("pollable"));
}

TEST(SnapshotRequest, SaysThatNothingWasAskedFor) {
  const auto silent = started(counter());
  ASSERT_TRUE(silent) << silent.error().message;
  EXPECT_THAT(names_of(silent->asked_before()), IsEmpty());
}

// A component with one more module in it.
std::string with_module(std::string_view module) {
  std::string text = counter();
  text.insert(text.find("(core module $libc"),
              fmt::format("(core module $odd {}) (core instance (instantiate $odd))", module));
  return text;
}

TEST(SnapshotRequest, RefusalsSayWhy) {
  EXPECT_EQ(why_not(with_module("(memory (export \"m\") 1)")), "made");
  EXPECT_THAT(why_not(with_module("(memory 1)")), HasSubstr("no exports"));
  EXPECT_THAT(why_not(with_module("(global (mut i32) (i32.const 0))")), HasSubstr("no exports"));
  EXPECT_THAT(why_not(with_module("(memory (export \"m\") i64 1)")), HasSubstr("64 bits"));
  EXPECT_THAT(why_not(with_module("(global (export \"g\") (mut v128) (v128.const i64x2 0 0))")),
              HasSubstr("v128"));
  EXPECT_THAT(why_not(with_module("(table 1 funcref) (func (export \"f\") (table.set 0 "
                                  "(i32.const 0) (ref.null func)))")),
              HasSubstr("table.set"));
  EXPECT_THAT(why_not(with_module("(memory (export \"m\") 1 1)")),
              HasSubstr("as large as it may be"));
  EXPECT_THAT(why_not("(component)"), HasSubstr("incoming-handler"));
  const auto cold = SnapshotBuild::create(the_engine(), wasm_of(counter()), WarmUp::none);
  EXPECT_THAT(cold.error().message, HasSubstr("warm = true"));
}

TEST(SnapshotRequest, AModuleThatIsNotInstantiatedStaysAsItCame) {
  std::string text = counter();
  // What lies between its data is no part of it.
  text.insert(text.find("(core module $libc"),
              "(core module (memory (export \"m\") 8) (data (i32.const 0) \"a\")"
              " (data (i32.const 65536) \"b\") (data (i32.const 131072) \"c\"))");
  const auto wasm = snapshot_of(text);
  ASSERT_TRUE(wasm) << wasm.error().message;
  EXPECT_LT(wasm->size(), std::size_t{65536});
}

TEST(SnapshotRequest, AComponentIsKnownByItsFirstBytes) {
  EXPECT_TRUE(is_component(wasm_of("(component)")));
  EXPECT_FALSE(is_component(wasm_of("(module)")));
  EXPECT_FALSE(is_component({}));
}

}  // namespace
}  // namespace funcd::engine
