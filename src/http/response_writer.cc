#include "http/response_writer.h"

#include <charconv>
#include <cstring>
#include <string>

#include "base/check.h"

namespace funcd::http {
namespace {

// Everything of a head but content type, fields and reason phrase fits into this.
constexpr std::size_t kFixedBytesMax = 256;

char* put(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

template <class Number>
char* put_number(char* at, Number number) {
  constexpr std::size_t kDigitsMax = 20;
  return std::to_chars(at, at + kDigitsMax, number).ptr;
}

BodyFraming framing_for(const ResponseContext& context) {
  if (context.content_length) return BodyFraming::length;
  // HTTP/1.0 has no transfer codings (RFC 9112 6.1).
  return context.is_http_1_0 ? BodyFraming::until_close : BodyFraming::chunked;
}

char* put_framing(char* at, BodyFraming framing, const ResponseContext& context) {
  switch (framing) {
    case BodyFraming::length:
      at = put(at, "content-length: ");
      at = put_number(at, *context.content_length);
      return put(at, "\r\n");
    case BodyFraming::chunked:
      return put(at, "transfer-encoding: chunked\r\n");
    case BodyFraming::none:
    case BodyFraming::until_close:
      break;
  }
  return at;
}

}  // namespace

std::string_view DateField::at(std::time_t now) {
  if (now != second_) {
    std::tm utc{};
    gmtime_r(&now, &utc);
    // Names are those of the C locale, which nothing in this process changes.
    size_ = std::strftime(text_.data(), text_.size(), "date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    second_ = now;
  }
  return {text_.data(), size_};
}

BodyFraming write_head(const Response& response, const ResponseContext& context, ByteBuffer& out) {
  const bool is_final = response.status >= 200 && response.status <= 999;
  const int status = is_final ? response.status : 500;
  const bool has_content = status != 204 && status != 304;
  const std::string_view phrase = reason_phrase(status);

  char* const begin = out.room(kFixedBytesMax + phrase.size() + response.content_type.size() +
                               response.fields.bytes().size() + context.date_field.size())
                          .data();
  char* at = put(begin, "HTTP/1.1 ");
  at = put_number(at, status);
  at = put(at, " ");
  at = put(at, phrase);
  at = put(at, "\r\n");
  BodyFraming framing = BodyFraming::none;
  if (has_content) {
    framing = framing_for(context);
    at = put_framing(at, framing, context);
  }
  if (!response.content_type.empty()) {
    at = put(at, "content-type: ");
    at = put(at, response.content_type);
    at = put(at, "\r\n");
  }
  at = put(at, context.date_field);
  if (context.is_last) {
    at = put(at, "connection: close\r\n");
  } else if (context.is_http_1_0) {
    at = put(at, "connection: keep-alive\r\n");
  }
  at = put(at, response.fields.bytes());
  at = put(at, "\r\n");
  out.commit(static_cast<std::size_t>(at - begin));
  return context.is_head_method ? BodyFraming::none : framing;
}

Response refusal_response(const Refusal& refusal) {
  Response response;
  response.status = refusal.status;
  response.content_type = "application/json";
  const bool is_added = response.fields.add("funcd-error", refusal.reason);
  CHECK(is_added, "reason {}", refusal.reason);
  // Both are our own words: nothing in them needs escaping. No function was called, so there is no
  // invocation that a log could tell of.
  response.body.append(R"({"detail":")").append(refusal.detail);
  response.body.append(R"(","reason":")").append(refusal.reason);
  response.body.append(R"(","invocation":null})");
  return response;
}

}  // namespace funcd::http
