#include <gmock/gmock.h>

#include "engine/http_fixture.h"
#include "testing/dispatcher_fixture.h"

namespace funcd::invoke {
namespace {

// Without a wait, for some 10 ms.
const std::string kWorks = R"((loop $again (local.set $i (i32.add (local.get $i) (i32.const 1)))
  (br_if $again (i32.lt_u (local.get $i) (i32.const 30000000)))))";

std::string on(int count, const std::string& body) {
  return fmt::format("(if (i32.eq (global.get $count) (i32.const {})) (then {}))", count, body);
}

class ComponentReuseTest : public DispatcherTest {
 protected:
  // A function whose answers have 200 and the count of requests that their instance has seen as
  // status.
  static std::shared_ptr<const registry::Revision> counting(const std::string& name,
                                                            std::uint32_t reuse,
                                                            const std::string& body = "",
                                                            registry::Limits limits = {}) {
    auto revision = std::make_shared<registry::Revision>(*revision_of(
        name, engine::http3_component(body), limits, registry::ContractKind::wasi_http));
    revision->manifest.reuse = reuse;
    return revision;
  }
  int status_of(const std::string& path) {
    FakeExchange exchange("GET", path);
    dispatcher_.on_request(exchange);
    return response_to(exchange).status;
  }
  std::vector<int> statuses_of(const std::string& path, int requests) {
    std::vector<int> statuses;
    for (int i = 0; i < requests; ++i) statuses.push_back(status_of(path));
    return statuses;
  }
};

using ::testing::ElementsAre;

TEST_F(ComponentReuseTest, IsOffByDefault) {
  serve({counting("f", 1)});
  EXPECT_THAT(statuses_of("/f", 3), ElementsAre(201, 201, 201));
  EXPECT_EQ(dispatcher_.instances_idle(), 0U);
}

TEST_F(ComponentReuseTest, AnInstanceAnswersAsManyAsItMay) {
  const auto f = counting("f", 3);
  serve({f});
  EXPECT_THAT(statuses_of("/f", 2), ElementsAre(201, 202));
  EXPECT_EQ(dispatcher_.instances_idle(), 1U);
  EXPECT_EQ(status_of("/f"), 203);
  EXPECT_EQ(dispatcher_.instances_idle(), 0U);
  EXPECT_EQ(status_of("/f"), 201);
  EXPECT_EQ(f->function->metrics.totals().reuses, 2U);
  EXPECT_EQ(admission_.running(), 0U);
}

TEST_F(ComponentReuseTest, FunctionsOfOneProgramShareNoInstance) {
  const auto f = counting("f", 10);
  auto g = std::make_shared<registry::Revision>(*f);
  g->function = std::make_shared<registry::Function>("g", 1);
  g->route = "/g";
  serve({f, g});
  EXPECT_THAT(statuses_of("/f", 2), ElementsAre(201, 202));
  EXPECT_THAT(statuses_of("/g", 2), ElementsAre(201, 202));
  EXPECT_EQ(status_of("/f"), 203);
}

TEST_F(ComponentReuseTest, OneRequestAtATimeHasAnInstance) {
  serve({counting("f", 10, kWorks)});
  FakeExchange first("GET", "/f");
  FakeExchange second("GET", "/f");
  dispatcher_.on_request(first);
  dispatcher_.on_request(second);
  EXPECT_EQ(response_to(first).status, 201);
  EXPECT_EQ(response_to(second).status, 201);
  EXPECT_EQ(dispatcher_.instances_idle(), 2U);
}

TEST_F(ComponentReuseTest, MoreFunctionsThanMayWaitAreAnsweredAllTheSame) {
  std::vector<std::shared_ptr<const registry::Revision>> revisions;
  for (int i = 0; i < 10; ++i) revisions.push_back(counting("f" + std::to_string(i), 10));
  serve(revisions);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(status_of("/f" + std::to_string(i)), 201);
  }
  EXPECT_EQ(dispatcher_.instances_idle(), kIdleInstancesMax);
  // The one that came last has not had to go.
  EXPECT_EQ(status_of("/f9"), 202);
}

