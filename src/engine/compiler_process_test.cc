#include "engine/compiler_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/check.h"

namespace funcd::engine {
namespace {

using ::testing::HasSubstr;

// The test program is what is started as a compiler: then it never gets to its tests.
__attribute__((constructor)) void be_a_compiler(int argc, char** argv) {
  if (argc < 2 || std::strcmp(argv[1], kCompilerVerb) != 0) return;
  std::_Exit(run_compiler({argv + 2, static_cast<std::size_t>(argc - 2)}));
}

const Engine& the_engine() {
  static const std::unique_ptr<Engine> engine = [] {
    auto made = Engine::create({.instances_max = 4});
    CHECK(made.has_value(), "{}", made.error().message);
    return std::move(*made);
  }();
  return *engine;
}

std::vector<std::uint8_t> wasm_of(std::string_view wat) {
  auto wasm = Engine::wasm_from_text(wat);
  CHECK(wasm.has_value(), "{}", wasm.error().message);
  return std::move(*wasm);
}

Result<std::vector<std::uint8_t>> compile(std::span<const std::uint8_t> wasm,
                                          const CompilerLimits& limits = {},
                                          Tier tier = Tier::optimized,
                                          const std::stop_token& stop = {}) {
  return CompilerProcess("/proc/self/exe", the_engine(), limits).compile(wasm, tier, stop);
}

// A function of so many additions: takes a compiler long.
std::vector<std::uint8_t> long_function(int additions) {
  std::string text = "(module (func (export \"_start\") (local i32) local.get 0 ";
  for (int i = 0; i < additions; ++i) text += "local.get 0 i32.add local.tee 0 ";
  return wasm_of(text + "drop))");
}

constexpr std::string_view kCommand =
    R"((module (memory (export "memory") 1) (func (export "_start"))))";

TEST(CompilerProcess, ItsCodeIsTheEnginesOwn) {
  const auto code = compile(wasm_of(kCommand));
  ASSERT_TRUE(code) << code.error().message;
  const auto program = the_engine().load(*code, FileAccess::none);
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_TRUE(program->has_export("_start"));
  EXPECT_TRUE(the_engine().probe(*program, 1 << 20));
}

TEST(CompilerProcess, CompilesToBaselineCodeToo) {
  const auto code = compile(wasm_of(kCommand), {}, Tier::baseline);
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_FALSE(the_engine().load(*code, FileAccess::none, Tier::optimized));
  const auto program = the_engine().load(*code, FileAccess::none, Tier::baseline);
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(program->tier(), Tier::baseline);
  EXPECT_TRUE(the_engine().probe(*program, 1 << 20));
}

TEST(CompilerProcess, TellsWhatIsWrongAsTheEngineWould) {
  const std::vector<std::uint8_t> broken = {0, 'a', 's', 'm', 1, 0, 0, 0, 9, 9, 9};
  const auto here = the_engine().compile(broken);
  const auto there = compile(broken);
  ASSERT_FALSE(here || there);
  EXPECT_EQ(there.error().message, here.error().message);
}

TEST(CompilerProcess, EndsAtItsTimeLimit) {
  const auto code = compile(long_function(400'000), {.timeout = std::chrono::milliseconds(30)});
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().message, HasSubstr("longer than 0.03 s"));
}

// The only child of this process, once there is one.
pid_t await_child() {
  for (;;) {
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
      pid_t child = 0;
      if (std::ifstream(thread.path() / "children") >> child) return child;
    }
  }
}

TEST(CompilerProcess, TimeWithoutAProcessorIsNotItsOwn) {
  using std::chrono::milliseconds;
  (void)the_engine();
  const auto wasm = long_function(20'000);
  const std::jthread others([] {
    const pid_t compiler = await_child();
    ::kill(compiler, SIGSTOP);
    std::this_thread::sleep_for(milliseconds(1500));
    ::kill(compiler, SIGCONT);
  });
  const auto code = compile(wasm, {.timeout = milliseconds(1000)});
  EXPECT_TRUE(code) << code.error().message;
}

TEST(CompilerProcess, EndsAtItsMemoryLimit) {
  if (!kIsCompilerMemoryBounded) GTEST_SKIP() << "a sanitizer has more memory of its own";
  const auto code = compile(long_function(400'000), {.memory_bytes = 64ULL << 20});
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().message, HasSubstr("want of memory (64 MiB)"));
}

TEST(CompilerProcess, TellsThatItsCodeIsMoreThanAFileMayHold) {
  const auto wasm = wasm_of(kCommand);
  (void)the_engine();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto code = compile(wasm);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().message, HasSubstr("cannot be written: file too large"));
}

TEST(CompilerProcess, EndsWhenStopped) {
  std::stop_source stop;
  const std::jthread stopper([&stop] { stop.request_stop(); });
  const auto code = compile(long_function(400'000), {}, Tier::optimized, stop.get_token());
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().message, HasSubstr("stopped"));
}

// As when the server ends before its compiler has begun.
TEST(CompilerProcess, EndsWhereItsParentIsNotItsServer) {
  std::array<std::string, 7> texts = {
      "optimized", the_engine().fingerprint(), "2147483648", "4294967296", "1048576", "1", "0"};
  std::array<char*, 7> arguments{};
  std::ranges::transform(texts, arguments.begin(), [](std::string& text) { return text.data(); });
  EXPECT_EXIT(std::_Exit(run_compiler(arguments)), ::testing::ExitedWithCode(1),
              "the server that started the compiler has ended");
}

TEST(CompilerProcess, SaysWhatCannotBeStarted) {
  const CompilerProcess compiler("/nowhere/funcd", the_engine(), {});
  const auto code = compiler.compile(wasm_of(kCommand), Tier::optimized, {});
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().message, HasSubstr("/nowhere/funcd"));
}

}  // namespace
}  // namespace funcd::engine
