#include "invoke/piped_stdio.h"

#include <algorithm>

namespace funcd::invoke {

std::int64_t PipedStdio::read(std::span<std::uint8_t> into) {
  if (!is_readable()) return kWait;
  const std::size_t size = std::min(into.size(), body_.part().size());
  std::copy_n(body_.part().begin(), size, into.begin());
  body_.consume(size);
  return static_cast<std::int64_t>(size);
}

std::int64_t PipedStdio::write(int descriptor, std::span<const std::uint8_t> bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (descriptor == 1) {
    if (!is_writable(descriptor)) return kWait;
    if (bytes.size() > stdout_bytes_max_ - out_bytes_) return kFull;
    out_bytes_ += bytes.size();
    out_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return size;
  }
  err_.add(bytes);
  return size;
}

bool PipedStdio::is_readable() const {
  const bool is_there = !body_.part().empty() || body_.is_ended();
  awaits_input_ = awaits_input_ || !is_there;
  return is_there;
}

bool PipedStdio::is_writable(int descriptor) const {
  const bool is_room = descriptor != 1 || has_room();
  awaits_room_ = awaits_room_ || !is_room;
  return is_room;
}

bool PipedStdio::can_go_on() const {
  return (awaits_input_ && (!body_.part().empty() || body_.is_ended())) ||
         (awaits_room_ && has_room());
}

bool PipedStdio::has_header() const {
  if (start_ == contract::OutputStart::undecided && out_.size() != looked_at_bytes_) {
    looked_at_bytes_ = out_.size();
    start_ = contract::start_of(out_);
  }
  return start_ == contract::OutputStart::header;
}

}  // namespace funcd::invoke
