// What a guest may hand to a host function: any integer for any parameter, whatever its memory
// holds.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"
#include "engine/engine.h"
#include "engine/guest_state.h"
#include "engine/task.h"
#include "engine/wasi_p1.h"
#include "testing/guarded_memory.h"

namespace funcd::engine {
namespace {

constexpr std::size_t kMemoryBytes = 64 << 10;
constexpr std::uint32_t kEnd = kMemoryBytes;
constexpr std::size_t kParametersMax = 9;  // path_open's
constexpr int kErrnoEnd = 77;

GuestInput some_input() {
  GuestInput input;
  input.args.add("hello");
  input.env.add("DATA", "{\"age\":20}");
  input.env.add("A", "B");
  return input;
}

// A guest whose host functions are called without a guest: one run each.
struct Caller {
  explicit Caller(const GuardedMemory& memory_in)
      : memory(memory_in), stdio("some bytes", 1 << 20, 1 << 10) {}

  struct Result {
    std::int32_t says = FB_CONTINUE;
    std::uint16_t error = 0;
    bool is_trap = false;
  };

  Result call(const fb_host_function& function, std::span<const std::uint64_t> arguments) {
    GuestState state(some_input(), stdio, {});
    std::array<fb_value, 16> values{};
    for (std::size_t index = 0; index < arguments.size(); ++index) {
      values[index].i64 = static_cast<std::int64_t>(arguments[index]);
    }
    Result result;
    result.says = function.call(&state, memory.data(), memory.size(), values.data());
    result.error = static_cast<std::uint16_t>(values[0].i64);
    result.is_trap = state.stop && state.stop->kind == EndKind::trapped;
    CHECK(result.says == FB_CONTINUE || result.says == FB_STOP || result.says == FB_WAIT);
    CHECK((result.says == FB_STOP) == state.stop.has_value(), "{}", function.name);
    CHECK(result.says != FB_WAIT || function.may_wait, "{}", function.name);
    const bool has_answer = result.says == FB_CONTINUE && *function.results != '\0';
    CHECK(!has_answer || result.error < kErrnoEnd, "{}: {}", function.name, result.error);
    return result;
  }

