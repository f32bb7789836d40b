#include "contract/json_text.h"

#include <simdjson.h>

#include <array>
#include <nlohmann/json.hpp>

namespace funcd::contract {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// A worker validates one text at a time; its parser keeps its buffers.
simdjson::dom::parser& dom_parser() {
  thread_local simdjson::dom::parser parser;
  return parser;
}

}  // namespace

bool is_json(std::string_view text) {
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) return false;
  switch (dom_parser().parse(text.data(), text.size()).error()) {
    case simdjson::SUCCESS:
      return true;
    // What simdjson cannot hold may be JSON all the same: numbers beyond 64 bits.
    case simdjson::NUMBER_ERROR:
      return nlohmann::json::accept(text);
    default:
      return false;
  }
}

std::string_view trim_json(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

bool for_each_member(std::string_view text,
                     const std::function<void(std::string_view, std::string_view)>& visit) {
  thread_local simdjson::ondemand::parser parser;
  const simdjson::padded_string padded(text);
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS) return false;
  if (document.get_object().get(object) != simdjson::SUCCESS) return false;
  for (auto field : object) {
    std::string_view key;
    std::string_view value;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return false;
    // Copied: the parser's buffer for keys is used again when the value is read.
    const std::string name(key);
    if (simdjson::to_json_string(field.value()).get(value) != simdjson::SUCCESS) return false;
    visit(name, trim_json(value));
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char character : text) {
    switch (character) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(character) < 0x20) {
          out += "\\u00";
          out.push_back(kHex[static_cast<unsigned char>(character) >> 4]);
          out.push_back(kHex[static_cast<unsigned char>(character) & 0xf]);
        } else {
          out.push_back(character);
        }
    }
  }
  out.push_back('"');
}

}  // namespace funcd::contract
