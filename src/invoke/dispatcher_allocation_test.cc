// What a request allocates on its way through a function, the engine's own allocations in the
// bridge apart. This file replaces the global operator new of the test program by one that counts.

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <new>

#include "base/check.h"
#include "engine/engine.h"
#include "invoke/dispatcher.h"
#include "testing/fake_exchange.h"

namespace {

thread_local std::size_t allocations = 0;

void* counted(std::size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes);
}
void* operator new[](std::size_t bytes) {
  return counted(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace funcd::invoke {
namespace {

using testing::FakeExchange;

constexpr std::string_view kPrints = R"((module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\07\00\00\00") (data (i32.const 16) "{\"a\":1}")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))";

// Arguments and environment as blocks (bytes and offsets of each) and the invocation itself.
constexpr std::size_t kPerRequestMax = 8;
constexpr std::size_t kRequests = 1000;

std::shared_ptr<const registry::Revision> revision_of(const engine::Engine& engine) {
  const auto wasm = engine::Engine::wasm_from_text(kPrints);
  CHECK(wasm.has_value());
  auto program = engine.load(*engine.compile(*wasm), engine::FileAccess::none);
  CHECK(program.has_value());
  auto revision = std::make_shared<registry::Revision>();
  revision->function = std::make_shared<registry::Function>("f", 1);
  revision->contract = registry::ContractKind::data;
  revision->route = "/f";
  revision->program = std::make_shared<registry::LazyProgram>(
      std::make_shared<const engine::Program>(std::move(*program)));
  return revision;
}

TEST(Dispatcher, ARequestAllocatesLittle) {
  const auto engine = engine::Engine::create({.instances_max = 16});
  ASSERT_TRUE(engine);
  Loop loop;
  Admission admission({.running_max = 8, .waiting_max = 2}, 1);
  DispatcherOptions options;
  options.is_building = [](std::string_view) { return false; };
  Dispatcher dispatcher(loop, admission, options);
  auto catalog = registry::Catalog::build({revision_of(**engine)});
  ASSERT_TRUE(catalog);
  dispatcher.publish(std::move(*catalog));
  std::deque<FakeExchange> exchanges;
  for (std::size_t i = 0; i < kRequests + 10; ++i) exchanges.emplace_back("GET", "/f");
  for (std::size_t i = 0; i < 10; ++i) dispatcher.on_request(exchanges[i]);
  const std::size_t before = allocations;
  for (std::size_t i = 10; i < exchanges.size(); ++i) dispatcher.on_request(exchanges[i]);
  const std::size_t used = allocations - before;
  ASSERT_TRUE(exchanges.back().response());
  EXPECT_EQ(exchanges.back().response()->status, 200);
  EXPECT_LE(used, kPerRequestMax * kRequests);
  RecordProperty("allocations_per_1000_requests", static_cast<int>(used));
}

}  // namespace
}  // namespace funcd::invoke
