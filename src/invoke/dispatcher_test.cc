#include "invoke/dispatcher.h"

#include <gmock/gmock.h>

#include <deque>
#include <string>

#include "testing/dispatcher_fixture.h"

namespace funcd::invoke {
namespace {

constexpr std::string_view kPrints = R"((module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\07\00\00\00") (data (i32.const 16) "{\"a\":1}")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))";

constexpr std::string_view kLoops =
    R"((module (memory (export "memory") 1) (func (export "_start") (loop $l br $l))))";

constexpr std::string_view kTraps =
    R"((module (memory (export "memory") 1) (func (export "_start") unreachable)))";

// Sleeps for an hour.
constexpr std::string_view kSleeps = R"((module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const 3600000000000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))))";

TEST_F(DispatcherTest, AnswersAtOnceWhenTheGuestDoesNotWait) {
  serve({revision_of("f", kPrints)});
  ticker_ = {};
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  ASSERT_TRUE(exchange.response());
  EXPECT_EQ(exchange.response()->status, 200);
  EXPECT_EQ(exchange.response()->body, R"({"a":1})");
  EXPECT_EQ(admission_.running(), 0U);
}

TEST_F(DispatcherTest, UnknownPathIsCountedAndNotFound) {
  serve({revision_of("f", kPrints)});
  FakeExchange exchange("GET", "/g");
  dispatcher_.on_request(exchange);
  ASSERT_TRUE(exchange.response());
  EXPECT_EQ(exchange.response()->status, 404);
  EXPECT_EQ(dispatcher_.unmatched(Reason::not_found), 1U);
}

TEST_F(DispatcherTest, LoopingGuestEndsAndOthersAreServedMeanwhile) {
  serve({revision_of("loops", kLoops, {.timeout = milliseconds(400)}), revision_of("f", kPrints)});
  FakeExchange loops("GET", "/loops");
  dispatcher_.on_request(loops);
  ASSERT_FALSE(loops.response());
  FakeExchange quick("GET", "/f");
  dispatcher_.on_request(quick);
  EXPECT_EQ(response_to(quick).status, 200);
  EXPECT_FALSE(loops.response());
  EXPECT_EQ(response_to(loops).status, 504);
}

// Gives its slice back so often before it prints.
std::string yields(int times) {
  const std::string_view print = "(drop (call $fd_write";
  std::string text(kPrints);
  text.insert(text.find("(import"), R"((import "wasi_snapshot_preview1" "sched_yield"
    (func $sched_yield (result i32))) )");
  for (; times > 0; --times) text.insert(text.find(print), "(drop (call $sched_yield)) ");
  return text;
}

TEST_F(DispatcherTest, GuestThatIsDoneInItsThirdSliceIsDoneAtOnce) {
  serve({revision_of("two", yields(2)), revision_of("three", yields(3))});
  ticker_ = {};
  FakeExchange two("GET", "/two");
  dispatcher_.on_request(two);
  EXPECT_TRUE(two.response());
  FakeExchange three("GET", "/three");
  dispatcher_.on_request(three);
  EXPECT_FALSE(three.response());
  EXPECT_EQ(response_to(three).status, 200);
}

