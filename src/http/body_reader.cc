#include "http/body_reader.h"

#include <algorithm>

#include "base/check.h"

namespace funcd::http {
namespace {

// Memory follows what has arrived and not what was announced, which costs the client nothing.
constexpr std::size_t kFirstBytes = 64 * 1024;
constexpr std::size_t kKeptBytesMax = 16 * 1024;

}  // namespace

void BodyReader::begin(RequestParser& parser) {
  parser_ = &parser;
  framing_ = parser.framing();
  is_complete_ = framing_ == RequestParser::Framing::none;
  is_streamed_ = is_dropped_ = has_begun_ = false;
  missing_ = framing_ == RequestParser::Framing::length ? *parser.head().content_length : 0;
  bytes_max_ = 0;
  buffer_.clear(kKeptBytesMax);
  body_ = {};
}

void BodyReader::keep(std::size_t bytes_max) {
  bytes_max_ = bytes_max;
}

bool BodyReader::stream(std::size_t bytes_max) {
  is_streamed_ = true;
  bytes_max_ = bytes_max;
  return missing_ <= bytes_max;
}

void BodyReader::drop(std::size_t bytes_max) {
  is_dropped_ = true;
  dropped_ = 0;
  bytes_max_ = bytes_max;
  // A part that was used. Of a body with a length the socket may be receiving to its place.
  if (framing_ == RequestParser::Framing::chunked) buffer_.clear(kKeptBytesMax);
}

BodyReader::Progress BodyReader::pull(InputBuffer& input) {
  if (is_complete_) return Progress::complete;
  has_begun_ = has_begun_ || !input.unread().empty();
  if (framing_ == RequestParser::Framing::length) return pull_length(input);
  return pull_chunks(input);
}

BodyReader::Progress BodyReader::pull_length(InputBuffer& input) {
  if (is_streamed_ && !is_dropped_) return pull_part(input);
  const std::uint64_t kept = is_dropped_ ? 0 : buffer_.size();
  if (missing_ > bytes_max_ || kept > bytes_max_ - missing_) return Progress::too_large;
  const std::string_view unread = input.unread();
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(missing_, unread.size()));
  const bool is_all_there = buffer_.is_empty() && count == missing_;
  if (!is_dropped_ && !is_all_there) {
    reserve();
    buffer_.append(unread.substr(0, count));
  }
  input.consume(count);
  missing_ -= count;
  if (missing_ > 0) return Progress::need_more;
  is_complete_ = true;
  body_ = is_all_there ? unread.substr(0, count) : buffer_.view();
  return Progress::complete;
}

BodyReader::Progress BodyReader::pull_part(InputBuffer& input) {
  const std::string_view unread = input.unread();
  const std::size_t room = kPartBytesMax - buffer_.size();
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(missing_, std::min(unread.size(), room)));
  buffer_.append(unread.substr(0, count));
  input.consume(count);
  missing_ -= count;
  is_complete_ = missing_ == 0;
  return is_complete_ ? Progress::complete : Progress::need_more;
}

BodyReader::Progress BodyReader::pull_chunks(InputBuffer& input) {
  std::size_t taken = 0;
  const RequestParser::ChunkProgress progress =
      parser_->parse_chunks(input.unread(), is_dropped_ ? SIZE_MAX : bytes_max_, buffer_, taken);
  input.consume(taken);
  if (is_dropped_) {
    // Counted as it comes: a chunk's size says nothing about how much of it is there.
    dropped_ += buffer_.size();
    buffer_.clear(kKeptBytesMax);
    if (dropped_ > bytes_max_) return Progress::too_large;
  }
  switch (progress) {
    case RequestParser::ChunkProgress::need_more:
      return Progress::need_more;
    case RequestParser::ChunkProgress::too_large:
      return Progress::too_large;
    case RequestParser::ChunkProgress::malformed:
      return Progress::malformed;
    case RequestParser::ChunkProgress::complete:
      break;
  }
  is_complete_ = true;
  body_ = buffer_.view();
  return Progress::complete;
}

void BodyReader::reserve() {
  const std::size_t step = std::max(kFirstBytes, buffer_.size());
  buffer_.room(static_cast<std::size_t>(std::min<std::uint64_t>(missing_, step)));
}

std::span<char> BodyReader::room() {
  if (framing_ != RequestParser::Framing::length || is_dropped_ || is_complete_) return {};
  if (is_streamed_) {
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(missing_, kPartBytesMax));
    return buffer_.room(bytes).first(bytes);
  }
  constexpr std::size_t kReceiveBytesMin = 4 * 1024;
  const std::span<char> left = buffer_.room(0);
  if (left.size() < std::min<std::uint64_t>(missing_, kReceiveBytesMin)) reserve();
  const std::span<char> room = buffer_.room(0);
  return room.first(static_cast<std::size_t>(std::min<std::uint64_t>(missing_, room.size())));
}

void BodyReader::commit(std::size_t bytes) {
  CHECK(bytes <= missing_, "{} of {}", bytes, missing_);
  missing_ -= bytes;
  has_begun_ = true;
  if (!is_dropped_) buffer_.commit(bytes);
  if (missing_ > 0) return;
  is_complete_ = true;
  body_ = buffer_.view();
}

}  // namespace funcd::http
