#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "engine/guest_memory.h"
#include "engine/guest_state.h"
#include "funcd_bridge.h"

namespace funcd::engine {

// Error numbers of WASI preview 1 (typenames.witx, `errno`), those that we give.
enum class Errno : std::uint16_t {
  success = 0,
  badf = 8,
  inval = 28,
  io = 29,
  notdir = 54,
  notsock = 57,
  notsup = 58,
  overflow = 61,
  pipe = 64,
  spipe = 70,
};

// What a host function answers: an error number for the guest, an end, or "ask me again".
struct Answer {
  // NOLINTNEXTLINE(google-explicit-constructor): host functions return error numbers.
  Answer(Errno number) : kind(FB_CONTINUE), code(number) {}
  static Answer stop() { return Answer(FB_STOP); }
  static Answer wait() { return Answer(FB_WAIT); }

  int kind;
  Errno code = Errno::success;

 private:
  explicit Answer(int kind_in) : kind(kind_in) {}
};

// One call of a host function.
struct HostCall {
  GuestState& guest;
  GuestMemory memory;

  // Ends the run as a trap.
  [[nodiscard]] Answer trap(std::string message) const {
    guest.stop = GuestState::Stop{EndKind::trapped, 0, std::move(message)};
    return Answer::stop();
  }
  // A pointer that leads outside of memory or is not aligned traps (WASI, witx-docs, "Pointers").
  [[nodiscard]] Answer bad_pointer() const {
    return trap("a pointer given to a host function is outside of memory or not aligned");
  }
  // Stores a result where the guest wants it.
  template <class T>
  [[nodiscard]] Answer give(std::uint32_t offset, T value) const {
    return memory.store(offset, value) ? Answer(Errno::success) : bad_pointer();
  }
  // Which standard stream a descriptor leads to, or nothing when it is not open.
  [[nodiscard]] std::optional<int> stream(std::uint32_t descriptor) const {
    if (descriptor >= guest.descriptors.size()) return std::nullopt;
    const std::int8_t stream = guest.descriptors[descriptor];
    if (stream == GuestState::kClosed) return std::nullopt;
    return stream;
  }
};

// Makes an entry of the import table from a function over plain integers; its WebAssembly type
// follows from its C++ type.
namespace host_call_detail {

template <class T>
T value_as(const fb_value& value) {
  static_assert(std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  if constexpr (sizeof(T) == 8) {
    return static_cast<T>(value.i64);
  } else {
    return static_cast<T>(value.i32);
  }
}

template <auto function, class... Args>
struct Entry {
  static constexpr char kParameters[] = {(sizeof(Args) == 8 ? 'I' : 'i')..., '\0'};

  static std::int32_t call(void* guest, std::uint8_t* memory, std::size_t memory_size,
                           fb_value* values) {
    HostCall host_call{*static_cast<GuestState*>(guest), GuestMemory(memory, memory_size)};
    const Answer answer = invoke(host_call, values, std::index_sequence_for<Args...>{});
    if (answer.kind == FB_CONTINUE) values[0].i64 = static_cast<std::uint16_t>(answer.code);
    return answer.kind;
  }

  template <std::size_t... index>
  static Answer invoke(HostCall& host_call, fb_value* values, std::index_sequence<index...>) {
    return function(host_call, value_as<Args>(values[index])...);
  }
};

template <auto function, class... Args>
constexpr fb_host_function entry(Answer (*)(HostCall&, Args...), const char* name, bool may_wait,
                                 const char* results) {
  using Made = Entry<function, Args...>;
  return {name, Made::kParameters, results, may_wait, &Made::call};
}

}  // namespace host_call_detail

template <auto function>
constexpr fb_host_function host_function(const char* name) {
  return host_call_detail::entry<function>(function, name, false, "i");
}
template <auto function>
constexpr fb_host_function waiting_host_function(const char* name) {
  return host_call_detail::entry<function>(function, name, true, "i");
}
template <auto function>
constexpr fb_host_function ending_host_function(const char* name) {
  return host_call_detail::entry<function>(function, name, false, "");
}

}  // namespace funcd::engine
