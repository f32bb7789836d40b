#include "telemetry/function_log.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace funcd::telemetry {
namespace {

std::size_t bytes_of(const LogEntry& entry) {
  return entry.detail.size() + entry.trace.size() + entry.stderr_text.size();
}

}  // namespace

std::string invocation_id_text(std::uint64_t id) {
  return fmt::format("{:016x}", id);
}

void FunctionLog::add(LogEntry entry) {
  for (std::string* text : {&entry.detail, &entry.trace, &entry.stderr_text}) {
    if (text->size() > kTextBytesMax) text->resize(kTextBytesMax);
  }
  const std::lock_guard lock(mutex_);
  entry.number = ++last_number_;
  bytes_ += bytes_of(entry);
  entries_.push_back(std::move(entry));
  while (entries_.size() > kEntriesMax || bytes_ > kBytesMax) {
    bytes_ -= bytes_of(entries_.front());
    entries_.pop_front();
  }
}

FunctionLog::Page FunctionLog::read(std::uint64_t after, std::size_t count_max) const {
  const std::lock_guard lock(mutex_);
  auto first = entries_.end();
  std::size_t count = 0;
  while (first != entries_.begin() && count < count_max && std::prev(first)->number > after) {
    --first;
    ++count;
  }
  return {.entries = {first, entries_.end()}, .last_number = last_number_};
}

}  // namespace funcd::telemetry
