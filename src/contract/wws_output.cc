#include "contract/wws_output.h"

#include <charconv>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "contract/status.h"
#include "registry/json_document.h"
#include "registry/json_scalar.h"

namespace funcd::contract {
namespace {

using registry::JsonKind;
using registry::JsonNode;

constexpr std::size_t kFieldsMax = 200;

using Refusal = std::optional<Failure>;

Refusal bad_output(std::string detail) {
  return Failure{Reason::bad_output, std::move(detail)};
}

// The member of that name, but for one that is null.
const JsonNode* member(const JsonNode& object, std::string_view name) {
  const JsonNode* node = object.find(name);
  return node == nullptr || node->kind == JsonKind::null ? nullptr : node;
}

// Also of "200.0": a program may know no other numbers.
std::optional<int> status_of(const JsonNode& node) {
  std::string digits;
  const bool is_whole =
      node.kind == JsonKind::number && registry::append_integer_of_number(digits, node.text());
  return is_whole ? final_status_of(digits) : std::nullopt;
}

Refusal read_status(const JsonNode& answer, http::Response& response) {
  const JsonNode* status = member(answer, "status");
  if (status == nullptr) return std::nullopt;
  const auto number = status_of(*status);
  if (!number) return bad_output("its status is no number from 200 to 599");
  response.status = *number;
  return std::nullopt;
}

Refusal read_data(const JsonNode& answer, http::Response& response) {
  const JsonNode* flag = member(answer, "base64");
  if (flag != nullptr && flag->kind != JsonKind::boolean) {
    return bad_output("its base64 is neither true nor false");
  }
  const bool is_base64 = flag != nullptr && flag->boolean;
  response.content_type = is_base64 ? "application/octet-stream" : "text/html; charset=utf-8";
  const JsonNode* data = member(answer, "data");
  if (data == nullptr) return std::nullopt;
  if (data->kind != JsonKind::string) return bad_output("its data is no string");
  if (!is_base64) {
    response.body = data->text();
    return std::nullopt;
  }
  auto bytes = decode_base64(data->text());
  if (!bytes) return bad_output("its data is no base64, though it says so");
  response.body = std::move(*bytes);
  return std::nullopt;
}

Refusal add_field(http::Response& response, std::string_view name, const JsonNode& value) {
  if (value.kind != JsonKind::string) {
    return bad_output(fmt::format("its header {} has a value that is no string", name));
  }
  if (http::equals_ignoring_case(name, "funcd-error")) return std::nullopt;  // the server's word
  if (http::equals_ignoring_case(name, "content-type")) response.content_type = {};
  if (response.fields.add(name, value.text())) return std::nullopt;
  return bad_output("a name or a value in its headers is none that HTTP knows");
}

Refusal read_headers(const JsonNode& answer, http::Response& response) {
  const JsonNode* headers = member(answer, "headers");
  if (headers == nullptr) return std::nullopt;
  if (headers->kind != JsonKind::object) return bad_output("its headers are no object");
  std::size_t count = 0;
  for (const JsonNode* name = headers->begin(); name != headers->end(); name = name->next_key()) {
    const JsonNode& value = name->value();
    const bool is_list = value.kind == JsonKind::array;
    count += is_list ? value.size : 1;
    if (count > kFieldsMax) {
      return bad_output(fmt::format("it has more than {} headers", kFieldsMax));
    }
    if (!is_list) {
      if (auto refusal = add_field(response, name->text(), value)) return refusal;
      continue;
    }
    for (const JsonNode* each = value.begin(); each != value.end(); each = each->after()) {
      if (auto refusal = add_field(response, name->text(), *each)) return refusal;
    }
  }
  return std::nullopt;
}

Refusal read_kv(const JsonNode& answer, const storage::KvMap& before, storage::KvChange& change) {
  const JsonNode* kv = member(answer, "kv");
  if (kv == nullptr) return std::nullopt;
  if (kv->kind != JsonKind::object) return bad_output("its kv is no object");
  storage::KvMap after;
  for (const JsonNode* key = kv->begin(); key != kv->end(); key = key->next_key()) {
    if (key->value().kind != JsonKind::string) {
      return bad_output("its kv has a value that is no string");
    }
    after.insert_or_assign(std::string(key->text()), std::string(key->value().text()));
  }
  change = storage::difference(before, after);
  return std::nullopt;
}

}  // namespace

std::variant<WwsAnswer, Failure> wws_answer(std::string_view out, const storage::KvMap& kv) {
  registry::JsonDocument document;
  if (!document.parse(out)) return Failure{Reason::bad_output, "it printed what is no JSON"};
  if (document.has_lone_surrogates()) {
    return Failure{Reason::bad_output, "its output holds half of a surrogate pair"};
  }
  const JsonNode& root = document.root();
  if (root.kind != JsonKind::object) {
    return Failure{Reason::bad_output, "it printed JSON that is no object"};
  }
  WwsAnswer answer;
  if (auto refusal = read_status(root, answer.response)) return *std::move(refusal);
  if (auto refusal = read_data(root, answer.response)) return *std::move(refusal);
  if (auto refusal = read_headers(root, answer.response)) return *std::move(refusal);
  if (auto refusal = read_kv(root, kv, answer.kv)) return *std::move(refusal);
  if (!may_have_body(answer.response.status)) {
    answer.response.body.clear();
    answer.response.content_type = {};
  }
  return answer;
}

}  // namespace funcd::contract
