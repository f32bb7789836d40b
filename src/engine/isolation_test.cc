// What one guest leaves behind, no other ever sees.

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <fstream>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "engine/engine_fixture.h"
#include "engine/task.h"

namespace funcd::engine {
namespace {

constexpr std::uint32_t kInstances = 16;
constexpr int kRounds = 100;  // many times all slots of the pool

enum Finding : int { clean = 0, memory = 1, grown = 2, table = 3, global = 4, descriptor = 5 };

// How an instance's memory begins: filled with the data of its module, or mapped from an image.
enum class Begins : std::uint8_t { filled, mapped };
constexpr std::array kBegins = {Begins::filled, Begins::mapped};

// A module of that many data segments more is mapped, however little is in them.
std::string segments_for(Begins begins) {
  constexpr int kSegments = 17;
  std::string segments;
  for (int i = 0; begins == Begins::mapped && i < kSegments; ++i) {
    segments += "(data (i32.const 0) \"\")";
  }
  return segments;
}

// Looks at every byte of memory, at all of its table, its globals and descriptors, and exits with
// what it finds; after that it soils them all. `data` is what its own memory begins with.
std::string suspicious_module(int data, Begins begins) {
  return fmt::format(R"((module
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_fdstat_get"
      (func $fd_fdstat_get (param i32 i32) (result i32)))
    (memory (export "memory") 2 64)
    (table $t 8 4096 funcref)
    (global $g (mut i64) (i64.const 42))
    (global $v (mut v128) (v128.const i64x2 0 0))
    (data (i32.const 0) "\{0:02x}")
    {2}
    (elem declare func $start)

    (func $find (param $what i32) (param $is_found i32)
      (if (local.get $is_found) (then (call $proc_exit (local.get $what)))))
    (func $look_at_bytes (param $what i32) (param $from i32) (param $to i32)
      (loop $more
        (call $find (local.get $what) (i64.ne (i64.load (local.get $from)) (i64.const 0)))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (br_if $more (i32.lt_u (local.get $from) (local.get $to)))))
    (func $look_at_table (local $at i32)
      (loop $more
        (call $find (i32.const 3) (i32.eqz (ref.is_null (table.get $t (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $at) (table.size $t)))))

    (func $look
      (call $find (i32.const 1) (i32.ne (memory.size) (i32.const 2)))
      (call $find (i32.const 1) (i32.ne (i32.load (i32.const 0)) (i32.const {1})))
      (call $look_at_bytes (i32.const 1) (i32.const 8) (i32.const 131072))
      (call $find (i32.const 2) (i32.eq (memory.grow (i32.const 62)) (i32.const -1)))
      (call $look_at_bytes (i32.const 2) (i32.const 131072) (i32.const 4194304))
      (call $find (i32.const 3) (i32.ne (table.size $t) (i32.const 8)))
      (call $look_at_table)
      (call $find (i32.const 3)
        (i32.eq (table.grow $t (ref.null func) (i32.const 4088)) (i32.const -1)))
      (call $look_at_table)
      (call $find (i32.const 4) (i64.ne (global.get $g) (i64.const 42)))
      (call $find (i32.const 4) (v128.any_true (global.get $v)))
      (call $find (i32.const 5) (call $fd_fdstat_get (i32.const 0) (i32.const 64)))
      (call $find (i32.const 5) (call $fd_fdstat_get (i32.const 1) (i32.const 64)))
      (call $find (i32.const 5) (call $fd_fdstat_get (i32.const 2) (i32.const 64))))

    (func $soil
      (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 4194304))
      (table.fill $t (i32.const 0) (ref.func $start) (i32.const 4096))
      (global.set $g (i64.const -1))
      (global.set $v (v128.const i64x2 -1 -1))
      (drop (call $fd_close (i32.const 0)))
      (drop (call $fd_close (i32.const 1)))
      (drop (call $fd_close (i32.const 2))))

    (func $start (export "_start") (call $look) (call $soil))
    (func (export "twice") (call $look) (call $soil) (call $look))
    (func (export "traps") (call $soil) unreachable)))",
                     data, data, segments_for(begins));
}

class Isolation : public ::testing::Test {
 protected:
  Program program_of(std::string_view text) { return engine::program_of(*engine_, text); }

  std::unique_ptr<Engine> engine_ = new_engine({.instances_max = kInstances});
};

TEST_F(Isolation, WhoLooksFindsWhatWasSoiled) {
  // The memory has grown, for one.
  for (const Begins begins : kBegins) {
    const Ending ending = end_of(program_of(suspicious_module(7, begins)), {}, {.entry = "twice"});
    EXPECT_EQ(ending.kind, EndKind::exited);
    EXPECT_EQ(ending.exit_code, Finding::memory);
  }
}

