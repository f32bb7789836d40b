// However a request is split, the parser says the same about it, and keeps no view of bytes that
// have moved. Input: a byte that chooses the pieces, then what a client sends.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/request_parser.h"

namespace funcd::http {
namespace {

constexpr HeadLimits kLimits = {.header_bytes_max = 600, .fields_max = 8, .target_bytes_max = 60};
constexpr std::size_t kBodyBytesMax = 100;

// All that a caller can see of one request.
struct Seen {
  RequestParser::HeadProgress head = RequestParser::HeadProgress::need_more;
  int status = 0;
  std::size_t head_bytes = 0;
  std::string text;
  RequestParser::ChunkProgress chunks = RequestParser::ChunkProgress::need_more;
  std::string body;
  std::size_t body_bytes = 0;  // as sent, when complete

  bool operator==(const Seen&) const = default;
};

std::string describe(const RequestParser& parser) {
  const RequestHead& head = parser.head();
  std::string text;
  for (const std::string_view part : {head.method, head.target, head.path, head.query, head.host}) {
    text.append(part).push_back('\n');
  }
  for (const Field& field : head.fields) text.append(field.name).append(field.value);
  text += std::to_string(head.version_minor) + std::to_string(head.content_length.value_or(0)) +
          std::to_string(parser.wants_keep_alive()) + std::to_string(parser.expects_continue());
  return text;
}

void check_head(const RequestParser& parser) {
  const RequestHead& head = parser.head();
  CHECK(!head.method.empty());
  CHECK(head.path.starts_with('/') || head.path == "*");
  CHECK(head.fields.size() <= kLimits.fields_max);
  CHECK(head.target.size() <= kLimits.target_bytes_max);
  CHECK(parser.head_bytes() <= kLimits.header_bytes_max);
  for (const Field& field : head.fields) {
    CHECK(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
}

class Pieces {
 public:
  explicit Pieces(std::uint8_t choice) : state_(choice) {}
  // Zero chooses everything at once.
  std::size_t next(std::size_t left) {
    if (state_ == 0) return left;
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return 1 + (state_ >> 33) % std::min<std::size_t>(left, 1 + (state_ >> 60) * 8);
  }

 private:
  std::uint64_t state_;
};

void see_chunks(RequestParser& parser, std::string_view bytes, Pieces pieces, Seen& seen) {
  ByteBuffer body;
  std::size_t arrived = 0;
  std::size_t taken = 0;
  while (seen.chunks == RequestParser::ChunkProgress::need_more && arrived < bytes.size()) {
    arrived += pieces.next(bytes.size() - arrived);
    const std::vector<char> copy(bytes.begin() + static_cast<std::ptrdiff_t>(taken),
                                 bytes.begin() + static_cast<std::ptrdiff_t>(arrived));
    std::size_t used = 0;
    seen.chunks = parser.parse_chunks({copy.data(), copy.size()}, kBodyBytesMax, body, used);
    taken += used;
  }
  if (seen.chunks != RequestParser::ChunkProgress::complete) return;
  CHECK(body.size() <= kBodyBytesMax);
  seen.body = body.view();
  seen.body_bytes = taken;
}

Seen see(std::string_view bytes, std::uint8_t choice) {
  RequestParser parser(kLimits);
  Pieces pieces(choice);
  Seen seen;
  std::size_t arrived = 0;
  while (seen.head == RequestParser::HeadProgress::need_more && arrived < bytes.size()) {
    arrived += pieces.next(bytes.size() - arrived);
    const std::vector<char> copy(bytes.begin(),
                                 bytes.begin() + static_cast<std::ptrdiff_t>(arrived));
    seen.head = parser.parse_head({copy.data(), copy.size()});
    if (seen.head == RequestParser::HeadProgress::complete) {
      check_head(parser);
      seen.head_bytes = parser.head_bytes();
      seen.text = describe(parser);
    }
  }
  if (seen.head == RequestParser::HeadProgress::refused) {
    seen.status = parser.refusal().status;
    CHECK(seen.status >= 400 && !parser.refusal().reason.empty());
  }
  if (seen.head == RequestParser::HeadProgress::complete &&
      parser.framing() == RequestParser::Framing::chunked) {
    see_chunks(parser, bytes.substr(seen.head_bytes), pieces, seen);
  }
  return seen;
}

}  // namespace
}  // namespace funcd::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = funcd::http::see(bytes, 0);
  const auto pieces = funcd::http::see(bytes, data[0] == 0 ? 1 : data[0]);
  // Chunks that exceed the limit, or are no chunks, may show later or earlier within their line.
  CHECK(whole == pieces, "status {} and {}", whole.status, pieces.status);
  return 0;
}
