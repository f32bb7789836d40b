#include "http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>
#include <functional>

#include "base/check.h"
#include "http/characters.h"
#include "http/target.h"

namespace funcd::http {
namespace {

namespace beast_http = boost::beast::http;

// Empty lines that some clients send before a request line (RFC 9112 2.2).
constexpr std::size_t kEmptyLinesMax = 4;
constexpr std::size_t kMethodBytesMax = 64;
// A chunk's size line with its extensions, or all trailers, or what is left of a chunk's end.
constexpr std::size_t kChunkLineBytesMax = 8 * 1024;
// Of all chunks of a body: extensions are overhead that no limit on bodies counts.
constexpr std::size_t kExtensionBytesMax = 16 * 1024;

// "0", two ends of line: so much is always to come until a body is complete. Beast asserts that it
// has it when it looks at a last chunk again.
constexpr std::size_t kLastChunkBytesMin = 5;

constexpr std::string_view kBadRequest = "bad-request";

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

// Any error makes Beast stop; which one it was is told by the refusal.
void stop(boost::beast::error_code& error) {
  error = beast_http::error::bad_value;
}

struct GrammarError {
  int status;
  std::string_view reason;
  std::string_view detail;
};

GrammarError describe(const boost::beast::error_code& error) {
  using Code = beast_http::error;
  if (error == Code::bad_method) return {400, kBadRequest, "the method is not a token"};
  if (error == Code::bad_target) return {400, kBadRequest, "the request target is malformed"};
  if (error == Code::bad_version) {
    return {505, "version-not-supported", "this server speaks HTTP/1.0 and HTTP/1.1"};
  }
  if (error == Code::bad_field) return {400, kBadRequest, "a field name is malformed"};
  if (error == Code::bad_value) return {400, kBadRequest, "a field value is malformed"};
  if (error == Code::bad_line_ending) {
    return {400, kBadRequest, "a line does not end with CR LF"};
  }
  if (error == Code::bad_content_length || error == Code::multiple_content_length) {
    return {400, kBadRequest, "content-length is not one decimal number"};
  }
  if (error == Code::bad_transfer_encoding) {
    return {400, kBadRequest, "transfer-encoding contradicts another field"};
  }
  return {400, kBadRequest, "the head of the request is malformed"};
}

// Whether the request line ends in a version of HTTP, one that is spoken here or another
// (RFC 9112 2.3).
bool ends_in_version(std::string_view head) {
  constexpr std::string_view kVersion = " HTTP/0.0";
  const std::string_view line = head.substr(0, head.find("\r\n"));
  if (line.size() < kVersion.size()) return false;
  const std::string_view end = line.substr(line.size() - kVersion.size());
  const bool is_numbered = is_digits(end.substr(6, 1)) && end[7] == '.' && is_digits(end.substr(8));
  // Method, target and version have two spaces between them.
  return end.starts_with(" HTTP/") && is_numbered && std::ranges::count(line, ' ') == 2;
}

}  // namespace

RequestParser::RequestParser(const HeadLimits& limits) : limits_(limits) {}

void RequestParser::reset() {
  grammar_.reset();
  head_ = RequestHead{};
  fields_.clear();
  refusal_ = Refusal{};
  begin_ = line_begin_ = scanned_ = head_bytes_ = 0;
  is_start_checked_ = false;
  framing_ = Framing::none;
  wants_keep_alive_ = expects_continue_ = false;
  has_host_ = has_length_ = false;
  chunk_bytes_ = 0;
  extension_bytes_ = trailer_count_ = 0;
  trailers_.clear();
  is_body_too_large_ = false;
}

RequestParser::HeadProgress RequestParser::refuse(int status, std::string_view reason,
                                                  std::string_view detail) {
  refusal_ = {status, reason, detail};
  return HeadProgress::refused;
}

void RequestParser::refuse_in_callback(BeastError& error, int status, std::string_view reason,
                                       std::string_view detail) {
  refusal_ = {status, reason, detail};
  stop(error);
}

RequestParser::HeadProgress RequestParser::parse_head(std::string_view bytes) {
  if (!is_start_checked_) {
    if (!skip_empty_lines(bytes)) return HeadProgress::need_more;
    const HeadProgress start = check_start(bytes.substr(begin_));
    if (start == HeadProgress::refused) return start;
    is_start_checked_ = start == HeadProgress::complete;
  }
  const HeadProgress end = find_end(bytes);
  if (end != HeadProgress::complete) return end;
  return finish_head(bytes.substr(begin_, head_bytes_ - begin_));
}

// False while it cannot be told whether one more empty line is there.
bool RequestParser::skip_empty_lines(std::string_view bytes) {
  while (begin_ < 2 * kEmptyLinesMax) {
    const std::string_view rest = bytes.substr(begin_);
    if (rest.empty() || rest == "\r") return false;
    if (!rest.starts_with("\r\n")) break;
    begin_ += 2;
    line_begin_ = scanned_ = begin_;
  }
  return begin_ < bytes.size();
}

// The parts of a request line that are refused before its end has come: what is no HTTP at all
// (a TLS handshake), and what is too long. Complete when nothing is left for it to check.
RequestParser::HeadProgress RequestParser::check_start(std::string_view text) {
  const std::string_view method_window = text.substr(0, kMethodBytesMax + 1);
  std::size_t method_bytes = 0;
  while (method_bytes < method_window.size() && is_token_char(method_window[method_bytes])) {
    ++method_bytes;
  }
  if (method_bytes > kMethodBytesMax) {
    return refuse(501, "not-implemented", "the method is longer than any that is known");
  }
  if (method_bytes == text.size()) return HeadProgress::need_more;
  if (method_bytes == 0 || text[method_bytes] != ' ') {
    return refuse(400, kBadRequest, "this is no HTTP request");
  }
  const std::string_view target_window =
      text.substr(method_bytes + 1, limits_.target_bytes_max + 1);
  if (target_window.find(' ') != std::string_view::npos ||
      target_window.find('\n') != std::string_view::npos) {
    return HeadProgress::complete;
  }
  if (target_window.size() > limits_.target_bytes_max) {
    return refuse(414, "target-too-long", "the request target is longer than this server takes");
  }
  return HeadProgress::need_more;
}

RequestParser::HeadProgress RequestParser::find_end(std::string_view bytes) {
  while (true) {
    const void* found = scanned_ < bytes.size()
                            ? std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_)
                            : nullptr;
    const std::size_t line_feed =
        found != nullptr ? static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data())
                         : bytes.size();
    if (line_feed >= limits_.header_bytes_max) {
      return refuse(431, "header-too-large", "the head of the request is larger than allowed");
    }
    if (found == nullptr) {
      scanned_ = bytes.size();
      return HeadProgress::need_more;
    }
    if (line_feed == line_begin_ || bytes[line_feed - 1] != '\r') {
      return refuse(400, kBadRequest, "a line does not end with CR LF");
    }
    const bool is_empty = line_feed == line_begin_ + 1;
    line_begin_ = scanned_ = line_feed + 1;
    if (is_empty) {
      head_bytes_ = line_begin_;
      return HeadProgress::complete;
    }
  }
}

