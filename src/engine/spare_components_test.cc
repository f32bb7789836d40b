// An instance that another run has left is what a fresh one is: of components.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "engine/http_fixture.h"
#include "engine/http_task.h"
#include "engine/spare_fixture.h"

namespace funcd::engine {
namespace {

class SpareComponentsTest : public SpareInstancesTest {
 protected:
  struct Answered {
    std::string body;
    EndKind end = EndKind::returned;
  };
  std::unique_ptr<HttpTask> task_of(const Program& program, const TaskLimits& limits = {},
                                    bool has_body = false) {
    const HttpRequestHead head = {.method = "GET",
                                  .authority = "a",
                                  .path_with_query = "/",
                                  .fields = {},
                                  .has_body = has_body};
    return std::make_unique<HttpTask>(program, head, stdio_, limits,
                                      HttpTaskOptions{.spares = &spares_});
  }
  static Answered answer_of(HttpTask& task) {
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
  Answered answer(const Program& program, const TaskLimits& limits = {}) {
    return answer_of(*task_of(program, limits));
  }

  BufferedStdio stdio_{{}, 1 << 10, 1 << 10};
};

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

// A component that can call $drop_TYPE, of a type of wasi:http, too.
std::string dropping(std::string_view type, std::string text) {
  put(text, "(core func $l_drop_out",
      fmt::format(R"((alias export $http "{0}" (type ${0}))
        (core func $l_drop_{0} (canon resource.drop ${0})))",
                  type));
  put(text, R"((export "drop_in")", fmt::format(R"((export "drop_{0}" (func $l_drop_{0})))", type));
  put(text, R"((import "host" "drop_in")",
      fmt::format(R"((import "host" "drop_{0}" (func $drop_{0} (param i32))))", type));
  return text;
}

// A component that has so many fields in hand before its work, and gives them back in an order of
// its own, but for so many that it holds. None of their handles is another number than in a fresh
// instance.
std::string disordering_component(int fields, int held = 0) {
  constexpr std::string_view kDisorder = R"(
    (if (i32.ne (local.get $request) (i32.const 1)) (then unreachable))
    (if (i32.ne (local.get $outparam) (i32.const 2)) (then unreachable))
    (loop $next
      (local.set $a (i32.add (local.get $a) (i32.const 1)))
      (if (i32.ne (call $fields) (i32.add (local.get $a) (i32.const 2))) (then unreachable))
      (br_if $next (i32.lt_u (local.get $a) (i32.const {}))))
    (local.set $a (i32.const {}))
    (loop $next
      (call $drop_fields (i32.add (i32.const 3)
        (i32.rem_u (i32.mul (i32.const 7) (local.get $a)) (i32.const {}))))
      (local.set $a (i32.sub (local.get $a) (i32.const 1)))
      (br_if $next (local.get $a))))";
  std::string text =
      counting_component(kDropRequest, fmt::format(kDisorder, fields + held, fields, fields));
  return dropping("fields", std::move(text));
}

TEST_F(SpareComponentsTest, AComponentFindsNothingOfTheOneBefore) {
  const Program program = component_of(counting_component(kDropRequest));
  for (int i = 1; i < kRunsMax; ++i) {
    const Answered answered = answer(program);
    ASSERT_EQ(answered.end, EndKind::returned) << i;
    ASSERT_EQ(answered.body, "iello") << i;
  }
  EXPECT_EQ(spares_.sweep(), 1U);
  // One that has been used for long is replaced.
  for (const std::size_t left : {0U, 1U}) {
    EXPECT_EQ(answer(program).body, "iello");
    EXPECT_EQ(spares_.sweep(), left);
  }
}

// Grows where its request has a body, and drops all handles either way.
std::string growing_component() {
  std::string text = counting_component(kDropRequest, R"(
    (if (i32.eqz (call $hear (call $incoming (local.get $request)) (i32.const 1)))
      (then (drop (memory.grow (i32.const 1)))))
    (call $drop_in (i32.const 4)) (call $drop_incoming-body (i32.const 3)))");
  return dropping("incoming-body", std::move(text));
}

TEST_F(SpareComponentsTest, EachRequestIsToldWhatItUses) {
  const Program program = component_of(growing_component());
  const auto first = task_of(program);
  EXPECT_EQ(answer_of(*first).body, "iello");
  EXPECT_EQ(first->memory_bytes(), 8U << 16U);
  EXPECT_EQ(spares_.sweep(), 1U);
  const auto second = task_of(program, {}, true);
  (void)second->feed("a");
  second->finish_body();
  EXPECT_EQ(answer_of(*second).body, "iello");
  EXPECT_EQ(second->memory_bytes(), 9U << 16U);
  EXPECT_EQ(first->memory_bytes(), 8U << 16U);
  EXPECT_EQ(spares_.sweep(), 0U);
}

TEST_F(SpareComponentsTest, NorInWhichOrderHandlesWereGivenBack) {
  // As many as are put in order, beside request and response.
  const Program program = component_of(disordering_component(254));
  for (int i = 0; i < 10; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareComponentsTest, AComponentWithMoreHandlesThanArePutInOrderLeavesNone) {
  const Program program = component_of(disordering_component(255));
  for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 0U);
}

// What a guest's garbage collector would have given back later: the host has it given back.
TEST_F(SpareComponentsTest, AComponentThatHoldsRequestAndFieldsIsRidOfThem) {
  constexpr std::string_view kHold = R"(
    (if (i32.ne (local.get $request) (i32.const 1)) (then unreachable))
    (if (i32.ne (call $fields) (i32.const 3)) (then unreachable))
    (if (i32.ne (call $fields) (i32.const 4)) (then unreachable)))";
  const Program program = component_of(dropping("fields", counting_component("", kHold)));
  for (int i = 0; i < 20; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareComponentsTest, NorIsTheLastOfManyLeft) {
  const Program program = component_of(disordering_component(10, 1));
  for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 1U);
}

