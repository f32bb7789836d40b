// Guests that wait for their standard streams: asleep meanwhile, and told of everything.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "engine/engine_fixture.h"
#include "engine/task.h"

namespace funcd::engine {
namespace {

Engine& shared_engine() {
  static const auto engine = new_engine({.instances_max = 8});
  return *engine;
}

Program program_of(const std::string& body, FileAccess files) {
  return program_of(shared_engine(),
                    R"((module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 3)
    (func (export "_start") (local $n i32) )" +
                        body + "))",
                    files);
}

// Copies stdin to stdout, whatever part is taken.
constexpr const char* kEcho = R"(
  (block $done (loop $more
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 65536))
    (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
    (br_if $done (i32.eqz (i32.load (i32.const 8))))
    (local.set $n (i32.const 0))
    (loop $write
      (i32.store (i32.const 0) (i32.add (i32.const 1024) (local.get $n)))
      (i32.store (i32.const 4) (i32.sub (i32.load (i32.const 8)) (local.get $n)))
      (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))
        (then unreachable))
      (local.set $n (i32.add (local.get $n) (i32.load (i32.const 12))))
      (br_if $write (i32.lt_u (local.get $n) (i32.load (i32.const 8)))))
    (br $more))))";

// Streams that the test opens and shuts.
class GatedStdio final : public Stdio {
 public:
  std::int64_t read(std::span<std::uint8_t> into) override {
    ++reads;
    if (in.empty()) return is_ended ? 0 : kWait;
    const std::size_t size = std::min(into.size(), in.size());
    std::copy_n(in.begin(), size, into.begin());
    in.erase(0, size);
    return static_cast<std::int64_t>(size);
  }
  std::int64_t write(int /*descriptor*/, std::span<const std::uint8_t> bytes) override {
    if (room == 0) return kWait;
    EXPECT_LE(bytes.size(), kWriteBytesMax);
    out.append(bytes.begin(), bytes.end());
    room -= std::min(room, bytes.size());
    return static_cast<std::int64_t>(bytes.size());
  }
  [[nodiscard]] bool is_readable() const override { return !in.empty() || is_ended; }
  [[nodiscard]] bool is_writable(int /*descriptor*/) const override { return room > 0; }
  [[nodiscard]] bool is_terminal(int /*descriptor*/) const override { return false; }

  std::string in;
  bool is_ended = false;
  std::size_t room = 1 << 20;
  std::string out;
  int reads = 0;
};

class TaskWait : public ::testing::TestWithParam<FileAccess> {
 protected:
  // A task of a guest with `body`.
  Task& start(const std::string& body, TaskLimits limits = {}) {
    program_.emplace(program_of(body, GetParam()));
    TaskOptions options;
    options.waker = {[](void* /*context*/, std::uint64_t /*key*/) {}, nullptr, 0};
    task_.emplace(*program_, GuestInput{}, stdio_, limits, options);
    return *task_;
  }

  GatedStdio stdio_;
  std::optional<Program> program_;
  std::optional<Task> task_;
};

TEST_P(TaskWait, AReadWaitsForBytes) {
  Task& task = start(kEcho);
  EXPECT_EQ(task.poll(), Task::State::waiting);
  EXPECT_EQ(task.poll(), Task::State::waiting);
  stdio_.in = "one";
  EXPECT_EQ(task.poll(), Task::State::waiting);
  EXPECT_EQ(stdio_.out, "one");
  stdio_.in = "two";
  stdio_.is_ended = true;
  EXPECT_EQ(task.poll(), Task::State::done);
  EXPECT_EQ(stdio_.out, "onetwo");
  EXPECT_EQ(task.ending().kind, EndKind::returned) << task.ending().message;
}

TEST_P(TaskWait, AWriteWaitsForRoom) {
  Task& task = start(kEcho);
  stdio_.in = "onetwo";
  stdio_.is_ended = true;
  stdio_.room = 0;
  EXPECT_EQ(task.poll(), Task::State::waiting);
  EXPECT_EQ(task.poll(), Task::State::waiting);
  EXPECT_EQ(stdio_.out, "");
  stdio_.room = 100;
  EXPECT_EQ(task.poll(), Task::State::done);
  EXPECT_EQ(stdio_.out, "onetwo");
}

TEST_P(TaskWait, AWaitEndsAtTheDeadline) {
  TaskLimits limits;
  limits.deadline = Clock::now() + std::chrono::milliseconds(5);
  Task& task = start(kEcho, limits);
  EXPECT_EQ(task.poll(), Task::State::waiting);
  EXPECT_EQ(task.wake_at(), limits.deadline);
  while (Clock::now() < limits.deadline) {
  }
  EXPECT_EQ(task.poll(), Task::State::done);
  EXPECT_EQ(task.ending().kind, EndKind::time_limit);
}

TEST_P(TaskWait, PollOneoffWaitsForStdin) {
  // One subscription: fd_read of 0. What comes first is read and printed.
  Task& task = start(R"(
    (i64.store (i32.const 64) (i64.const 7))
    (i32.store8 (i32.const 72) (i32.const 1))
    (i32.store (i32.const 80) (i32.const 0))
    (if (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 16))
      (then unreachable)))" +
                     std::string(kEcho));
  EXPECT_EQ(task.poll(), Task::State::waiting);
  EXPECT_EQ(stdio_.reads, 0);
  stdio_.in = "x";
  EXPECT_EQ(task.poll(), Task::State::waiting);
  EXPECT_EQ(stdio_.out, "x");
  stdio_.is_ended = true;
  EXPECT_EQ(task.poll(), Task::State::done);
}

TEST_P(TaskWait, LargeWritesComeInPieces) {
  Task& task = start(kEcho);
  const std::string sent = std::string(65'536, 'a') + std::string(65'536, 'b');
  stdio_.in = sent;
  stdio_.is_ended = true;
  int waits = 0;
  for (stdio_.room = 1; task.poll() != Task::State::done; stdio_.room = 1) ++waits;
  EXPECT_GE(waits, 1);
  EXPECT_TRUE(stdio_.out == sent);
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutFiles, TaskWait,
                         ::testing::Values(FileAccess::none, FileAccess::mounts));

}  // namespace
}  // namespace funcd::engine
