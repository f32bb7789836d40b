// What a request allocates on its way through a function, the engine's own allocations in the
// bridge apart.

#include <fmt/format.h>

#include <deque>

#include "testing/counted_new.h"
#include "testing/dispatcher_fixture.h"

namespace funcd::invoke {
namespace {

using testing::allocations;

// Prints seven bytes, and imports one function more.
constexpr std::string_view kPrints = R"((module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "{}" (func (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\07\00\00\00") (data (i32.const 16) "{{\"a\":1}}")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))";

constexpr std::size_t kRequests = 1000;
// Of all requests together: the table of invocations, and what else grows.
constexpr std::size_t kOnceMax = 10;

class DispatcherAllocationTest : public DispatcherTest {
 protected:
  // Allocations of all requests to a program that imports `function`.
  std::size_t allocations_with(std::string_view function) {
    ticker_ = {};  // a guest that is interrupted keeps its place until the loop runs
    serve({revision_of("f", fmt::format(kPrints, function), {}, registry::ContractKind::data)});
    std::deque<FakeExchange> exchanges;
    for (std::size_t i = 0; i < kRequests + 10; ++i) exchanges.emplace_back("GET", "/f");
    for (std::size_t i = 0; i < 10; ++i) dispatcher_.on_request(exchanges[i]);
    const std::size_t before = allocations;
    for (std::size_t i = 10; i < exchanges.size(); ++i) dispatcher_.on_request(exchanges[i]);
    const std::size_t used = allocations - before;
    EXPECT_EQ(exchanges.back().response().value().status, 200);
    RecordProperty("allocations_per_1000_requests", static_cast<int>(used));
    return used;
  }
};

TEST_F(DispatcherAllocationTest, ARequestAllocatesNothing) {
  EXPECT_LE(allocations_with("random_get"), kOnceMax);
}

TEST_F(DispatcherAllocationTest, AnEnvironmentIsOneBlock) {
  EXPECT_LE(allocations_with("environ_get"), kRequests + kOnceMax);
}

}  // namespace
}  // namespace funcd::invoke
