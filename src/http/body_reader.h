#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/byte_buffer.h"
#include "http/input_buffer.h"
#include "http/request_parser.h"

namespace funcd::http {

// Collects one request's body, or drops it. Owned by its session.
class BodyReader {
 public:
  enum class Progress : std::uint8_t { need_more, complete, too_large, malformed };

  // The body that belongs to the head which `parser` has just completed.
  void begin(RequestParser& parser);

  // The body is to be kept whole, and is at most so long.
  void keep(std::size_t bytes_max);
  // The body is to be had in parts, and is at most so long. False when it says itself that it is
  // longer.
  [[nodiscard]] bool stream(std::size_t bytes_max);
  // What is still to come is not wanted, and is at most so long.
  void drop(std::size_t bytes_max);

  // Takes what `input` has of the body. Not called again after another answer than need_more. Of a
  // body in parts it takes a part, and says complete with the last.
  [[nodiscard]] Progress pull(InputBuffer& input);

  // Where the socket may receive the rest of the body to without a copy, at most what is missing;
  // nothing when it has to come through the input buffer. Stays in place until commit().
  [[nodiscard]] std::span<char> room();
  void commit(std::size_t bytes);

  // Memory that the body takes.
  [[nodiscard]] std::size_t held_bytes() const { return buffer_.capacity(); }

  // Some of it has arrived.
  [[nodiscard]] bool has_begun() const { return has_begun_; }
  [[nodiscard]] bool is_complete() const { return is_complete_; }
  // At least so much is still to come; known for bodies with a length.
  [[nodiscard]] std::uint64_t missing_bytes_min() const { return missing_; }
  // The whole body; in the input buffer if it was all there at the first pull.
  [[nodiscard]] std::string_view body() const { return body_; }
  // Of a body in parts: what has come of it since next_part().
  [[nodiscard]] std::string_view part() const { return buffer_.view(); }
  // The part was used: its memory is the next one's.
  void next_part() { buffer_.clear(kPartBytesMax); }

  // Most bytes of one part.
  static constexpr std::size_t kPartBytesMax = 64 * 1024;

 private:
  [[nodiscard]] Progress pull_length(InputBuffer& input);
  [[nodiscard]] Progress pull_part(InputBuffer& input);
  [[nodiscard]] Progress pull_chunks(InputBuffer& input);
  void reserve();

  RequestParser* parser_ = nullptr;
  RequestParser::Framing framing_ = RequestParser::Framing::none;
  bool is_streamed_ = false;
  bool is_dropped_ = false;
  bool is_complete_ = true;
  bool has_begun_ = false;
  std::uint64_t missing_ = 0;  // of a body with a length
  std::size_t bytes_max_ = 0;
  std::size_t dropped_ = 0;  // of a chunked body, since drop()
  ByteBuffer buffer_;
  std::string_view body_;
};

}  // namespace funcd::http