TEST_F(DispatcherTest, WhereGuestsWaitForTheirSlicesNobodyHasMoreThanOneAtOnce) {
  serve({revision_of("many", yields(1'000)), revision_of("one", yields(1))});
  ticker_ = {};
  std::deque<FakeExchange> waiting;
  for (int count = 0; count < 4; ++count) {
    dispatcher_.on_request(waiting.emplace_back("GET", "/many"));
  }
  FakeExchange one("GET", "/one");
  dispatcher_.on_request(one);
  EXPECT_FALSE(one.response());
  EXPECT_EQ(response_to(one).status, 200);
  for (FakeExchange& many : waiting) EXPECT_EQ(response_to(many).status, 200);
}

TEST_F(DispatcherTest, HangUpEndsTheGuest) {
  const auto revision = revision_of("sleeps", kSleeps);
  serve({revision});
  FakeExchange exchange("GET", "/sleeps");
  dispatcher_.on_request(exchange);
  EXPECT_EQ(admission_.running(), 1U);
  exchange.hang_up();
  EXPECT_EQ(admission_.running(), 0U);
  const auto totals = revision->function->metrics.totals();
  EXPECT_EQ(totals.by_reason[static_cast<std::size_t>(Reason::cancelled)], 1U);
}

TEST_F(DispatcherTest, FullFunctionHasOthersWaitThenRefusesThem) {
  serve({revision_of("sleeps", kSleeps, {.concurrency = 1})});
  FakeExchange running("GET", "/sleeps");
  FakeExchange waiting("GET", "/sleeps");
  FakeExchange waiting_too("GET", "/sleeps");
  FakeExchange one_more("GET", "/sleeps");
  for (FakeExchange* exchange : {&running, &waiting, &waiting_too, &one_more}) {
    dispatcher_.on_request(*exchange);
  }
  // The queue has two places.
  ASSERT_TRUE(one_more.response());
  EXPECT_EQ(one_more.response()->status, 503);
  EXPECT_THAT(one_more.response()->fields.bytes(), ::testing::HasSubstr("retry-after"));
  EXPECT_FALSE(waiting.response());
  EXPECT_EQ(response_to(waiting).status, 503);
}

TEST_F(DispatcherTest, PlaceThatBecomesFreeGoesToTheOldest) {
  serve({revision_of("sleeps", kSleeps, {.concurrency = 1})});
  FakeExchange running("GET", "/sleeps");
  FakeExchange waiting("GET", "/sleeps");
  dispatcher_.on_request(running);
  dispatcher_.on_request(waiting);
  EXPECT_EQ(admission_.waiting(), 1U);
  running.hang_up();
  loop_.io().poll();
  EXPECT_EQ(admission_.waiting(), 0U);
  EXPECT_EQ(admission_.running(), 1U);
}

TEST_F(DispatcherTest, RequestWaitsForAFirstBuild) {
  is_building_ = true;
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  EXPECT_FALSE(exchange.response());
  serve({revision_of("f", kPrints)});
  EXPECT_EQ(response_to(exchange).status, 200);
}

TEST_F(DispatcherTest, FirstBuildThatTakesTooLongIsToldSo) {
  is_building_ = true;
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  // However often others are published meanwhile.
  const TimePoint end = Clock::now() + std::chrono::seconds(5);
  run_until([&] {
    if (exchange.response() || Clock::now() > end) return true;
    serve({revision_of("other", kPrints)});
    boost::asio::post(loop_.io(), [] {});
    return false;
  });
  ASSERT_TRUE(exchange.response());
  const http::Response& response = *exchange.response();
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, ::testing::HasSubstr("building"));
}

// A function that is not in memory, and the program that it will have.
struct Unloaded {
  explicit Unloaded(std::string_view text, std::string route = "/f")
      : revision(revision_of("f", text)) {
    program = revision->program->share();
    auto copy = std::make_shared<registry::Revision>(*revision);
    copy->route = std::move(route);
    copy->program = std::make_shared<registry::LazyProgram>(registry::CodeName(),
                                                            registry::ProgramFacts::of(*program));
    revision = std::move(copy);
  }
  std::shared_ptr<const registry::Revision> revision;
  std::shared_ptr<const engine::Program> program;
};

TEST_F(DispatcherTest, RequestWaitsForAProgramThatIsNotInMemory) {
  const Unloaded unloaded(kPrints);
  serve({unloaded.revision});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  EXPECT_FALSE(exchange.response());
  ASSERT_EQ(loads_.size(), 1U);
  EXPECT_EQ(admission_.running(), 0U);  // it takes no place from others meanwhile
  unloaded.revision->program->load(unloaded.program);
  loads_.front()({});
  EXPECT_EQ(response_to(exchange).status, 200);
  EXPECT_EQ(admission_.running(), 0U);
}

// Prints its environment, which begins with DATA.
constexpr std::string_view kPrintsData = R"((module
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 64) (i32.const 1024)))
    (i32.store (i32.const 16) (i32.const 1029))
    (i32.store (i32.const 20) (i32.sub (i32.load (i32.const 4)) (i32.const 6)))
    (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8))))))";

// The catalog that a request has met is gone before the request goes on.
TEST_F(DispatcherTest, ParametersOfARouteOutliveItsCatalog) {
  const Unloaded unloaded(kPrintsData, "/f/{whose-name-is-long}/{b}");
  serve({unloaded.revision});
  FakeExchange exchange("GET", "/f/x/y");
  dispatcher_.on_request(exchange);
  serve({unloaded.revision});
  unloaded.revision->program->load(unloaded.program);
  loads_.front()({});
  EXPECT_THAT(response_to(exchange).body,
              ::testing::StartsWith(R"({"whose-name-is-long":"x","b":"y"})"));
}