  const GuardedMemory& memory;
  BufferedStdio stdio;
};

const fb_host_function& function_of(std::string_view name) {
  for (const fb_host_function& function : wasi_p1_functions()) {
    if (function.name == name) return function;
  }
  CHECK(false, "no function {}", name);
  std::abort();
}

// Around each edge that there is: of memory, of signs, of alignment, of counts.
constexpr std::array<std::uint64_t, 14> kHostile = {
    0,        1,    2,        3,          64,          kEnd - 8,    kEnd - 4,
    kEnd - 1, kEnd, kEnd + 1, 0x7fffffff, 0x80000000U, 0xfffffff8U, 0xffffffffffffffffU,
};

// A pointer that leads outside, or to where the value does not fit, or is not aligned.
struct PointerRow {
  const char* function;
  std::vector<std::uint64_t> good;    // arguments that are answered with success
  std::vector<std::size_t> pointers;  // which of them are pointers
  bool is_aligned = true;             // whether an odd one is bad as well
};

std::vector<PointerRow> pointer_rows() {
  return {
      {"args_get", {64, 128}, {0}},
      {"args_get", {64, 128}, {1}, false},
      {"args_sizes_get", {64, 128}, {0, 1}},
      {"environ_get", {64, 128}, {0}},
      {"environ_get", {64, 128}, {1}, false},
      {"environ_sizes_get", {64, 128}, {0, 1}},
      {"clock_res_get", {1, 64}, {1}},
      {"clock_time_get", {1, 0, 64}, {2}},
      {"random_get", {64, 16}, {0}, false},
      {"fd_fdstat_get", {1, 64}, {1}},
      {"fd_filestat_get", {1, 64}, {1}},
      {"fd_read", {0, 1024, 1, 128}, {1, 3}},
      {"fd_write", {1, 1024, 1, 128}, {1, 3}},
      {"poll_oneoff", {2048, 4096, 1, 128}, {0, 1, 3}},
  };
}

// One buffer of 8 bytes at 8,192, for fd_read and fd_write; a clock that is due, for poll_oneoff.
void lay_out(const GuardedMemory& memory) {
  std::memset(memory.data(), 0, memory.size());
  const std::array<std::uint32_t, 2> buffer = {8192, 8};
  std::memcpy(memory.data() + 1024, buffer.data(), sizeof(buffer));
  const std::uint32_t monotonic = 1;
  std::memcpy(memory.data() + 2048 + 16, &monotonic, sizeof(monotonic));
}

TEST(WasiHostile, PointersThatLeadOutsideTrap) {
  const GuardedMemory memory(kMemoryBytes);
  for (const PointerRow& row : pointer_rows()) {
    const fb_host_function& function = function_of(row.function);
    lay_out(memory);
    Caller caller(memory);
    const auto good = caller.call(function, row.good);
    ASSERT_EQ(good.says, FB_CONTINUE) << row.function;
    ASSERT_EQ(good.error, 0) << row.function;
    for (const std::size_t index : row.pointers) {
      std::vector<std::uint64_t> bad_pointers = {kEnd - 3,    kEnd - 1,    kEnd,       kEnd + 1,
                                                 0x80000000U, 0xfffffffcU, 0xffffffffU};
      if (row.is_aligned) bad_pointers.push_back(65);
      for (const std::uint64_t pointer : bad_pointers) {
        lay_out(memory);
        std::vector<std::uint64_t> arguments = row.good;
        arguments[index] = pointer;
        EXPECT_TRUE(caller.call(function, arguments).is_trap)
            << row.function << " parameter " << index << " " << pointer;
      }
    }
  }
}

TEST(WasiHostile, BuffersThatLeadOutsideTrap) {
  const GuardedMemory memory(kMemoryBytes);
  Caller caller(memory);
  for (const char* name : {"fd_read", "fd_write"}) {
    const std::uint64_t descriptor = std::string_view(name) == "fd_read" ? 0 : 1;
    for (const auto& [offset, size] :
         std::vector<std::pair<std::uint32_t, std::uint32_t>>{{kEnd, 1},
                                                              {kEnd - 1, 2},
                                                              {0, kEnd + 1},
                                                              {1, kEnd},
                                                              {0xffffffffU, 1},
                                                              {0xffffffffU, 0xffffffffU},
                                                              {0x80000000U, 0x80000000U},
                                                              {0, 0xffffffffU}}) {
      lay_out(memory);
      const std::array<std::uint32_t, 2> buffer = {offset, size};
      std::memcpy(memory.data() + 1024, buffer.data(), sizeof(buffer));
      EXPECT_TRUE(
          caller.call(function_of(name), std::vector<std::uint64_t>{descriptor, 1024, 1, 128})
              .is_trap)
          << name << " " << offset << " " << size;
    }
    // Buffers up to the end of memory, and one after it: what fits is no reason to go on.
    const std::uint64_t count = (kEnd - 1024) / 8 + 1;
    lay_out(memory);
    const auto many =
        caller.call(function_of(name), std::vector<std::uint64_t>{descriptor, 1024, count, 128});
    EXPECT_TRUE(many.is_trap || many.error != 0) << name;
  }
}

// Each function with each hostile value at each place, all combinations up to three parameters,
// chosen ones beyond. That nothing outside is touched, the guards see.
TEST(WasiHostile, AnyIntegersAreAnswered) {
  constexpr int kRounds = 3'000;
  const GuardedMemory memory(kMemoryBytes);
  Caller caller(memory);
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (const fb_host_function& function : wasi_p1_functions()) {
    const std::size_t count = std::strlen(function.parameters);
    ASSERT_LE(count, kParametersMax);
    std::size_t all = 1;
    for (std::size_t index = 0; index < count; ++index) all *= kHostile.size();
    const bool is_exhaustive = count <= 3;
    for (std::size_t round = 0; round < (is_exhaustive ? all : kRounds); ++round) {
      std::array<std::uint64_t, kParametersMax> arguments{};
      std::size_t choice = is_exhaustive ? round : random();
      for (std::size_t index = 0; index < count; ++index) {
        arguments[index] = kHostile[choice % kHostile.size()];
        choice = is_exhaustive ? choice / kHostile.size() : random();
      }
      (void)caller.call(function, std::span(arguments).first(count));
    }
  }
}

TEST(WasiHostile, AMemoryOfNothingIsAnsweredToo) {
  const GuardedMemory memory(0);
  Caller caller(memory);
  for (const PointerRow& row : pointer_rows()) {
    EXPECT_TRUE(caller.call(function_of(row.function), row.good).is_trap) << row.function;
  }
}

// Through the bridge, and for guests with mounts Wasmtime's own functions: whatever they do with
// such arguments, the run ends and the next one works.
std::string calling(const fb_host_function& function, std::int32_t value) {
  std::string parameters;
  std::string arguments;
  for (const char* letter = function.parameters; *letter != '\0'; ++letter) {
    parameters += *letter == 'I' ? " i64" : " i32";
    arguments += fmt::format(" ({}.const {})", *letter == 'I' ? "i64" : "i32", value);
  }
  const bool has_result = *function.results != '\0';
  return fmt::format(R"((module
    (import "wasi_snapshot_preview1" "{0}" (func $f (param{1}){2}))
    (memory (export "memory") 1)
    (func (export "_start") (call $f{3}){4})))",
                     function.name, parameters, has_result ? " (result i32)" : "", arguments,
                     has_result ? " drop" : "");
}

TEST(WasiHostile, RunsWithHostileArgumentsEnd) {
  const auto made = Engine::create({.instances_max = 16});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  const Engine& engine = **made;
  for (const fb_host_function& function : wasi_p1_functions()) {
    for (const std::int32_t value : {-1, -8, 65535, 65536, 0x7fffffff}) {
      const auto wasm = Engine::wasm_from_text(calling(function, value));
      ASSERT_TRUE(wasm.has_value()) << wasm.error().message;
      const auto code = engine.compile(*wasm);
      ASSERT_TRUE(code.has_value()) << code.error().message;
      for (const FileAccess files : {FileAccess::none, FileAccess::mounts}) {
        const auto program = engine.load(*code, files);
        ASSERT_TRUE(program.has_value()) << program.error().message;
        BufferedStdio stdio({}, 1 << 10, 1 << 10);
        TaskLimits limits;
        limits.deadline = Clock::now() + std::chrono::seconds(5);
        Task task(*program, {}, stdio, limits, {});
        while (task.poll() != Task::State::done) std::this_thread::yield();
        const EndKind kind = task.ending().kind;
        EXPECT_TRUE(kind == EndKind::returned || kind == EndKind::trapped ||
                    kind == EndKind::exited)
            << function.name << " " << value << ": " << task.ending().message;
      }
    }
  }
}

TEST(WasiHostile, EveryFunctionOfTheInterfaceIsThere) {
  // wasi_snapshot_preview1.witx has 46.
  EXPECT_EQ(wasi_p1_functions().size(), 46U);
}

}  // namespace
}  // namespace funcd::engine