TEST_F(ComponentReuseTest, ATrapAndATimeLimitEndTheInstanceAndNoOtherRequest) {
  serve({counting("f", 10, on(2, "unreachable")),
         counting("g", 10, on(2, "(loop $again (br $again))"), {.timeout = milliseconds(50)})});
  EXPECT_THAT(statuses_of("/f", 4), ElementsAre(201, 500, 201, 500));
  EXPECT_THAT(statuses_of("/g", 4), ElementsAre(201, 504, 201, 504));
  EXPECT_EQ(dispatcher_.instances_idle(), 0U);
}

TEST_F(ComponentReuseTest, AClientThatLeavesEndsTheInstanceThatWorksForIt) {
  serve({counting("f", 10, on(2, kWorks))});
  EXPECT_EQ(status_of("/f"), 201);
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  EXPECT_EQ(dispatcher_.instances_idle(), 0U);
  exchange.hang_up();
  EXPECT_EQ(dispatcher_.instances_idle(), 0U);
  EXPECT_EQ(status_of("/f"), 201);
}

TEST_F(ComponentReuseTest, ANewRevisionBeginsAnew) {
  const auto f = counting("f", 10);
  const auto g = counting("g", 10);
  serve({f, g});
  EXPECT_THAT(statuses_of("/f", 2), ElementsAre(201, 202));
  EXPECT_EQ(status_of("/g"), 201);
  serve({std::make_shared<registry::Revision>(*f), g});
  EXPECT_EQ(dispatcher_.instances_idle(), 1U);
  EXPECT_EQ(status_of("/f"), 201);
  EXPECT_EQ(status_of("/g"), 202);
}

TEST_F(ComponentReuseTest, OneThatWorksWhileItsRevisionIsReplacedIsNotKept) {
  const auto f = counting("f", 10, kWorks);
  serve({f});
  FakeExchange exchange("GET", "/f");
  dispatcher_.on_request(exchange);
  ASSERT_FALSE(exchange.response());
  serve({std::make_shared<registry::Revision>(*f)});
  EXPECT_EQ(response_to(exchange).status, 201);
  EXPECT_EQ(dispatcher_.instances_idle(), 0U);
}

TEST_F(ComponentReuseTest, OneThatBeginsAfterItsRevisionWasReplacedIsNotKept) {
  const auto f = counting("f", 10, "", {.concurrency = 1});
  serve({f});
  ASSERT_TRUE(admission_.enter(*f->function, 1));  // another worker has the function's only place
  FakeExchange first("GET", "/f");
  FakeExchange second("GET", "/f");
  dispatcher_.on_request(first);
  dispatcher_.on_request(second);
  serve({std::make_shared<registry::Revision>(*f)});
  admission_.leave(*f->function);
  EXPECT_EQ(response_to(first).status, 201);
  EXPECT_EQ(response_to(second).status, 201);
  EXPECT_EQ(dispatcher_.instances_idle(), 0U);
}

TEST_F(ComponentReuseTest, NoneWaitsWhileTheServerDrains) {
  serve({counting("f", 10)});
  EXPECT_EQ(status_of("/f"), 201);
  dispatcher_.drain();
  EXPECT_EQ(dispatcher_.instances_idle(), 0U);
  EXPECT_THAT(statuses_of("/f", 2), ElementsAre(201, 201));
}

TEST_F(ComponentReuseTest, ItsProgramStaysInMemoryWhileItWaits) {
  const auto f = counting("f", 10);
  auto lazy = std::make_shared<registry::Revision>(*f);
  lazy->program = std::make_shared<registry::LazyProgram>(
      registry::CodeName{}, f->program->share(), registry::LazyProgram::Stay::while_in_use);
  serve({lazy});
  EXPECT_EQ(status_of("/f"), 201);
  EXPECT_FALSE(lazy->program->unload_unused_since(Clock::now() + milliseconds(1000)));
  dispatcher_.drain();
  EXPECT_TRUE(lazy->program->unload_unused_since(Clock::now() + milliseconds(1000)));
}

}  // namespace
}  // namespace funcd::invoke
