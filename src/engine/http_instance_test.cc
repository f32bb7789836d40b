#include "engine/http_instance.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "base/check.h"
#include "engine/engine_fixture.h"
#include "engine/http_fixture.h"
#include "engine/http_task.h"

namespace funcd::engine {
namespace {

using std::chrono::milliseconds;
using Instance = std::unique_ptr<HttpInstance>;

Engine& shared_engine() {
  static const auto engine = new_engine({.instances_max = 1, .idle_instances_max = 2});
  return *engine;
}

Program program_of(std::string_view text) {
  return program_of(shared_engine(), text);
}

TaskLimits limits_until(TimePoint deadline) {
  TaskLimits limits;
  limits.memory_bytes_max = 1 << 20;
  limits.deadline = deadline;
  return limits;
}

// On request $count of it. The fixture's memory is a page, and may be 16.
std::string on(int count, const std::string& body) {
  return fmt::format("(if (i32.eq (global.get $count) (i32.const {})) (then {}))", count, body);
}
const std::string kLoops = "(loop $again (br $again))";
const std::string kGrows = "(drop (memory.grow (i32.const 8)))";

class HttpInstanceTest : public testing::Test {
 protected:
  struct Answered {
    int status = 0;  // 0: none
    EndKind end = EndKind::returned;
    std::uint64_t memory_bytes = 0;
    Instance instance;
  };
  static Answered answer(const Program& program, Instance instance,
                         const TaskLimits& limits = limits_until(Clock::now() + milliseconds(5000)),
                         bool keeps_instance = true) {
    BufferedStdio stdio({}, 1 << 10, 1 << 10);
    HttpTask task(program,
                  {.method = "GET", .authority = "a", .path_with_query = "/", .fields = {}}, stdio,
                  limits, {.instance = std::move(instance), .keeps_instance = keeps_instance});
    while (task.poll() != HttpTask::State::done) {
    }
    Answered answered;
    if (task.answer() == HttpAnswer::head) answered.status = task.take_head().status;
    answered.end = task.ending().kind;
    answered.memory_bytes = task.memory_bytes();
    answered.instance = task.take_instance();
    return answered;
  }

  std::jthread ticker_{[](const std::stop_token& stop) { shared_engine().run_ticker(stop); }};
};

TEST_F(HttpInstanceTest, AnswersOneRequestAfterAnother) {
  const Program program = program_of(http3_component(""));
  EXPECT_TRUE(program.answers_again());
  Instance instance;
  for (const int count : {1, 2, 3}) {
    auto answered = answer(program, std::move(instance));
    EXPECT_EQ(answered.status, 200 + count);
    EXPECT_EQ(answered.end, EndKind::returned);
    instance = std::move(answered.instance);
    ASSERT_NE(instance, nullptr);
    EXPECT_EQ(instance->requests(), static_cast<std::uint32_t>(count));
  }
  EXPECT_EQ(answer(program, nullptr).status, 201);
}

TEST_F(HttpInstanceTest, IsGoneUnlessItIsKept) {
  const Program program = program_of(http3_component(""));
  const auto later = Clock::now() + milliseconds(5000);
  EXPECT_EQ(answer(program, nullptr, limits_until(later), false).instance, nullptr);
  auto first = answer(program, nullptr);
  EXPECT_EQ(answer(program, std::move(first.instance), limits_until(later), false).instance,
            nullptr);
}

TEST_F(HttpInstanceTest, OfTheOlderStandardIsGone) {
  const Program program = program_of(http_component(answer_with(1048, 5)));
  EXPECT_FALSE(program.answers_again());
  const auto answered = answer(program, nullptr);
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(answered.instance, nullptr);
}

TEST_F(HttpInstanceTest, ATrapEndsIt) {
  const Program program = program_of(http3_component(on(2, "unreachable")));
  auto first = answer(program, nullptr);
  ASSERT_NE(first.instance, nullptr);
  const auto second = answer(program, std::move(first.instance));
  EXPECT_EQ(second.end, EndKind::trapped);
  EXPECT_EQ(second.instance, nullptr);
}

TEST_F(HttpInstanceTest, EachRequestHasADeadlineOfItsOwn) {
  const Program program = program_of(http3_component(on(3, kLoops)));
  const TimePoint deadline = Clock::now() + milliseconds(50);
  auto answered = answer(program, nullptr, limits_until(deadline));
  while (Clock::now() < deadline) std::this_thread::yield();
  answered = answer(program, std::move(answered.instance));
  EXPECT_EQ(answered.status, 202);
  answered =
      answer(program, std::move(answered.instance), limits_until(Clock::now() + milliseconds(50)));
  EXPECT_EQ(answered.end, EndKind::time_limit);
  EXPECT_EQ(answered.instance, nullptr);
}

TEST_F(HttpInstanceTest, ItsMemoryCountsAsAWholeAndOneThatWasRefusedMoreIsGone) {
  const Program program = program_of(http3_component(kGrows));
  auto first = answer(program, nullptr);
  EXPECT_EQ(first.memory_bytes, 9U * 65536);
  ASSERT_NE(first.instance, nullptr);
  const auto second = answer(program, std::move(first.instance));
  EXPECT_EQ(second.status, 202);
  EXPECT_EQ(second.memory_bytes, 9U * 65536);
  EXPECT_EQ(second.instance, nullptr);
}

TEST_F(HttpInstanceTest, ABodyThatItHasNotReadIsNotKept) {
  const Program program = program_of(http3_component(""));
  BufferedStdio stdio({}, 1 << 10, 1 << 10);
  HttpTask task(
      program,
      {.method = "POST", .authority = "a", .path_with_query = "/", .fields = {}, .has_body = true},
      stdio, limits_until(Clock::now() + milliseconds(5000)), {.keeps_instance = true});
  EXPECT_EQ(task.feed("half of it"), 10U);
  EXPECT_FALSE(task.is_body_dropped());
  while (task.poll() != HttpTask::State::done) {
  }
  EXPECT_TRUE(task.is_body_dropped());
  const Instance instance = task.take_instance();
  EXPECT_NE(instance, nullptr);
}

TEST_F(HttpInstanceTest, DroppedWithinARequestItIsGone) {
  const Program program = program_of(http3_component(on(2, kLoops)));
  auto first = answer(program, nullptr);
  BufferedStdio stdio({}, 1 << 10, 1 << 10);
  HttpTask task(program, {.method = "GET", .authority = "a", .path_with_query = "/", .fields = {}},
                stdio, limits_until(Clock::now() + milliseconds(5000)),
                {.instance = std::move(first.instance), .keeps_instance = true});
  EXPECT_EQ(task.poll(), HttpTask::State::runnable);
  EXPECT_EQ(task.take_instance(), nullptr);
}

// The pool has room for one that runs, and two that wait.
TEST_F(HttpInstanceTest, ThoseThatWaitTakeNoRoomFromThoseThatRun) {
  const Program program = program_of(http3_component(""));
  auto first = answer(program, nullptr);
  auto second = answer(program, nullptr);
  ASSERT_NE(second.instance, nullptr);
  auto third = answer(program, nullptr);
  EXPECT_EQ(third.end, EndKind::returned);
  EXPECT_EQ(answer(program, nullptr).end, EndKind::exhausted);
  first.instance.reset();
  EXPECT_EQ(answer(program, nullptr).status, 201);
}

}  // namespace
}  // namespace funcd::engine
