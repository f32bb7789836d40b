#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/file.h"
#include "registry/registry.h"
#include "testing/temp_folder.h"

namespace funcd::registry {

inline const engine::Engine& the_engine() {
  static const auto engine = engine::Engine::create({.instances_max = 20}).value();
  return *engine;
}

inline std::string wasm_of(std::string_view wat) {
  const auto wasm = engine::Engine::wasm_from_text(wat);
  EXPECT_TRUE(wasm) << wasm.error().message;
  return wasm ? std::string(wasm->begin(), wasm->end()) : "";
}

// A command that does nothing; another artifact for each number.
inline std::string command(int number) {
  return wasm_of(fmt::format(
      R"((module (memory (export "memory") 1) (data (i32.const 8) "{}") (func (export "_start"))))",
      number));
}
// The same with `pages` of memory at its start.
inline std::string command_with_memory(int pages) {
  return wasm_of(
      fmt::format(R"((module (memory (export "memory") {}) (func (export "_start"))))", pages));
}

inline RegistryOptions options_for(const std::string& folder) {
  RegistryOptions options;
  options.folder = folder;
  options.ceilings = {.timeout = std::chrono::seconds(60),
                      .memory_bytes = 1ULL << 30,
                      .request_body_bytes = 1ULL << 30,
                      .response_body_bytes = 1ULL << 30,
                      .stderr_bytes = 1ULL << 20,
                      .concurrency = 1000};
  options.workers = 1;
  return options;
}

// A registry over a folder and a cache of its own.
class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() : options_(options_for(folder_.path())) {}
  ~RegistryTest() override { stop(); }

  // Runs the registry on a thread of its own.
  void start() {
    options_.on_change = [this] {
      const std::lock_guard lock(mutex_);
      ++changes_;
      changed_.notify_all();
    };
    registry_ = std::make_unique<Registry>(the_engine(), cache_.get(), options_,
                                           [this](std::shared_ptr<const Catalog> catalog) {
                                             const std::lock_guard lock(mutex_);
                                             catalogs_.push_back(std::move(catalog));
                                           });
    thread_ = std::jthread([this](const std::stop_token& stop) {
      const auto ran = registry_->run(stop);
      EXPECT_TRUE(ran) << ran.error().message;
    });
  }
  void stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
  }
  void start_and_wait() {
    start();
    ASSERT_TRUE(eventually([&] { return registry_->status().is_first_scan_done; }));
  }
  // One pass on this thread.
  Status build() {
    registry_ = std::make_unique<Registry>(the_engine(), cache_.get(), options_,
                                           [](const std::shared_ptr<const Catalog>&) {});
    const auto built = registry_->build_once();
    EXPECT_TRUE(built) << built.error().message;
    return registry_->status();
  }

  // Whether the condition comes true; asked again at each change.
  bool eventually(const std::function<bool()>& condition) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    std::unique_lock lock(mutex_);
    for (;;) {
      const int seen = changes_;
      lock.unlock();
      if (condition()) return true;
      lock.lock();
      if (!changed_.wait_until(lock, limit, [&] { return changes_ != seen; })) return false;
    }
  }

  // "live", "failed: why", ...; "" for a function that is not known.
  std::string state_of(std::string_view name) {
    for (const FunctionStatus& function : registry_->status().functions) {
      if (function.name != name) continue;
      const std::string state(name_of(function.state));
      return function.error.empty() ? state : state + ": " + function.error;
    }
    return "";
  }
  FunctionStatus status_of(std::string_view name) {
    for (FunctionStatus& function : registry_->status().functions) {
      if (function.name == name) return function;
    }
    return {};
  }
  // What a path meets now: its digest, or "" when nothing.
  std::string digest_at(std::string_view path) {
    const auto catalog = registry_->catalog();
    const Match match = catalog->match("GET", path);
    return match.kind == Match::Kind::found ? (*match.revision)->digest : "";
  }
  bool serves(std::string_view path, const std::string& artifact) {
    return digest_at(path) == sha256_hex(artifact);
  }

  TempFolder folder_;
  TempFolder cache_folder_;
  std::unique_ptr<storage::CodeCache> cache_;
  RegistryOptions options_;
  std::unique_ptr<Registry> registry_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int changes_ = 0;
  std::vector<std::shared_ptr<const Catalog>> catalogs_;
  std::jthread thread_;
};

}  // namespace funcd::registry
