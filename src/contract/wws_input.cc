#include "contract/wws_input.h"

#include <map>

#include "base/base64.h"
#include "base/text.h"
#include "base/utf8.h"
#include "registry/json_document.h"

namespace funcd::contract {
namespace {

using registry::append_json_string;

// What JSON can hold of a field's bytes (RFC 9110 5.5: obs-text is opaque).
std::string text_of(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, value);
}

// Cookies are joined by "; " (RFC 9113 8.2.3), all others by ", " (RFC 9110 5.3).
void append_headers(std::string& out, std::span<const http::Field> fields) {
  std::map<std::string, std::string> values;
  for (const http::Field& field : fields) {
    std::string name = lower(field.name);
    const std::string_view separator = name == "cookie" ? "; " : ", ";
    const auto [at, is_new] = values.try_emplace(std::move(name), field.value);
    if (!is_new) at->second.append(separator).append(field.value);
  }
  out += ",\"headers\":{";
  for (const auto& [name, value] : values) append_member(out, name, text_of(value));
  out += '}';
}

void append_url(std::string& out, const http::RequestHead& head) {
  std::string url("http://");
  url.append(head.host.empty() ? "localhost" : head.host).append(head.path);
  if (!head.query.empty()) url.append("?").append(head.query);
  append_json_string(out, text_of(url));
}

void append_body(std::string& out, std::string_view body) {
  const bool is_text = is_utf8(body);
  out += ",\"body\":";
  if (is_text) {
    append_json_string(out, body);
  } else {
    out += '"';
    append_base64(out, body);
    out += '"';
  }
  out += is_text ? ",\"base64\":false" : ",\"base64\":true";
}

std::optional<Failure> append_params(std::string& out, const Call& call) {
  out += ",\"params\":{";
  for (const registry::PathParam& param : call.params) {
    if (!is_utf8(param.value)) {
      return Failure{Reason::bad_request, fmt::format("the path's '{}' is no UTF-8", param.name)};
    }
    append_member(out, param.name, param.value);
  }
  out += '}';
  return std::nullopt;
}

}  // namespace

std::optional<Failure> append_wws_document(const Call& call, std::string& out) {
  out += "{\"url\":";
  append_url(out, call.head);
  out += ",\"method\":";
  append_json_string(out, call.head.method);
  append_headers(out, call.head.fields);
  append_body(out, call.body);
  if (auto failure = append_params(out, call)) return failure;
  out += ",\"kv\":{";
  if (call.kv != nullptr) {
    for (const auto& [key, value] : *call.kv) append_member(out, key, value);
  }
  out += "}}";
  return std::nullopt;
}

}  // namespace funcd::contract