TEST_F(DispatcherTest, ProgramThatLeavesMemoryBeforeItsRequestGoesOnIsAskedForAgain) {
  const Unloaded unloaded(kPrints);
  serve({unloaded.revision});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  loads_.front()({});  // and gone again
  while (loads_.size() < 2) loop_.io().run_one();
  EXPECT_FALSE(exchange.response());
  unloaded.revision->program->load(unloaded.program);
  loads_.back()({});
  EXPECT_EQ(response_to(exchange).status, 200);
}

TEST_F(DispatcherTest, ProgramThatCannotBeLoadedIsToldSo) {
  const Unloaded unloaded(kPrints);
  serve({unloaded.revision});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  loads_.front()(fail("its code is gone"));
  const http::Response& response = response_to(exchange);
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, ::testing::HasSubstr("its code is gone"));
}

TEST_F(DispatcherTest, ProgramThatTakesTooLongToLoadIsToldSo) {
  const Unloaded unloaded(kPrints);
  serve({unloaded.revision});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  const http::Response& response = response_to(exchange);
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, ::testing::HasSubstr("still being loaded"));
  loads_.front()({});  // nobody waits any more
  loop_.io().poll();
}

TEST_F(DispatcherTest, ClientThatLeavesBeforeItsProgramIsThereLeavesNothing) {
  const Unloaded unloaded(kPrints);
  serve({unloaded.revision});
  {
    FakeExchange exchange("GET", "/f");
    dispatcher_.on_request(exchange);
    exchange.hang_up();
  }
  unloaded.revision->program->load(unloaded.program);
  loads_.front()({});
  loop_.io().poll();
  EXPECT_EQ(admission_.running(), 0U);
}

TEST_F(DispatcherTest, BodyBeyondTheLimitNeverReachesTheGuest) {
  serve({revision_of("f", kPrints, {.request_body_bytes = 3})});
  FakeExchange exchange("POST", "/f", "four");
  dispatcher_.on_request(exchange);
  ASSERT_TRUE(exchange.response());
  EXPECT_EQ(exchange.response()->status, 413);
}

TEST_F(DispatcherTest, ACanaryTellsItsClientsWhoTheyAre) {
  const auto function = revision_of("f", kPrints);
  auto canary = std::make_shared<registry::Revision>(*revision_of("f", kTraps));
  canary->function = std::make_shared<registry::Function>("f", 1, 2);
  canary->manifest.canary = {.weight = registry::kWholeWeight,
                             .sticky = {.kind = registry::Stickiness::Kind::cookie}};
  dispatcher_.publish(*registry::Catalog::build({function}, false, {canary}));
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  EXPECT_EQ(response_to(exchange).status, 500);
  EXPECT_THAT(exchange.response()->fields.bytes(),
              ::testing::HasSubstr("set-cookie: funcd-client="));
  EXPECT_EQ(canary->function->metrics.totals().count(), 1U);
  EXPECT_EQ(function->function->metrics.totals().count(), 0U);
  // Without a share nobody meets it, and nobody is marked.
  canary = std::make_shared<registry::Revision>(*canary);
  canary->manifest.canary->weight = 0;
  dispatcher_.publish(*registry::Catalog::build({function}, false, {canary}));
  FakeExchange other("GET", "/f");
  dispatcher_.on_request(other);
  EXPECT_EQ(response_to(other).status, 200);
  EXPECT_THAT(other.response()->fields.bytes(), ::testing::Not(::testing::HasSubstr("set-cookie")));
}

TEST_F(DispatcherTest, InFlightKeepsItsRevision) {
  serve({revision_of("f", kSleeps, {.timeout = milliseconds(20)})});
  FakeExchange old("GET", "/f");
  dispatcher_.on_request(old);
  serve({revision_of("f", kPrints)});
  FakeExchange fresh("GET", "/f");
  dispatcher_.on_request(fresh);
  EXPECT_EQ(response_to(fresh).status, 200);
  EXPECT_EQ(response_to(old).status, 504);
}

}  // namespace
}  // namespace funcd::invoke