RequestParser::HeadProgress RequestParser::finish_head(std::string_view text) {
  grammar_.emplace(*this);
  grammar_->header_limit(UINT32_MAX);
  grammar_->body_limit(boost::none);
  text_ = text;
  BeastError error;
  const std::size_t taken = grammar_->put(boost::asio::buffer(text.data(), text.size()), error);
  if (refusal_.status != 0) return HeadProgress::refused;
  if (error == beast_http::error::bad_version && !ends_in_version(text)) {
    return refuse(400, kBadRequest, "the request line is not method, target and version");
  }
  if (error) {
    const GrammarError what = describe(error);
    return refuse(what.status, what.reason, what.detail);
  }
  if (taken != text.size() || !grammar_->is_header_done()) {
    return refuse(400, kBadRequest, "the head of the request is malformed");
  }
  if (set_target() == HeadProgress::refused) return HeadProgress::refused;
  if (!has_host_ && head_.version_minor >= 1) {
    return refuse(400, kBadRequest, "the field host is missing");
  }
  if (grammar_->chunked()) {
    framing_ = Framing::chunked;
  } else if (const auto length = grammar_->content_length(); length.has_value()) {
    head_.content_length = *length;
    if (*length > 0) framing_ = Framing::length;
  }
  head_.has_body = framing_ != Framing::none;
  head_.fields = fields_;
  wants_keep_alive_ = grammar_->keep_alive();
  expects_continue_ = expects_continue_ && head_.has_body;
  return HeadProgress::complete;
}