// Once an answer is set, the guest's next numbers are not those of the host's next places: 4, 3, 2
// and 3, 1, 2 behind the request's.
TEST_F(SpareComponentsTest, AHandleOfAnotherNumberThanItsPlaceLeavesNone) {
  constexpr std::string_view kHold = "(drop (call $fields))";
  for (const auto& [held, left] : {std::pair{1, 1U}, {2, 0U}, {3, 1U}}) {
    std::string text;
    for (int i = 0; i < held; ++i) text += kHold;
    const Program program = component_of(dropping("fields", counting_component(text)));
    for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
    EXPECT_EQ(spares_.sweep(), left) << held;
  }
}

TEST_F(SpareComponentsTest, NorDoesOneThatHoldsAHandleOfAnotherKind) {
  const Program program =
      component_of(counting_component("(drop (call $incoming (local.get $request)))"));
  constexpr int kRuns = 100;  // more often than is tried
  for (int i = 0; i < kRuns; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 0U);
}

TEST_F(SpareComponentsTest, NorDoesOneThatHasGrownOrTrapped) {
  for (const std::string_view more : {"(drop (memory.grow (i32.const 1)))", "unreachable"}) {
    const Program program =
        component_of(counting_component(fmt::format("{} {}", kDropRequest, more)));
    for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  }
  EXPECT_EQ(spares_.sweep(), 0U);
}

// What a component within it keeps is nobody's to write back.
TEST_F(SpareComponentsTest, NorDoesOneWithMoreThanTypesWithin) {
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

TEST_F(SpareComponentsTest, OneWithTypesWithinLeavesOne) {
  std::string text = counting_component(kDropRequest);
  put(text, "(core module $main", "(component $within) (instance (instantiate $within)) ");
  const Program program = component_of(text);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 1U);
}

std::string with_memory(std::string text, int pages) {
  constexpr std::string_view kMemory = R"((memory (export "memory") 8))";
  text.replace(text.find(kMemory), kMemory.size(),
               fmt::format(R"((memory (export "memory") {}))", pages));
  return text;
}

TEST_F(SpareComponentsTest, NorDoesOneWithALargeMemory) {
  for (const int pages : {256, 257}) {
    const Program program = component_of(with_memory(counting_component(kDropRequest), pages));
    for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
    EXPECT_EQ(spares_.sweep(), pages == 256 ? 1U : 0U);
  }
}

// More than would be kept a second time: it is written back from where the compiled program has it.
TEST_F(SpareComponentsTest, AComponentWithMuchDataFindsItAsItWas) {
  constexpr int kFrom = 1 << 16;
  constexpr int kBytes = (5 << 20) + 3;
  constexpr std::string_view kCheck = R"(
    (if (i32.ne (i32.load8_u (i32.const {0})) (i32.const 97)) (then unreachable))
    (i32.store8 (i32.const {0}) (i32.const 98)))";
  const std::string check =
      fmt::format(kCheck, kFrom) + fmt::format(kCheck, kFrom + kBytes / 2 + 12'345);
  std::string text = with_memory(counting_component(kDropRequest, check), 100);
  put(text, "(data (i32.const 1024)",
      fmt::format("(data (i32.const {}) \"{}\")", kFrom, std::string(kBytes, 'a')));
  const Program program = component_of(text);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(answer(program).body, "iello") << i;
  EXPECT_EQ(spares_.sweep(), 1U);
}

TEST_F(SpareComponentsTest, ALimitIsOfEachRequest) {
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
