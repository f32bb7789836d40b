#include "contract/data_input.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "contract/input_value.h"
#include "contract/json_text.h"
#include "http/percent.h"

namespace funcd::contract {
namespace {

enum class BodyKind : std::uint8_t { none, json, form };

// RFC 6839 3.1: any type that ends in +json is JSON.
BodyKind kind_of(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  if (http::equals_ignoring_case(type, "application/x-www-form-urlencoded")) return BodyKind::form;
  if (http::equals_ignoring_case(type, "application/json")) return BodyKind::json;
  constexpr std::string_view kSuffix = "+json";
  const bool has_suffix =
      type.size() > kSuffix.size() &&
      http::equals_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix);
  return has_suffix ? BodyKind::json : BodyKind::none;
}

// The members of DATA as they come together, in order.
class DataBuilder {
 public:
  explicit DataBuilder(const registry::Revision& revision) : revision_(revision) {
    members_.reserve(revision.manifest.input.size() + 8);
    for (const auto& [key, json] : revision.manifest.input) {
      members_.push_back({key, json, type_of_json(json), {}});
    }
  }

  // A text from outside, given the type that its key has. A key that comes again within one `round`
  // collects an array.
  std::optional<Failure> add_text(std::string_view key, std::string_view text, int round) {
    Member& member = member_of(key);
    const InputType type = member.type;
    auto json = to_json(text, type);
    if (!json) {
      return Failure{Reason::bad_input, fmt::format("{}: expected {}, got '{}'", key,
                                                    name_of(type), text.substr(0, kShownMax))};
    }
    if (member.round != round) member.texts.clear();
    member.round = round;
    member.texts.push_back(std::move(*json));
    return std::nullopt;
  }

  void add_json(std::string_view key, std::string_view json) {
    Member& member = member_of(key);
    member.texts.clear();
    member.json = json;
  }

  [[nodiscard]] std::string finish() const {
    std::string out = "{";
    for (const Member& member : members_) {
      if (out.size() > 1) out.push_back(',');
      append_json_string(out, member.key);
      out.push_back(':');
      append_value(out, member);
    }
    out.push_back('}');
    return out;
  }

 private:
  static constexpr std::size_t kShownMax = 100;  // of a text that is quoted in an error

  struct Member {
    std::string key;
    std::string json;
    InputType type;
    std::vector<std::string> texts;  // replace `json` when there are any
    int round = 0;
  };

  Member& member_of(std::string_view key) {
    for (Member& member : members_) {
      if (member.key == key) return member;
    }
    const std::string_view word =
        revision_.request_schema ? revision_.request_schema->type_of(key) : "";
    return members_.emplace_back(Member{std::string(key), "null", type_named(word), {}, 0});
  }

  static void append_value(std::string& out, const Member& member) {
    if (member.texts.empty()) {
      out += member.json;
    } else if (member.texts.size() == 1 && member.type != InputType::array) {
      out += member.texts.front();
    } else {
      char separator = '[';
      for (const std::string& text : member.texts) {
        out.push_back(separator);
        out += text;
        separator = ',';
      }
      out.push_back(']');
    }
  }

  const registry::Revision& revision_;
  std::vector<Member> members_;
};

constexpr int kQueryRound = 1;
constexpr int kPathRound = 2;
constexpr int kFormRound = 3;
// Keys of one query or form: each is looked for among all before it.
constexpr std::size_t kPairsMax = 1'000;

// Pairs of application/x-www-form-urlencoded, as in queries and forms.
std::optional<Failure> add_pairs(DataBuilder& data, std::string_view text, int round,
                                 std::string_view where) {
  std::size_t count = 0;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    if (++count > kPairsMax) {
      return Failure{Reason::bad_request, fmt::format("the {} has more than {} keys", where,
                                                      kPairsMax)};
    }
    const std::size_t split = std::min(pair.find('='), pair.size());
    const auto key = http::percent_decode(pair.substr(0, split), http::Plus::space);
    const auto value = http::percent_decode(pair.substr(std::min(split + 1, pair.size())),
                                            http::Plus::space);
    if (!key || !value || !is_utf8(*key) || !is_utf8(*value)) {
      return Failure{Reason::bad_request,
                     fmt::format("the {} does not decode to UTF-8 text", where)};
    }
    if (auto failure = data.add_text(*key, *value, round)) return failure;
  }
  return std::nullopt;
}

// Adds the body's members; a JSON body that is no object is DATA itself, and goes to `whole`.
std::optional<Failure> add_body(DataBuilder& data, const Call& call,
                                std::optional<std::string>& whole) {
  switch (kind_of(call.head.field("content-type").value_or(""))) {
    case BodyKind::json:
      if (!is_json(call.body)) return Failure{Reason::bad_request, "the request body is no JSON"};
      if (!for_each_member(call.body, [&](std::string_view key, std::string_view value) {
            data.add_json(key, value);
          })) {
        whole = trim_json(call.body);
      }
      return std::nullopt;
    case BodyKind::form:
      return add_pairs(data, call.body, kFormRound, "form");
    case BodyKind::none:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::variant<std::string, Failure> data_of(const Call& call) {
  DataBuilder data(call.revision);
  if (auto failure = add_pairs(data, call.head.query, kQueryRound, "query")) return *failure;
  for (const registry::PathParam& param : call.params) {
    if (!is_utf8(param.value)) {
      return Failure{Reason::bad_request, "the path does not decode to UTF-8 text"};
    }
    if (auto failure = data.add_text(param.name, param.value, kPathRound)) return *failure;
  }
  std::optional<std::string> whole;
  if (!call.body.empty()) {
    if (auto failure = add_body(data, call, whole)) return *failure;
  }
  std::string text = whole ? std::move(*whole) : data.finish();
  if (!call.revision.request_schema) return text;
  auto conforming = call.revision.request_schema->conform(text);
  if (!conforming) return Failure{Reason::bad_input, conforming.error().message};
  return std::move(*conforming);
}

}  // namespace funcd::contract