RequestParser::HeadProgress RequestParser::set_target() {
  if (head_.method == "CONNECT") {
    return refuse(501, "not-implemented", "this server is no proxy");
  }
  const std::optional<Target> target = parse_target(head_.method, head_.target);
  if (!target) return refuse(400, kBadRequest, "the request target is malformed");
  head_.path = target->path;
  head_.query = target->query;
  // The authority of an absolute target counts and not the field (RFC 9112 3.2.2).
  if (target->authority) head_.host = *target->authority;
  return HeadProgress::complete;
}

void RequestParser::Grammar::on_request_impl(beast_http::verb /*verb*/, BeastView method,
                                             BeastView target, int version, BeastError& /*error*/) {
  parser_.head_.method = view(method);
  parser_.head_.target = view(target);
  parser_.head_.version_minor = version - 10;
}

void RequestParser::Grammar::on_field_impl(beast_http::field id, BeastView name, BeastView value,
                                           BeastError& error) {
  parser_.on_field(id, view(name), view(value), error);
}

void RequestParser::on_field(beast_http::field id, std::string_view name, std::string_view value,
                             BeastError& error) {
  // Beast unfolds a folded line, into a buffer of its own or, when its first part is empty, in
  // place: then there is a line's end between name and value (RFC 9112 5.2).
  const char* const colon = name.data() + name.size();
  const bool is_in_place = std::less<>{}(colon, value.data()) &&
                           std::less_equal<>{}(value.data(), text_.data() + text_.size());
  if (!is_in_place || std::memchr(colon, '\r', static_cast<std::size_t>(value.data() - colon))) {
    return refuse_in_callback(error, 400, kBadRequest, "a field is folded over several lines");
  }
  if (chunk_sink_ != nullptr) {
    return on_trailer(name, value, error);
  }
  if (fields_.size() == limits_.fields_max) {
    return refuse_in_callback(error, 431, "header-too-large", "the request has too many fields");
  }
  fields_.push_back({name, value});
  on_known_field(id, value, error);
}

void RequestParser::on_trailer(std::string_view name, std::string_view value, BeastError& error) {
  if (++trailer_count_ > limits_.fields_max) return stop(error);
  if (may_be_trailer(name)) trailers_.push_back({name, value});
}

// Until now they are where the socket receives to.
void RequestParser::keep_trailers() {
  if (trailers_.empty()) return;
  std::size_t bytes = 0;
  for (const Field& field : trailers_) bytes += field.name.size() + field.value.size();
  trailer_text_.clear();
  trailer_text_.reserve(bytes);
  const auto keep = [this](std::string_view& text) {
    const std::size_t at = trailer_text_.size();
    trailer_text_ += text;
    text = std::string_view(trailer_text_).substr(at);
  };
  for (Field& field : trailers_) {
    keep(field.name);
    keep(field.value);
  }
}

