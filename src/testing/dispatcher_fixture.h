#pragma once

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/loop.h"
#include "engine/engine_fixture.h"
#include "invoke/dispatcher.h"
#include "testing/fake_exchange.h"

namespace funcd::invoke {

using std::chrono::milliseconds;
using testing::FakeExchange;

inline engine::Engine& shared_engine() {
  static const auto engine = engine::new_engine({.instances_max = 64, .idle_instances_max = 4});
  return *engine;
}

// A function `name` at /name, of a module in text format.
inline std::shared_ptr<const registry::Revision> revision_of(
    const std::string& name, std::string_view text, registry::Limits limits = {},
    registry::ContractKind contract = registry::ContractKind::automatic) {
  auto program = engine::program_of(shared_engine(), text);
  auto revision = std::make_shared<registry::Revision>();
  revision->function = std::make_shared<registry::Function>(name, 1);
  revision->manifest.limits = limits;
  revision->route = "/" + name;
  revision->contract = contract;
  revision->program = std::make_shared<registry::LazyProgram>(
      std::make_shared<const engine::Program>(std::move(program)));
  return revision;
}

// A dispatcher and all it needs; requests come from fake exchanges.
class DispatcherTest : public ::testing::Test {
 protected:
  void serve(std::vector<std::shared_ptr<const registry::Revision>> revisions) {
    auto catalog = registry::Catalog::build(std::move(revisions));
    CHECK(catalog.has_value(), "{}", catalog.error().message);
    dispatcher_.publish(std::move(*catalog));
  }

  // Runs the loop until the exchange has its response: a guest that meets a tick of the clock takes
  // a turn more than one that does not.
  const http::Response& response_to(FakeExchange& exchange) {
    run_until([&exchange] { return exchange.response().has_value(); });
    return *exchange.response();
  }

  // One function, f, which count() is about.
  void serve_one(std::string_view text, registry::ContractKind contract, registry::Limits limits) {
    revision_ = revision_of("f", text, limits, contract);
    serve({revision_});
  }
  [[nodiscard]] std::uint64_t count(Reason reason) const {
    return revision_->function->metrics.totals().by_reason[static_cast<std::size_t>(reason)];
  }

  // Runs what is to be run now; a guest that is out of its slice has the next.
  void run_until(const std::function<bool()>& is_true) {
    const auto work = boost::asio::make_work_guard(loop_.io());
    loop_.io().restart();  // the guard of an earlier call may have been its last work
    while (!is_true()) loop_.io().run_one();
  }

  std::shared_ptr<const registry::Revision> revision_;
  std::jthread ticker_{[](const std::stop_token& stop) { shared_engine().run_ticker(stop); }};
  Loop loop_;
  static constexpr std::size_t kIdleInstancesMax = 4;
  Admission admission_{{.running_max = 8, .waiting_max = 2}, 1};
  bool is_building_ = false;
  Dispatcher dispatcher_{
      loop_,
      admission_,
      {.idle_instances_max = kIdleInstancesMax,
       .queue_timeout = milliseconds(30),
       .build_timeout = milliseconds(30),
       .is_building = [this](std::string_view, const registry::Catalog&) { return is_building_; },
       .load = [this](const registry::Revision&,
                      auto on_loaded) { loads_.push_back(std::move(on_loaded)); }}};
  std::vector<std::function<void(Result<>)>> loads_;  // of programs that were asked for
};

}  // namespace funcd::invoke
