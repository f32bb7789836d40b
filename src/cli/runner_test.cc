#include "cli/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/temp_folder.h"

namespace funcd::cli {
namespace {

using engine::Ending;
using engine::EndKind;
using ::testing::HasSubstr;

TEST(RunEnv, SplitsAtTheFirstEqualsSign) {
  EXPECT_EQ(*parse_env("A=1"), std::pair(std::string("A"), std::string("1")));
  EXPECT_EQ(*parse_env("A=x=y"), std::pair(std::string("A"), std::string("x=y")));
  EXPECT_EQ(*parse_env("A="), std::pair(std::string("A"), std::string()));
  EXPECT_EQ(*parse_env("A"), std::pair(std::string("A"), std::string()));
}

TEST(RunEnv, NeedsAName) {
  EXPECT_FALSE(parse_env("=1"));
  EXPECT_FALSE(parse_env(""));
}

class RunMount : public ::testing::Test {
 protected:
  RunMount() {
    folder_.write("file", "x");
    folder_.make_folder("sub");
  }

  TempFolder folder_;
};

TEST_F(RunMount, HostIsMadeAbsoluteAndGuestKept) {
  const auto mount = parse_mount(folder_ / "sub/..::/data");
  ASSERT_TRUE(mount) << mount.error().message;
  EXPECT_EQ(mount->host, folder_.path());
  EXPECT_EQ(mount->guest, "/data");
  EXPECT_TRUE(mount->is_writable);
}

TEST_F(RunMount, OneNameIsForBoth) {
  const auto mount = parse_mount(folder_.path());
  ASSERT_TRUE(mount);
  EXPECT_EQ(mount->host, folder_.path());
  EXPECT_EQ(mount->guest, folder_.path());
}

TEST_F(RunMount, ErrorsNameTheFlagAndTheFolder) {
  EXPECT_THAT(parse_mount(folder_ / "none").error().message, HasSubstr("none"));
  EXPECT_THAT(parse_mount(folder_ / "file::/x").error().message, HasSubstr("file is no folder"));
  EXPECT_THAT(parse_mount("::/data").error().message, HasSubstr("--dir ::/data: expected"));
  EXPECT_FALSE(parse_mount(folder_.path() + "::"));
}

TEST(RunExitCode, IsTheGuestsOwnWhereItHasOne) {
  EXPECT_EQ(exit_code_of({EndKind::returned, 0, {}, {}}), 0);
  EXPECT_EQ(exit_code_of({EndKind::exited, 0, {}, {}}), 0);
  EXPECT_EQ(exit_code_of({EndKind::exited, 3, {}, {}}), 3);
  EXPECT_EQ(exit_code_of({EndKind::exited, 255, {}, {}}), 255);
}

TEST(RunExitCode, NeverLooksLikeSuccessByAccident) {
  EXPECT_EQ(exit_code_of({EndKind::exited, 256, {}, {}}), 1);
  EXPECT_EQ(exit_code_of({EndKind::exited, -256, {}, {}}), 1);
  EXPECT_EQ(exit_code_of({EndKind::trapped, 0, {}, {}}), 134);
  EXPECT_EQ(exit_code_of({EndKind::memory_limit, 0, {}, {}}), 134);
  EXPECT_EQ(exit_code_of({EndKind::time_limit, 0, {}, {}}), 124);
  EXPECT_EQ(exit_code_of({EndKind::failed, 0, {}, {}}), 1);
}

TEST(RunExitCode, OfAGuestThatGaveUpForLackOfMemoryIsItsOwn) {
  EXPECT_EQ(exit_code_of({EndKind::memory_limit, 2, {}, {}}), 2);
}

// A program from text, on an engine for one instance.
class Runner : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    engine::EngineOptions options;
    options.instances_max = 1;
    auto created = engine::Engine::create(options);
    ASSERT_TRUE(created) << created.error().message;
    engine_ = std::move(*created);
  }
  static void TearDownTestSuite() { engine_.reset(); }

  static Ending run(std::string_view wat, const RunRequest& request = {}) {
    const auto wasm = engine::Engine::wasm_from_text(wat);
    EXPECT_TRUE(wasm) << wasm.error().message;
    const auto code = engine_->compile(*wasm);
    EXPECT_TRUE(code) << code.error().message;
    const auto program = engine_->load(*code, engine::FileAccess::none);
    EXPECT_TRUE(program) << program.error().message;
    return run_to_end(*engine_, *program, request);
  }

  static std::unique_ptr<engine::Engine> engine_;
};
std::unique_ptr<engine::Engine> Runner::engine_;

TEST_F(Runner, ATightLoopEndsAtItsLimit) {
  RunRequest request;
  request.timeout = std::chrono::milliseconds(50);
  const auto ending = run(
      R"((module (memory (export "memory") 1) (func (export "_start") (loop (br 0)))))", request);
  EXPECT_EQ(ending.kind, EndKind::time_limit);
}

TEST_F(Runner, SleepIsWaitedFor) {
  // poll_oneoff with one subscription: monotonic clock, 20 ms, relative.
  const auto* wat = R"((module
    (import "wasi_snapshot_preview1" "poll_oneoff"
      (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "\01\00\00\00")
    (data (i32.const 24) "\00\2d\31\01\00\00\00\00")
    (func (export "_start")
      (call $exit (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))))";
  const auto started_at = Clock::now();
  const auto ending = run(wat);
  EXPECT_EQ(ending.kind, EndKind::exited);
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_GE(Clock::now() - started_at, std::chrono::milliseconds(20));
}

TEST_F(Runner, ATrapHasItsReasonAndFrames) {
  const auto ending = run(R"((module (memory (export "memory") 1)
    (func $deep (unreachable)) (func (export "_start") (call $deep))))");
  EXPECT_EQ(ending.kind, EndKind::trapped);
  EXPECT_THAT(ending.message, HasSubstr("unreachable"));
  EXPECT_THAT(ending.trace, HasSubstr("deep"));
}

}  // namespace
}  // namespace funcd::cli
