#include "engine/http_task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/check.h"
#include "engine/engine_fixture.h"
#include "engine/http_fixture.h"

namespace funcd::engine {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

Engine& shared_engine() {
  static const auto engine = new_engine({.instances_max = 64});
  return *engine;
}

Result<Program> try_program(std::string_view text) {
  return try_program(shared_engine(), text);
}

Program program_of(std::string_view text) {
  return program_of(shared_engine(), text);
}

// Counts wake-ups and lets a test wait for the next.
class Bell {
 public:
  Waker waker() { return {&Bell::ring, this, 7}; }

  void wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(rung_.wait_for(lock, std::chrono::seconds(10), [this] { return count_ > seen_; }));
    seen_ = count_;
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  static void ring(void* context, std::uint64_t key) {
    EXPECT_EQ(key, 7U);
    auto* self = static_cast<Bell*>(context);
    const std::lock_guard lock(self->mutex_);
    ++self->count_;
    self->rung_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable rung_;
  int count_ = 0;
  int seen_ = 0;
};

struct Conditions {
  TaskLimits limits{};
  std::optional<milliseconds> timeout{};  // from when it has been compiled
  std::string_view method = "GET";
  bool has_body = false;
};

// A task with all that outlives it.
class HttpRun {
 public:
  explicit HttpRun(const std::string& text, Conditions setup = {})
      : program_(program_of(text)),
        task_(program_,
              {.method = setup.method,
               .authority = "example.com",
               .path_with_query = "/a?b=c",
               .fields = kFields,
               .has_body = setup.has_body},
              stdio_, limits_of(setup), {.waker = bell_.waker()}) {}

  HttpTask& task() { return task_; }
  Bell& bell() { return bell_; }

  // Polls until the task is done, waiting where it waits and taking what there is.
  void to_end() {
    for (auto state = task_.poll(); state != HttpTask::State::done; state = task_.poll()) {
      if (state == HttpTask::State::runnable) continue;
      take();
      bell_.wait();
    }
  }
  const HttpResponseHead& head() {
    if (!head_) head_ = task_.take_head();
    return *head_;
  }
  // Of a task that is done.
  const std::string& body() {
    take();
    return body_;
  }
  [[nodiscard]] HttpBody last() const { return last_; }

 private:
  static constexpr std::array<HttpRequestHead::Field, 3> kFields = {
      {{"host", "example.com"}, {"connection", "close"}, {"x-test", "1"}}};

  static TaskLimits limits_of(const Conditions& setup) {
    TaskLimits limits = setup.limits;
    if (setup.timeout) limits.deadline = Clock::now() + *setup.timeout;
    return limits;
  }
  void take() {
    if (task_.answer() != HttpAnswer::head) return;
    (void)head();
    last_ = task_.take_body(body_, 1 << 20);
  }

  Bell bell_;
  BufferedStdio stdio_{"", 1024, 1024};
  Program program_;
  HttpTask task_;
  std::optional<HttpResponseHead> head_;
  std::string body_;
  HttpBody last_ = HttpBody::more;
};

// Polls past yields, which a tick may bring at any time.
HttpTask::State settled(HttpTask& task) {
  auto state = task.poll();
  while (state == HttpTask::State::runnable) state = task.poll();
  return state;
}

class HttpTaskTest : public testing::TestWithParam<Linking> {
 protected:
  void SetUp() override { linking = GetParam(); }
  void TearDown() override { linking = Linking::plain; }

