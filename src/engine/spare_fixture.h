#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>

#include "engine/engine_fixture.h"
#include "engine/spare_instances.h"
#include "engine/task.h"

// What tests of spare instances begin with. Of the tests only.
namespace funcd::engine {

inline constexpr std::uint32_t kSpares = 4;
// Of one instance, after which a fresh one takes its place.
inline constexpr int kRunsMax = 4'096;

class SpareInstancesTest : public testing::Test {
 protected:
  SpareInstancesTest() {
    ticker_ = std::jthread([this](const std::stop_token& stop) { engine_->run_ticker(stop); });
  }
  Program component_of(std::string_view text) { return engine::program_of(*engine_, text); }
  // Its fields stand behind imports of proc_exit and sched_yield.
  Program program_of(std::string_view fields) {
    return component_of(fmt::format(R"((module
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
      {}))",
                                    fields));
  }
  Ending run(const Program& program, const char* entry = kCommandEntry,
             const TaskLimits& limits = {}) {
    return end_of(program, limits, {.entry = entry, .spares = &spares_});
  }
  // What it exits with.
  int exit_code_of(const Program& program, const char* entry = kCommandEntry) {
    const Ending ending = run(program, entry);
    EXPECT_EQ(ending.kind, EndKind::exited) << ending.message;
    return ending.exit_code;
  }
  // How many instances are left by two runs, one after the other: 1, where the second was the
  // first's.
  std::size_t left_by(const Program& program, const char* entry = kCommandEntry) {
    run(program, entry);
    run(program, entry);
    return spares_.sweep();
  }

  std::unique_ptr<Engine> engine_ =
      new_engine({.instances_max = 4 * kSpares, .spare_instances_max = kSpares});
  std::jthread ticker_;
  SpareInstances spares_{kSpares};
};

}  // namespace funcd::engine
