#include "registry/json_document.h"

#include "base/text.h"

namespace funcd::registry {
namespace {

// The characters that JSON makes a string escape (RFC 8259 7).
bool needs_escape(char character) {
  return static_cast<unsigned char>(character) < 0x20 || character == '"' || character == '\\';
}

void append_escape(std::string& out, char character) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (character) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto code = static_cast<unsigned char>(character);
  out += "\\u00";
  out += kHex[code >> 4];
  out += kHex[code & 0xF];
}

void append_quoted(std::string& out, const JsonNode& string) {
  if (!string.is_plain) return append_json_string(out, string.text());
  // In the document it stands between quotes already.
  out.append(string.data - 1, string.size + 2);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!needs_escape(text[i])) continue;
    out.append(text, done, i - done);
    append_escape(out, text[i]);
    done = i + 1;
  }
  out.append(text, done);
  out += '"';
}

void append_json(std::string& out, const JsonNode& node) {
  switch (node.kind) {
    case JsonKind::null:
      out += "null";
      return;
    case JsonKind::boolean:
      out += node.boolean ? "true" : "false";
      return;
    case JsonKind::number:
      out += node.text();
      return;
    case JsonKind::string:
      append_quoted(out, node);
      return;
    case JsonKind::array:
      out += '[';
      for (const JsonNode* element = node.begin(); element != node.end();
           element = element->after()) {
        if (element != node.begin()) out += ',';
        append_json(out, *element);
      }
      out += ']';
      return;
    case JsonKind::object:
      out += '{';
      for (const JsonNode* key = node.begin(); key != node.end(); key = key->next_key()) {
        if (key != node.begin()) out += ',';
        append_quoted(out, *key);
        out += ':';
        append_json(out, key->value());
      }
      out += '}';
      return;
  }
}

std::string_view trim_json_space(std::string_view text) {
  return trimmed(text, " \t\n\r");
}

}  // namespace funcd::registry
