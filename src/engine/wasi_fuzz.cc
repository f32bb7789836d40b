// A guest without mounts that calls host functions with anything, in any order, over memory that
// holds anything: each call is answered, and nothing outside of its memory is touched. Input: a
// byte that chooses the memory's size, then for each call a byte that chooses the function and
// bytes for its parameters; all of it is also what the memory holds.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/check.h"
#include "engine/guest_state.h"
#include "engine/wasi_p1.h"
#include "testing/guarded_memory.h"

namespace funcd::engine {
namespace {

constexpr std::size_t kMemoryBytes = 64 << 10;
constexpr int kCallsMax = 64;
constexpr int kAsksMax = 3;  // how often a function that waits is asked again
constexpr std::uint16_t kErrnoEnd = 77;
constexpr std::uint64_t kStdoutMax = 1 << 16;
constexpr std::uint64_t kStderrMax = 1 << 12;

class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> all) : left_(all) {}
  [[nodiscard]] bool is_empty() const { return left_.empty(); }
  std::uint8_t next() {
    if (left_.empty()) return 0;
    const std::uint8_t byte = left_.front();
    left_ = left_.subspan(1);
    return byte;
  }
  // Small numbers, numbers around the memory's end, or any.
  std::uint64_t number(std::size_t memory_size) {
    const std::uint8_t how = next();
    if (how < 96) return how;
    if (how < 160) return static_cast<std::uint64_t>(next()) * 256 + next();
    if (how < 192) return memory_size - 16 + how % 32;
    std::uint64_t number = 0;
    for (int byte = 0; byte < 8; ++byte) number = number << 8 | next();
    return number;
  }

 private:
  std::span<const std::uint8_t> left_;
};

void check_answer(const fb_host_function& function, const GuestState& state, std::int32_t says,
                  const fb_value& value) {
  CHECK(says == FB_CONTINUE || says == FB_STOP || says == FB_WAIT, "{}", function.name);
  CHECK((says == FB_STOP) == state.stop.has_value(), "{}", function.name);
  CHECK(says != FB_WAIT || function.may_wait, "{}", function.name);
  CHECK(says != FB_WAIT || state.has_yielded != state.is_sleeping, "{}", function.name);
  const bool has_result = says == FB_CONTINUE && *function.results != '\0';
  CHECK(!has_result || (value.i64 >= 0 && value.i64 < kErrnoEnd), "{}", function.name);
}

// One guest, until it ends or its bytes do.
void run(Bytes& bytes, const GuardedMemory& memory) {
  BufferedStdio stdio("what a client has sent", kStdoutMax, kStderrMax);
  GuestInput input;
  input.args.add("hello");
  input.env.add("DATA", "{\"age\":20}");
  input.env.add("EMPTY", "");
  GuestState state(std::move(input), stdio, {});
  const auto functions = wasi_p1_functions();
  for (int calls = 0; calls < kCallsMax && !bytes.is_empty(); ++calls) {
    const fb_host_function& function = functions[bytes.next() % functions.size()];
    std::array<fb_value, 16> arguments{};
    for (std::size_t index = 0; index < std::strlen(function.parameters); ++index) {
      arguments[index].i64 = static_cast<std::int64_t>(bytes.number(memory.size()));
    }
    std::int32_t says = FB_WAIT;
    for (int asks = 0; says == FB_WAIT && asks < kAsksMax; ++asks) {
      state.has_yielded = state.is_sleeping = false;
      std::array<fb_value, 16> values = arguments;
      says = function.call(&state, memory.data(), memory.size(), values.data());
      check_answer(function, state, says, values[0]);
    }
    // One that still waits is dropped where it is.
    if (says != FB_CONTINUE) break;
    CHECK(state.call_progress == 0, "{}", function.name);
  }
  CHECK(stdio.out().size() <= kStdoutMax && stdio.err().size() <= kStderrMax);
}

}  // namespace
}  // namespace funcd::engine

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace funcd::engine;  // NOLINT: one function
  if (size < 2) return 0;
  static const funcd::GuardedMemory whole(kMemoryBytes);
  static const funcd::GuardedMemory none(0);
  const funcd::GuardedMemory& memory = data[0] == 0 ? none : whole;
  std::memset(memory.data(), 0, memory.size());
  std::memcpy(memory.data(), data, std::min(size, memory.size()));
  Bytes bytes({data + 1, size - 1});
  run(bytes, memory);
  return 0;
}