  std::jthread ticker_{[](const std::stop_token& stop) { shared_engine().run_ticker(stop); }};
};

TEST_P(HttpTaskTest, AnswersWithoutAWaitAndWakesNobody) {
  HttpRun run(http_component(answer_with(1048, 5)));
  // A tick of the clock may fall into it; nothing else keeps it from its end.
  EXPECT_EQ(settled(run.task()), HttpTask::State::done);
  EXPECT_EQ(run.task().ending().kind, EndKind::returned);
  ASSERT_EQ(run.task().answer(), HttpAnswer::head);
  const HttpResponseHead& head = run.head();
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.fields.empty());
  EXPECT_EQ(run.body(), "hello");
  EXPECT_EQ(run.last(), HttpBody::end);
  EXPECT_EQ(run.bell().count(), 0);
  EXPECT_EQ(run.task().poll(), HttpTask::State::done);
}

TEST_P(HttpTaskTest, FieldsAndDeclaredLengthArrive) {
  HttpRun run(http_component(
      "(local.set $c (call $fields))"
      "(call $field (local.get $c) (i32.const 1024) (i32.const 14) (i32.const 1040) (i32.const 2))"
      "(local.set $a (call $begin (local.get $outparam) (local.get $c)))"
      "(local.set $b (call $open (local.get $a)))"
      "(drop (call $say (local.get $b) (i32.const 1048) (i32.const 5)))"
      "(drop (call $say (local.get $b) (i32.const 1048) (i32.const 5)))"
      "(drop (call $close (local.get $a) (local.get $b)))"));
  run.to_end();
  ASSERT_EQ(run.task().answer(), HttpAnswer::head);
  const HttpResponseHead& head = run.head();
  EXPECT_EQ(head.content_length, 10U);
  ASSERT_EQ(head.fields.size(), 1U);
  EXPECT_EQ(head.fields[0].name, "content-length");
  EXPECT_EQ(run.body(), "hellohello");
  EXPECT_EQ(run.last(), HttpBody::end);
}

std::string declares_ten_and_says(int offset, int size) {
  return fmt::format(
      "(local.set $c (call $fields))"
      "(call $field (local.get $c) (i32.const 1024) (i32.const 14) (i32.const 1040) (i32.const 2))"
      "(local.set $a (call $begin (local.get $outparam) (local.get $c)))"
      "(local.set $b (call $open (local.get $a)))"
      "(drop (call $say (local.get $b) (i32.const {}) (i32.const {})))"
      "(drop (call $close (local.get $a) (local.get $b)))",
      offset, size);
}

TEST_P(HttpTaskTest, ABodyShorterThanDeclaredFails) {
  HttpRun run(http_component(declares_ten_and_says(1048, 5)));
  run.to_end();
  (void)run.head();
  EXPECT_EQ(run.body(), "hello");
  EXPECT_EQ(run.last(), HttpBody::failed);
  EXPECT_EQ(run.task().body_error(),
            "ended after 5 of the 10 bytes that its content-length declares");
}

TEST_P(HttpTaskTest, ABodyLongerThanDeclaredFails) {
  HttpRun run(http_component(declares_ten_and_says(1056, 12)));
  run.to_end();
  (void)run.head();
  EXPECT_EQ(run.body(), "");
  EXPECT_EQ(run.last(), HttpBody::failed);
  EXPECT_THAT(run.task().body_error(), HasSubstr("is longer than the 10 bytes"));
}

TEST_P(HttpTaskTest, AHeadRequestHasNoBodyWhateverIsDeclared) {
  HttpRun run(http_component(declares_ten_and_says(1048, 5)), {.method = "HEAD"});
  run.to_end();
  EXPECT_EQ(run.head().content_length, 10U);
  EXPECT_EQ(run.body(), "");
  EXPECT_EQ(run.last(), HttpBody::end);
}

TEST_P(HttpTaskTest, NoAnswerIsToldFromADroppedOne) {
  HttpRun none(http_component(""));
  none.to_end();
  EXPECT_EQ(none.task().answer(), HttpAnswer::none);
  EXPECT_EQ(none.task().ending().kind, EndKind::returned);

  HttpRun dropped(http_component("(call $drop_outparam (local.get $outparam))"));
  dropped.to_end();
  EXPECT_EQ(dropped.task().answer(), HttpAnswer::dropped);
}

TEST_P(HttpTaskTest, AnErrorCodeIsNamedAsTheStandardSpellsIt) {
  HttpRun run(http_component("(call $refuse (local.get $outparam) (i32.const 33))"));
  run.to_end();
  ASSERT_EQ(run.task().answer(), HttpAnswer::error_code);
  EXPECT_EQ(run.task().answer_error(), "HTTP-response-timeout");
}

TEST_P(HttpTaskTest, ASecondAnswerTraps) {
  HttpRun run(
      http_component("(drop (call $begin (local.get $outparam) (call $fields)))"
                     "(drop (call $begin (local.get $outparam) (call $fields)))"));
  run.to_end();
  EXPECT_EQ(run.task().ending().kind, EndKind::trapped);
  EXPECT_EQ(run.task().answer(), HttpAnswer::head);
}

TEST_P(HttpTaskTest, ATrapBeforeTheHeadLeavesNoAnswer) {
  HttpRun run(http_component("unreachable"));
  run.to_end();
  EXPECT_EQ(run.task().ending().kind, EndKind::trapped);
  EXPECT_EQ(run.task().answer(), HttpAnswer::none);
}

TEST_P(HttpTaskTest, ATrapWithinTheBodyFailsIt) {
  HttpRun run(
      http_component("(local.set $a (call $begin (local.get $outparam) (call $fields)))"
                     "(local.set $b (call $open (local.get $a)))"
                     "(drop (call $say (local.get $b) (i32.const 1048) (i32.const 5)))"
                     "unreachable"));
  run.to_end();
  EXPECT_EQ(run.task().ending().kind, EndKind::trapped);
  (void)run.head();
  EXPECT_EQ(run.body(), "hello");
  EXPECT_EQ(run.last(), HttpBody::failed);
  EXPECT_EQ(run.task().body_error(), "the guest ended before its body did");
}

TEST_P(HttpTaskTest, ATrapAfterAWholeBodyLeavesItGood) {
  HttpRun run(http_component(answer_with(1048, 5) + "unreachable"));
  run.to_end();
  EXPECT_EQ(run.task().ending().kind, EndKind::trapped);
  (void)run.head();
  EXPECT_EQ(run.body(), "hello");
  EXPECT_EQ(run.last(), HttpBody::end);
}

TEST_P(HttpTaskTest, ADroppedBodyFails) {
  HttpRun run(
      http_component("(local.set $a (call $begin (local.get $outparam) (call $fields)))"
                     "(call $drop_stream (call $open (local.get $a)))"
                     "(call $drop_body (local.get $a))"));
  run.to_end();
  (void)run.head();
  EXPECT_EQ(run.body(), "");
  EXPECT_EQ(run.last(), HttpBody::failed);
}

TEST_P(HttpTaskTest, ALoopYieldsAndEndsAtItsDeadline) {
  Conditions setup;
  setup.timeout = milliseconds(50);
  HttpRun run(http_component("(loop $again (br $again))"), setup);
  int slices = 0;
  while (run.task().poll() == HttpTask::State::runnable) ++slices;
  EXPECT_GT(slices, 1);
  EXPECT_EQ(run.task().ending().kind, EndKind::time_limit);
  EXPECT_EQ(run.task().answer(), HttpAnswer::none);
}

TEST_P(HttpTaskTest, ALoopAfterTheHeadKeepsTheHeadAndFailsTheBody) {
  Conditions setup;
  const std::string component = http_component(
      "(drop (call $begin (local.get $outparam) (call $fields)))"
      "(loop $again (br $again))");
  setup.timeout = milliseconds(50);
  HttpRun run(component, setup);
  // The first slice may end before the head.
  while (run.task().answer() == HttpAnswer::pending) {
    ASSERT_EQ(run.task().poll(), HttpTask::State::runnable);
  }
  EXPECT_EQ(run.task().answer(), HttpAnswer::head);
  run.to_end();
  EXPECT_EQ(run.task().ending().kind, EndKind::time_limit);
  (void)run.head();
  EXPECT_EQ(run.body(), "");
  EXPECT_EQ(run.last(), HttpBody::failed);
}

TEST_P(HttpTaskTest, MemoryBeyondTheLimitIsRefused) {
  Conditions setup;
  setup.limits.memory_bytes_max = 1 << 20;
  HttpRun run(http_component("(if (i32.eq (memory.grow (i32.const 64)) (i32.const -1))"
                             "  (then unreachable))"),
              setup);
  run.to_end();
  EXPECT_EQ(run.task().ending().kind, EndKind::memory_limit);
}

TEST_P(HttpTaskTest, SleepWaitsForTheWakerAndWakesOnce) {
  HttpRun run(http_component("(call $sleep (i64.const 20000000))" + answer_with(1048, 5)));
  const TimePoint began = Clock::now();
  ASSERT_EQ(settled(run.task()), HttpTask::State::waiting);
  EXPECT_EQ(run.task().wake_at(), TimePoint::max());
  run.bell().wait();
  EXPECT_GE(Clock::now() - began, milliseconds(20));
  EXPECT_EQ(settled(run.task()), HttpTask::State::done);
  EXPECT_EQ(run.bell().count(), 1);
  EXPECT_EQ(run.task().answer(), HttpAnswer::head);
}

TEST_P(HttpTaskTest, ASleeperEndsAtItsDeadline) {
  Conditions setup;
  setup.timeout = milliseconds(30);
  HttpRun run(http_component("(call $sleep (i64.const 60000000000))"), setup);
  ASSERT_EQ(settled(run.task()), HttpTask::State::waiting);
  std::this_thread::sleep_until(run.task().wake_at());
  EXPECT_EQ(run.task().poll(), HttpTask::State::done);
  EXPECT_EQ(run.task().ending().kind, EndKind::time_limit);
}

// Sends back what it hears.
std::string echo() {
  return http_component(
      "(local.set $c (call $incoming (local.get $request)))"
      "(local.set $a (call $begin (local.get $outparam) (call $fields)))"
      "(local.set $b (call $open (local.get $a)))"
      "(block $end (loop $again"
      "  (call $reset)"
      "  (br_if $end (call $hear (local.get $c) (i32.const 4096)))"
      "  (br_if $end (call $say (local.get $b) (call $heard) (call $heard_size)))"
      "  (br $again)))"
      "(drop (call $close (local.get $a) (local.get $b)))");
}

TEST_P(HttpTaskTest, BodiesStreamBothWays) {
  HttpRun run(echo(), {.method = "POST", .has_body = true});
  HttpTask& task = run.task();
  ASSERT_EQ(settled(task), HttpTask::State::waiting);
  ASSERT_EQ(task.answer(), HttpAnswer::head);
  (void)run.head();
  for (const std::string_view piece : {"one", "two"}) {
    // Back before the next is sent.
    EXPECT_EQ(task.feed(piece), piece.size());
    run.bell().wait();
    ASSERT_EQ(settled(task), HttpTask::State::waiting);
    std::string back;
    EXPECT_EQ(task.take_body(back, 100), HttpBody::more);
    EXPECT_EQ(back, piece);
  }
  task.finish_body();
  run.to_end();
  EXPECT_EQ(run.body(), "");
  EXPECT_EQ(run.last(), HttpBody::end);
  EXPECT_TRUE(task.is_body_dropped());
}

TEST_P(HttpTaskTest, BothSidesAreHeldBack) {
  HttpRun run(echo(), {.method = "POST", .has_body = true});
  HttpTask& task = run.task();
  // Nobody takes the response: the guest stops hearing, and feed() stops taking.
  const std::string piece(16 << 10, 'x');
  std::size_t fed = 0;
  while (fed < (8U << 20)) {
    const std::size_t taken = task.feed(piece);
    fed += taken;
    for (auto state = task.poll(); state == HttpTask::State::runnable;) state = task.poll();
    if (taken == 0) break;
  }
  EXPECT_LE(fed, 2 * HttpTask::kRequestBufferBytesMax + HttpTask::kResponseBufferBytesMax +
                     2 * piece.size());
  EXPECT_EQ(task.body_room(), 0U);
  ASSERT_EQ(task.answer(), HttpAnswer::head);
  (void)run.head();
  // As it is taken, it goes on, byte for byte.
  task.finish_body();
  std::string back;
  HttpBody state = HttpBody::more;
  while (state == HttpBody::more) {
    state = task.take_body(back, 1000);
    (void)task.poll();
  }
  EXPECT_EQ(state, HttpBody::end);
  EXPECT_EQ(back, std::string(fed, 'x'));
}

TEST_P(HttpTaskTest, AFailedRequestBodyIsHeard) {
  HttpRun run(http_component("(local.set $c (call $incoming (local.get $request)))"
                             "(if (call $hear (local.get $c) (i32.const 10)) (then" +
                             answer_with(1048, 5) + "))"),
              {.method = "POST", .has_body = true});
  ASSERT_EQ(settled(run.task()), HttpTask::State::waiting);
  run.task().fail_body(HttpBodyFailure::hung_up);
  run.to_end();
  ASSERT_EQ(run.task().answer(), HttpAnswer::head);
  (void)run.head();
  EXPECT_EQ(run.body(), "hello");
}

TEST_P(HttpTaskTest, ABodyThatNobodyReadsIsDropped) {
  HttpRun run(http_component(answer_with(1048, 5)), {.method = "POST", .has_body = true});
  EXPECT_FALSE(run.task().is_body_dropped());
  run.to_end();
  EXPECT_TRUE(run.task().is_body_dropped());
  EXPECT_EQ(run.task().feed("anything"), 8U);
  run.task().finish_body();
}

TEST_P(HttpTaskTest, DroppingATaskEndsItWhereverItIs) {
  for (const char* body : {"(call $sleep (i64.const 60000000000))", "(loop $again (br $again))"}) {
    HttpRun run(http_component(body));
    (void)run.task().poll();
  }
}

TEST_P(HttpTaskTest, AModuleAnswersNoRequests) {
  HttpRun run("(module)");
  EXPECT_EQ(run.task().poll(), HttpTask::State::done);
  EXPECT_EQ(run.task().ending().kind, EndKind::failed);
  EXPECT_EQ(run.task().answer(), HttpAnswer::none);
}

INSTANTIATE_TEST_SUITE_P(PlainAndFolded, HttpTaskTest,
                         testing::Values(Linking::plain, Linking::shimmed));

TEST(Component, KindAndInterfacesAreTold) {
  const Program program = program_of(http_component(""));
  EXPECT_EQ(program.kind(), ProgramKind::http_component);
  EXPECT_TRUE(program.has_export("wasi:http/incoming-handler@0.2.0"));
  EXPECT_EQ(program.imports().front().module, "wasi:io/poll@0.2.0");
  EXPECT_TRUE(shared_engine().probe(program, 1 << 20));
}

TEST(Component, AVersionThatIsNotServedIsToldWithThoseThatAre) {
  const auto program =
      try_program(R"((component (import "wasi:http/types@0.3.0-rc-2025-09-16" (instance))))");
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().message,
            "it is built for wasi:http/types@0.3.0-rc-2025-09-16; served are the versions 0.2.0 to "
            "0.2.12 and 0.3.0: build it with tools that target one of these");
}

TEST(Component, APackageThatIsNotServedIsNamed) {
  const auto program =
      try_program(R"((component (import "wasi:keyvalue/store@0.2.0" (instance))))");
  ASSERT_FALSE(program);
  EXPECT_THAT(program.error().message, HasSubstr("it imports wasi:keyvalue/store@0.2.0, which is "
                                                 "not served"));
}

TEST(Component, WithoutAnHttpExportItSaysWhatToDo) {
  const Program none = program_of("(component)");
  EXPECT_EQ(none.kind(), ProgramKind::other_component);
  EXPECT_THAT(none.why_no_http(), HasSubstr("exports neither wasi:http/incoming-handler@0.2"));
  const Program old = program_of(
      R"((component (instance $i) (export "wasi:http/handler@0.3.0-rc-2025-09-16" (instance $i))))");
  EXPECT_THAT(old.why_no_http(),
              HasSubstr("exports wasi:http/handler@0.3.0-rc-2025-09-16; served are"));
}

}  // namespace
}  // namespace funcd::engine
