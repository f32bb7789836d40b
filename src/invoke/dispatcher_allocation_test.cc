// What a request allocates on its way through a function, the engine's own allocations in the
// bridge apart.

#include <deque>

#include "testing/counted_new.h"
#include "testing/dispatcher_fixture.h"

namespace funcd::invoke {
namespace {

using testing::allocations;

constexpr std::string_view kPrints = R"((module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\07\00\00\00") (data (i32.const 16) "{\"a\":1}")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))";

// Arguments and environment as blocks (bytes and offsets of each) and the invocation itself.
constexpr std::size_t kPerRequestMax = 8;
constexpr std::size_t kRequests = 1000;

TEST_F(DispatcherTest, ARequestAllocatesLittle) {
  serve({revision_of("f", kPrints, {}, registry::ContractKind::data)});
  std::deque<FakeExchange> exchanges;
  for (std::size_t i = 0; i < kRequests + 10; ++i) exchanges.emplace_back("GET", "/f");
  for (std::size_t i = 0; i < 10; ++i) dispatcher_.on_request(exchanges[i]);
  const std::size_t before = allocations;
  for (std::size_t i = 10; i < exchanges.size(); ++i) dispatcher_.on_request(exchanges[i]);
  const std::size_t used = allocations - before;
  ASSERT_TRUE(exchanges.back().response());
  EXPECT_EQ(exchanges.back().response()->status, 200);
  EXPECT_LE(used, kPerRequestMax * kRequests);
  RecordProperty("allocations_per_1000_requests", static_cast<int>(used));
}

}  // namespace
}  // namespace funcd::invoke