TEST_F(Isolation, AFreshInstanceHasNothingOfEarlierOnes) {
  std::vector<Program> programs;
  for (int data = 1; data <= 3; ++data) {
    for (const Begins begins : kBegins) {
      programs.push_back(program_of(suspicious_module(data, begins)));
    }
  }
  for (int round = 0; round < 2 * kRounds; ++round) {
    const auto at = [&](int ahead) -> const Program& {
      return programs[static_cast<std::size_t>(round + ahead) % programs.size()];
    };
    // One that ends by a trap, and the next of the same program and of others of both kinds.
    EXPECT_EQ(end_of(at(0), {}, {.entry = "traps"}).kind, EndKind::trapped);
    for (const int ahead : {0, 1, 2}) {
      const Ending ending = end_of(at(ahead));
      ASSERT_EQ(ending.kind, EndKind::returned)
          << "round " << round << ": finding " << ending.exit_code << " " << ending.message;
    }
  }
}

TEST_F(Isolation, NeitherHaveThoseThatLiveAtOnce) {
  const std::array programs = {program_of(suspicious_module(9, Begins::filled)),
                               program_of(suspicious_module(9, Begins::mapped))};
  for (int round = 0; round < kRounds / 5; ++round) {
    const Program& program = programs[static_cast<std::size_t>(round % 2)];
    std::vector<std::unique_ptr<BufferedStdio>> streams;
    std::vector<std::unique_ptr<Task>> tasks;
    for (std::uint32_t count = 0; count < kInstances; ++count) {
      streams.push_back(std::make_unique<BufferedStdio>(std::string_view(), 1 << 10, 1 << 10));
      tasks.push_back(std::make_unique<Task>(program, GuestInput{}, *streams.back(), TaskLimits{},
                                             TaskOptions{}));
    }
    for (const auto& task : tasks) {
      while (task->poll() != Task::State::done) {
      }
      ASSERT_EQ(task->ending().kind, EndKind::returned) << task->ending().exit_code;
    }
  }
}

// Looks at a whole memory of 8 MiB, and exits with 1 unless it is fresh; after that it writes to
// `count` pages of it, `step` bytes apart.
std::string scattered_module(int count, int step, Begins begins) {
  return fmt::format(R"((module
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (memory (export "memory") 128)
    (data (i32.const 65536) "image")
    {2}
    (func (export "_start") (local $at i32)
      (if (i32.ne (i32.load (i32.const 65536)) (i32.const 0x67616d69))
        (then (call $proc_exit (i32.const 1))))
      (i64.store (i32.const 65536) (i64.const 0))
      (loop $more
        (if (i64.ne (i64.load (local.get $at)) (i64.const 0))
          (then (call $proc_exit (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $more (i32.lt_u (local.get $at) (i32.const 8388608))))
      (local.set $at (i32.const 0))
      (loop $more
        (i64.store (local.get $at) (i64.const -1))
        (local.set $at (i32.add (local.get $at) (i32.const {1})))
        (br_if $more (i32.lt_u (local.get $at) (i32.const {0}))))))
  )",
                     count * step, step, segments_for(begins));
}

// More regions than a scan of pages reports: near each other, farther apart than what is written
// back between them, and more than are looked at.
TEST_F(Isolation, NeitherAreScatteredPages) {
  for (const auto& [count, step] :
       {std::pair{100, 8192}, std::pair{40, 16 * 4096}, std::pair{127, 16 * 4096},
        std::pair{1000, 8192}, std::pair{500, 4096}}) {
    for (const Begins begins : kBegins) {
      const Program program = program_of(scattered_module(count, step, begins));
      for (int round = 0; round < 20; ++round) {
        const Ending ending = end_of(program);
        ASSERT_EQ(ending.kind, EndKind::returned)
            << count << " pages, " << step << " bytes apart, round " << round;
      }
    }
  }
}

// Pages that the kernel moves while an instance ends are not present for a moment, and have to be
// made fresh all the same.
TEST_F(Isolation, NorWhileTheKernelMovesPages) {
  constexpr auto kMoving = std::chrono::seconds(5);
  std::ofstream compaction("/proc/sys/vm/compact_memory");
  if (!compaction) GTEST_SKIP() << "only root may have the kernel move pages";
  const std::jthread mover([&compaction](const std::stop_token& stop) {
    while (!stop.stop_requested()) compaction << "1" << std::flush;
  });
  const std::array programs = {program_of(suspicious_module(5, Begins::filled)),
                               program_of(suspicious_module(5, Begins::mapped))};
  const TimePoint end = Clock::now() + kMoving;
  for (int round = 0; Clock::now() < end; ++round) {
    const Ending ending = end_of(programs[static_cast<std::size_t>(round % 2)]);
    ASSERT_EQ(ending.kind, EndKind::returned)
        << "round " << round << ": finding " << ending.exit_code << " " << ending.message;
  }
}

}  // namespace
}  // namespace funcd::engine
