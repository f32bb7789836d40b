#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "telemetry/reason.h"

namespace funcd::telemetry {

// What one invocation left for people to read: it failed, or wrote to stderr, or both.
struct LogEntry {
  std::uint64_t number = 0;  // of its function's log, from 1 on
  std::chrono::system_clock::time_point at;
  std::uint64_t invocation = 0;
  int status = 0;                // of the response; 0: there was none
  Reason reason = Reason::none;  // none: it did not fail
  std::string detail;            // why it failed
  std::string trace;             // of a trap: the guest's frames, one a line
  std::string stderr_text;       // what it wrote to stderr
};

// An invocation's id as responses, logs and the admin API show it: 16 hex digits.
[[nodiscard]] std::string invocation_id_text(std::uint64_t id);

// The last entries of one function's log, bounded in number and in bytes. Thread-safe; entries are
// rare and the lock is held for a copy at the most.
class FunctionLog {
 public:
  static constexpr std::size_t kEntriesMax = 256;
  static constexpr std::size_t kBytesMax = 128UL << 10;     // of all texts together
  static constexpr std::size_t kTextBytesMax = 16UL << 10;  // of one; the rest is cut off

  // Numbers the entry and keeps it; the oldest make room.
  void add(LogEntry entry);

  struct Page {
    std::vector<LogEntry> entries;  // oldest first
    std::uint64_t last_number = 0;  // of the newest entry there has ever been
  };
  // The newest `count_max` entries with a number above `after`.
  [[nodiscard]] Page read(std::uint64_t after, std::size_t count_max) const;

 private:
  mutable std::mutex mutex_;
  std::list<LogEntry> entries_;  // oldest first; takes no memory while it is empty
  std::size_t bytes_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace funcd::telemetry
