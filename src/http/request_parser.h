#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/byte_buffer.h"
#include "http/message.h"
#include "http/refusal.h"

namespace funcd::http {

// What bounds the head of a request; ServerOptions has the defaults.
struct HeadLimits {
  std::size_t header_bytes_max;
  std::size_t fields_max;
  std::size_t target_bytes_max;
};

// The grammar of one request at a time (RFC 9112): Beast's parser, and on top of it every check
// where that is lenient, so that no one in front of this server can see another request in the same
// bytes. The outcome does not depend on how the bytes are split. Owned by its session.
class RequestParser {
 public:
  enum class HeadProgress : std::uint8_t { need_more, complete, refused };
  enum class ChunkProgress : std::uint8_t { need_more, complete, too_large, malformed };
  enum class Framing : std::uint8_t { none, length, chunked };

  explicit RequestParser(const HeadLimits& limits);

  // Looks at all bytes that have arrived since the last request's end. Called again with the same
  // and more bytes while more are needed. Once complete, head() has views into them.
  [[nodiscard]] HeadProgress parse_head(std::string_view bytes);
  // Remote address and port are not set.
  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] std::size_t head_bytes() const { return head_bytes_; }
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }

  // Of a complete head.
  [[nodiscard]] Framing framing() const { return framing_; }
  [[nodiscard]] bool wants_keep_alive() const { return wants_keep_alive_; }
  [[nodiscard]] bool expects_continue() const { return expects_continue_; }

  // Takes chunks (RFC 9112 7.1) from the front of `bytes`, appends their data to `body`, at most
  // `body_bytes_max` in all calls together, and says in `taken` how much was used.
  [[nodiscard]] ChunkProgress parse_chunks(std::string_view bytes, std::size_t body_bytes_max,
                                           ByteBuffer& body, std::size_t& taken);

  // Of a complete chunked body, but those that may not be trailers (RFC 9110 6.5.1). In memory of
  // this object, until reset().
  [[nodiscard]] std::span<const Field> trailers() const { return trailers_; }

  // Ready for the next request.
  void reset();

 private:
  using BeastError = boost::beast::error_code;
  using BeastView = boost::beast::string_view;

  // Beast's callbacks. A parser of Beast's is for one message only.
  class Grammar final : public boost::beast::http::basic_parser<true> {
   public:
    explicit Grammar(RequestParser& parser) : parser_(parser) {}

   private:
    void on_request_impl(boost::beast::http::verb verb, BeastView method, BeastView target,
                         int version, BeastError& error) override;
    void on_response_impl(int, BeastView, int, BeastError&) override {}
    void on_field_impl(boost::beast::http::field id, BeastView name, BeastView value,
                       BeastError& error) override;
    void on_header_impl(BeastError&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastError&) override {}
    std::size_t on_body_impl(BeastView body, BeastError&) override { return body.size(); }
    void on_chunk_header_impl(std::uint64_t size, BeastView extensions, BeastError& error) override;
    std::size_t on_chunk_body_impl(std::uint64_t remaining, BeastView body,
                                   BeastError& error) override;
    void on_finish_impl(BeastError&) override {}

    RequestParser& parser_;
  };

  HeadProgress refuse(int status, std::string_view reason, std::string_view detail);
  void refuse_in_callback(BeastError& error, int status, std::string_view reason,
                          std::string_view detail);
  [[nodiscard]] bool skip_empty_lines(std::string_view bytes);
  [[nodiscard]] HeadProgress check_start(std::string_view text);
  [[nodiscard]] HeadProgress find_end(std::string_view bytes);
  [[nodiscard]] HeadProgress finish_head(std::string_view text);
  [[nodiscard]] HeadProgress set_target();
  void on_field(boost::beast::http::field id, std::string_view name, std::string_view value,
                BeastError& error);
  void on_known_field(boost::beast::http::field id, std::string_view value, BeastError& error);
  void on_trailer(std::string_view name, std::string_view value, BeastError& error);
  void keep_trailers();

  HeadLimits limits_;
  std::optional<Grammar> grammar_;
  RequestHead head_;
  std::vector<Field> fields_;
  Refusal refusal_;

  std::string_view text_;  // what Beast is looking at

  std::size_t begin_ = 0;       // of the request line: after empty lines
  std::size_t line_begin_ = 0;  // of the line whose end is looked for
  std::size_t scanned_ = 0;
  std::size_t head_bytes_ = 0;
  bool is_start_checked_ = false;

  Framing framing_ = Framing::none;
  bool wants_keep_alive_ = false;
  bool expects_continue_ = false;
  bool has_host_ = false;
  bool has_length_ = false;

  // While chunks are taken.
  ByteBuffer* chunk_sink_ = nullptr;
  std::uint64_t chunk_bytes_left_ = 0;  // of body_bytes_max
  std::uint64_t chunk_bytes_ = 0;       // of the chunks begun so far
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_count_ = 0;  // those that are dropped, too
  std::vector<Field> trailers_;
  std::string trailer_text_;
  bool is_at_chunk_line_ = false;
  bool is_body_too_large_ = false;
};

}  // namespace funcd::http