void RequestParser::on_known_field(beast_http::field id, std::string_view value,
                                   BeastError& error) {
  switch (id) {
    case beast_http::field::host:
      if (has_host_) {
        return refuse_in_callback(error, 400, kBadRequest, "the field host is given twice");
      }
      if (!is_host(value)) {
        return refuse_in_callback(error, 400, kBadRequest, "the field host is malformed");
      }
      has_host_ = true;
      head_.host = value;
      return;
    case beast_http::field::content_length:
      if (has_length_ || !is_digits(value)) {
        return refuse_in_callback(error, 400, kBadRequest,
                                  "content-length is not one decimal number");
      }
      has_length_ = true;
      return;
    case beast_http::field::transfer_encoding:
      // HTTP/1.0 has no transfer codings: who sent this framed it in some other way (RFC 9112 6.1).
      if (head_.version_minor == 0) {
        return refuse_in_callback(error, 400, kBadRequest, "transfer-encoding is not of HTTP/1.0");
      }
      if (!equals_ignoring_case(value, "chunked")) {
        return refuse_in_callback(error, 501, "not-implemented",
                                  "the only transfer coding that is known is chunked");
      }
      return;
    case beast_http::field::expect:
      if (head_.version_minor == 0) return;
      if (!equals_ignoring_case(value, "100-continue")) {
        return refuse_in_callback(error, 417, "expectation-failed",
                                  "the only expectation that is known is 100-continue");
      }
      expects_continue_ = true;
      return;
    default:
      return;
  }
}

void RequestParser::Grammar::on_chunk_header_impl(std::uint64_t size, BeastView extensions,
                                                  BeastError& error) {
  RequestParser& parser = parser_;
  parser.is_at_chunk_line_ = true;
  // Beast takes anything within quotes, a lone line feed too, which others take for a line's end.
  if (!is_field_value(view(extensions))) return stop(error);
  parser.extension_bytes_ += extensions.size();
  if (parser.extension_bytes_ > kExtensionBytesMax) return stop(error);
  if (size > parser.chunk_bytes_left_) {
    parser.is_body_too_large_ = true;
    return stop(error);
  }
  parser.chunk_bytes_left_ -= size;
  parser.chunk_bytes_ += size;
}

std::size_t RequestParser::Grammar::on_chunk_body_impl(std::uint64_t /*remaining*/, BeastView body,
                                                       BeastError& /*error*/) {
  parser_.chunk_sink_->append(view(body));
  return body.size();
}

RequestParser::ChunkProgress RequestParser::parse_chunks(std::string_view bytes,
                                                         std::size_t body_bytes_max,
                                                         ByteBuffer& body, std::size_t& taken) {
  CHECK(framing_ == Framing::chunked && grammar_.has_value());
  taken = 0;
  if (chunk_bytes_ > body_bytes_max) return ChunkProgress::too_large;
  chunk_bytes_left_ = body_bytes_max - chunk_bytes_;
  chunk_sink_ = &body;
  text_ = bytes;
  BeastError error;
  bool is_line_too_long = false;
  while (!error && !is_line_too_long && !grammar_->is_done() &&
         bytes.size() - taken >= kLastChunkBytesMin) {
    is_at_chunk_line_ = false;
    // One size line, or one piece of data, or the last line with the trailers.
    const std::size_t used =
        grammar_->put(boost::asio::buffer(bytes.data() + taken, bytes.size() - taken), error);
    taken += used;
    is_line_too_long = is_at_chunk_line_ && used > kChunkLineBytesMax;
  }
  chunk_sink_ = nullptr;
  // Beast waits for the end of a line or of the trailers however long that is.
  if (error == beast_http::error::need_more) {
    is_line_too_long = bytes.size() - taken > kChunkLineBytesMax;
    error = {};
  }
  if (is_line_too_long) return ChunkProgress::malformed;
  if (is_body_too_large_) return ChunkProgress::too_large;
  if (error) return ChunkProgress::malformed;
  if (!grammar_->is_done()) return ChunkProgress::need_more;
  keep_trailers();
  return ChunkProgress::complete;
}

}  // namespace funcd::http
