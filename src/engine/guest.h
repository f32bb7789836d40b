#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace funcd::engine {

// Strings as a WASI preview 1 guest reads them (args_get, environ_get): one after the other, each
// ended by a NUL, so that handing them over is one copy.
class StringBlock {
 public:
  // Appends one string. A NUL inside ends the string early, as it would for the guest.
  void add(std::string_view text);
  // Appends "key=value", the value given in pieces.
  void add(std::string_view key, std::initializer_list<std::string_view> value);
  void add(std::string_view key, std::string_view value) { add(key, {value}); }
  // Room for `bytes` in one allocation.
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }

  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] std::size_t count() const { return count_; }
  // Each string without its NUL.
  [[nodiscard]] std::vector<std::string_view> strings() const;

 private:
  std::string bytes_;
  std::size_t count_ = 0;
};

// A folder of the host that a guest sees. Nothing outside of it is ever reached.
struct Mount {
  std::string host;   // absolute
  std::string guest;  // "/data"
  bool is_writable = false;
};

// What a guest is given at its start.
struct GuestInput {
  StringBlock args;  // args[0] is the program's name
  StringBlock env;
};

// Bounds of one run. Each is always on; the defaults of the manifest are elsewhere.
struct TaskLimits {
  std::uint64_t memory_bytes_max = 128ULL << 20;  // all linear memories together
  std::uint32_t table_elements_max = 100'000;     // each table
  TimePoint started_at = Clock::now();            // the guest's monotonic clock counts from here
  TimePoint deadline = TimePoint::max();
};

// What a guest has asked the host for that is another for each run.
struct Asked {
  bool clock = false;
  bool random = false;
  bool environment = false;  // or its arguments
};

// "clock", "random", "environment": those that it has.
[[nodiscard]] std::vector<std::string_view> names_of(const Asked& asked);

// What an invocation calls of a command, and of a reactor.
inline constexpr const char* kCommandEntry = "_start";
inline constexpr const char* kReactorEntry = "handle";

// The longest that a run may take that a snapshot is made of.
inline constexpr std::chrono::seconds kSnapshotTimeMax{10};

// Whether an instance begins its life, or goes on where the run that left its snapshot ended. Its
// monotonic clock goes on too: it stands beyond all that this run can have seen.
enum class Resumption : std::uint8_t { from_start, from_snapshot };

// How a run has ended.
enum class EndKind : std::uint8_t {
  returned,      // the entry point returned
  exited,        // proc_exit
  trapped,       // unreachable, out of bounds, stack overflow, ...
  time_limit,    // TaskLimits::deadline passed
  memory_limit,  // trapped or exited non-zero after memory or a table could not grow
  output_limit,  // more on stdout than allowed
  failed,        // it could not be started; our doing or the host's
  exhausted,     // it could not be started: no instance, memory, table or stack is free
};

struct Ending {
  EndKind kind = EndKind::returned;
  int exit_code = 0;    // of `exited`
  std::string message;  // of all but returned and exited: what happened, one line
  std::string trace;    // of a trap: the guest's frames, one a line
};

}  // namespace funcd::engine
