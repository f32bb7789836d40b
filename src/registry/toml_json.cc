#include <cmath>
#include <sstream>

#include "registry/json_document.h"
#include "registry/toml_table.h"

namespace funcd::registry {
namespace {

// Deeper input than any parser of the guest's side takes; keeps our own stack bounded too.
constexpr int kDepthMax = 64;

Result<> append(std::string& json, const toml::node& node, int depth);

Result<> append_float(std::string& json, double value) {
  if (!std::isfinite(value)) return fail("JSON has no number for {}", value);
  std::string text = fmt::format("{}", value);
  // A float stays one for those who go by how a number is written.
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  json += text;
  return {};
}

Result<> append_table(std::string& json, const toml::table& table, int depth) {
  json += '{';
  bool is_first = true;
  for (const auto& [key, node] : in_file_order(table)) {
    if (!is_first) json += ',';
    is_first = false;
    append_json_string(json, key->str());
    json += ':';
    TRY(append(json, *node, depth + 1));
  }
  json += '}';
  return {};
}

Result<> append_array(std::string& json, const toml::array& array, int depth) {
  json += '[';
  bool is_first = true;
  for (const toml::node& node : array) {
    if (!is_first) json += ',';
    is_first = false;
    TRY(append(json, node, depth + 1));
  }
  json += ']';
  return {};
}

template <class Value>
std::string printed(const Value& value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

Result<> append(std::string& json, const toml::node& node, int depth) {
  if (depth > kDepthMax) return fail("is nested deeper than {} levels", kDepthMax);
  if (const auto* table = node.as_table()) return append_table(json, *table, depth);
  if (const auto* array = node.as_array()) return append_array(json, *array, depth);
  if (const auto* number = node.as_floating_point()) return append_float(json, number->get());
  if (const auto* text = node.as_string())
    append_json_string(json, text->get());
  else if (const auto* integer = node.as_integer())
    json += fmt::format("{}", integer->get());
  else if (const auto* boolean = node.as_boolean())
    json += boolean->get() ? "true" : "false";
  else if (const auto* date = node.as_date())
    append_json_string(json, printed(date->get()));
  else if (const auto* time = node.as_time())
    append_json_string(json, printed(time->get()));
  else if (const auto* moment = node.as_date_time())
    append_json_string(json, printed(moment->get()));
  return {};
}

}  // namespace

Result<std::string> json_of(const toml::node& node) {
  std::string json;
  TRY(append(json, node, 0));
  return json;
}

}  // namespace funcd::registry
