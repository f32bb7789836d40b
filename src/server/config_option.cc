#include "server/config_option.h"

#include <algorithm>
#include <array>
#include <limits>

#include "server/units.h"

namespace funcd::server {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;
constexpr std::uint64_t kAny32 = std::numeric_limits<std::uint32_t>::max();

template <class Value>
struct Word {
  std::string_view text;
  Value value;
};
template <class Value, std::size_t N>
Result<> set_word(Value& member, std::string_view text, const std::array<Word<Value>, N>& words) {
  std::string known;
  for (const auto& word : words) {
    if (word.text == text) {
      member = word.value;
      return {};
    }
    known += known.empty() ? "" : ", ";
    known += word.text;
  }
  return fail("expected one of {}, got '{}'", known, text);
}
template <class Value, std::size_t N>
std::string get_word(Value member, const std::array<Word<Value>, N>& words) {
  for (const auto& word : words) {
    if (word.value == member) return std::string(word.text);
  }
  return {};
}

constexpr std::array<Word<contract::ErrorStyle>, 2> kErrorStyles = {{
    {"precise", contract::ErrorStyle::precise},
    {"bad-request", contract::ErrorStyle::bad_request},
}};
constexpr std::array<Word<log::Level>, 4> kLogLevels = {{
    {"debug", log::Level::debug},
    {"info", log::Level::info},
    {"warn", log::Level::warn},
    {"error", log::Level::error},
}};
constexpr std::array<Word<log::Format>, 2> kLogFormats = {{
    {"text", log::Format::text},
    {"json", log::Format::json},
}};
constexpr std::array<Word<bool>, 2> kSwitch = {{{"true", true}, {"false", false}}};

Result<> set_listen(Config& config, std::string_view text) {
  config.listen = TRY(http::parse_endpoint(text));
  return {};
}
std::string get_listen(const Config& config) {
  return http::format_endpoint(config.listen);
}

Result<> set_admin(Config& config, std::string_view text) {
  if (text == "off") {
    config.admin.reset();
    return {};
  }
  config.admin = TRY(http::parse_endpoint(text));
  return {};
}
std::string get_admin(const Config& config) {
  return config.admin ? http::format_endpoint(*config.admin) : "off";
}

Result<> set_duration(std::chrono::milliseconds& member, std::string_view text);

constexpr std::array<Word<source::Addressing>, 3> kAddressings = {{
    {"auto", source::Addressing::automatic},
    {"path", source::Addressing::path},
    {"host", source::Addressing::host},
}};

Result<> set_unless_auto(std::string& member, std::string_view text) {
  if (text.empty()) return fail("expected a name or auto, got nothing");
  member = text == "auto" ? "" : text;
  return {};
}
std::string text_or_auto(const std::string& member) {
  return member.empty() ? "auto" : member;
}

// A lambda without captures, as the member's address in a Config.
#define MEMBER(name) [](Config& config) -> auto& { return config.name; }

const auto kOptions = std::to_array<Option>({
    {"source", "the folder of functions, or s3://BUCKET/PREFIX",
     PathField{MEMBER(source), PathField::Kind::source}},
    {"listen", "where requests are served; port 0 picks a free one",
     TextField{set_listen, get_listen, "HOST:PORT"}},
    {"admin", "where health, metrics and status are served, or off",
     TextField{set_admin, get_admin, "HOST:PORT"}},
    {"workers", "threads that serve, one event loop each", CountField{MEMBER(workers), 1, 1024}},
    {"cache_dir", "folder of compiled code and of the copy of a bucket",
     PathField{MEMBER(cache_dir)}},
    {"cache_size", "compiled code kept on disk at the most",
     BytesField{MEMBER(cache_bytes_max), kMiB, 1024 * kGiB}},
    {"unload_after", "functions not called for that long leave memory until they are; or off",
     TextField{[](Config& config, std::string_view text) -> Result<> {
                 if (text != "off") return set_duration(config.unload_after, text);
                 config.unload_after = {};
                 return {};
               },
               [](const Config& config) {
                 return config.unload_after.count() == 0
                            ? "off"
                            : registry::format_duration(config.unload_after);
               },
               "DURATION"}},
    {"kv_file", "SQLite file of functions' keys and values; auto: one for each source",
     PathField{MEMBER(kv_file), PathField::Kind::file}},
    {"kv_size", "keys and values of one function's store at the most",
     BytesField{MEMBER(kv_bytes_max), 1024, 64 * kMiB}},
    {"errors", "how failures look: precise, or bad-request (400 for everything)",
     TextField{[](Config& config, std::string_view text) {
                 return set_word(config.errors, text, kErrorStyles);
               },
               [](const Config& config) { return get_word(config.errors, kErrorStyles); },
               "STYLE"}},
    {"access_log", "one log line for each request", SwitchField{MEMBER(has_access_log)}},
    {"log.level", "debug, info, warn or error",
     TextField{[](Config& config, std::string_view text) {
                 return set_word(config.log_level, text, kLogLevels);
               },
               [](const Config& config) { return get_word(config.log_level, kLogLevels); },
               "LEVEL"}},
    {"log.format", "text or json",
     TextField{[](Config& config, std::string_view text) {
                 return set_word(config.log_format, text, kLogFormats);
               },
               [](const Config& config) { return get_word(config.log_format, kLogFormats); },
               "FORMAT"}},
    {"drain_timeout", "how long requests in flight may take to end after SIGTERM",
     DurationField{MEMBER(drain_timeout)}},
    {"instances", "instances alive at once; 0: as many as the kernel allows",
     Count32Field{MEMBER(instances_max), 0, 100'000}},
    {"concurrency", "invocations at once over all functions; 0: as many as instances",
     Count32Field{MEMBER(concurrency_max), 0, 100'000}},
    {"queue", "requests that may wait for their turn; one more gets 503",
     Count32Field{MEMBER(queue_max), 0, 1'000'000}},
    {"queue_timeout", "how long a request may wait for its turn; then it gets 503",
     DurationField{MEMBER(queue_timeout)}},
    {"build_timeout", "how long a request may wait for a function's first build; then 503",
     DurationField{MEMBER(build_timeout)}},
    {"stack", "stack of each guest; more is a trap",
     BytesField{MEMBER(stack_bytes), 64 * 1024, 16 * kMiB}},
    {"epochs", "whether guests are interrupted; off only to measure what that costs",
     SwitchField{MEMBER(has_epochs)}, Help::hidden},

    {"limits.timeout", "wall clock of one invocation, where a sidecar is silent",
     DurationField{MEMBER(limits.timeout)}},
    {"limits.memory", "memory of one invocation, where a sidecar is silent",
     BytesField{MEMBER(limits.memory_bytes), 64 * 1024, 4 * kGiB}},
    {"limits.request_body", "largest request body, where a sidecar is silent",
     BytesField{MEMBER(limits.request_body_bytes), 0, 4 * kGiB}},
    {"limits.response_body", "largest response body, where a sidecar is silent",
     BytesField{MEMBER(limits.response_body_bytes), 1, 4 * kGiB}},
    {"limits.stderr", "stderr that is kept of one invocation, where a sidecar is silent",
     BytesField{MEMBER(limits.stderr_bytes), 0, 64 * kMiB}},
    {"limits.concurrency", "invocations of one function at once, where a sidecar is silent",
     Count32Field{MEMBER(limits.concurrency), 1, kAny32}},
    {"ceilings.timeout", "the longest timeout a sidecar may ask for",
     DurationField{MEMBER(ceilings.timeout)}},
    {"ceilings.memory", "the most memory a sidecar may ask for",
     BytesField{MEMBER(ceilings.memory_bytes), 64 * 1024, 4 * kGiB}},
    {"ceilings.request_body", "the largest request body a sidecar may ask for",
     BytesField{MEMBER(ceilings.request_body_bytes), 0, 4 * kGiB}},
    {"ceilings.response_body", "the largest response body a sidecar may ask for",
     BytesField{MEMBER(ceilings.response_body_bytes), 1, 4 * kGiB}},
    {"ceilings.stderr", "the most stderr a sidecar may ask to keep",
     BytesField{MEMBER(ceilings.stderr_bytes), 0, 64 * kMiB}},
    {"ceilings.concurrency", "the highest concurrency a sidecar may ask for",
     Count32Field{MEMBER(ceilings.concurrency), 1, kAny32}},

    {"compile.timeout", "how long the compiler may take for one function",
     DurationField{MEMBER(compiler.timeout)}},
    {"compile.memory", "memory that the compiler may take for one function",
     BytesField{MEMBER(compiler.memory_bytes), 64 * kMiB, 64 * kGiB}},
    {"compile.baseline", "answer with quickly compiled code until optimized code is there",
     SwitchField{MEMBER(has_baseline)}},

    {"s3.endpoint", "the S3 server, as http or https URL; auto: as the AWS tools find it",
     TextField{[](Config& config, std::string_view text) -> Result<> {
                 if (text != "auto") TRY(source::check_endpoint(text));
                 return set_unless_auto(config.s3.endpoint, text);
               },
               [](const Config& config) { return text_or_auto(config.s3.endpoint); }, "URL"}},
    {"s3.region", "the bucket's region; auto: as the AWS tools find it",
     TextField{[](Config& config, std::string_view text) {
                 return set_unless_auto(config.s3.region, text);
               },
               [](const Config& config) { return text_or_auto(config.s3.region); }, "REGION"}},
    {"s3.profile", "profile of ~/.aws/credentials and config; auto: as the AWS tools do",
     TextField{[](Config& config, std::string_view text) {
                 return set_unless_auto(config.s3.profile, text);
               },
               [](const Config& config) { return text_or_auto(config.s3.profile); }, "NAME"}},
    {"s3.addressing", "where the bucket's name stands in a URL: path, host, or auto",
     TextField{[](Config& config, std::string_view text) {
                 return set_word(config.s3.addressing, text, kAddressings);
               },
               [](const Config& config) { return get_word(config.s3.addressing, kAddressings); },
               "STYLE"}},
    {"s3.poll", "from one look at the bucket to the next, at most", DurationField{MEMBER(s3_poll)}},
    {"s3.wait", "at start: how long to wait for a bucket of which there is a copy",
     DurationField{MEMBER(s3_wait)}},
    {"s3.size", "objects of the bucket together at the most",
     BytesField{MEMBER(s3_bytes_max), kMiB, 1024 * kGiB}},

    {"http.connections", "open connections at once; one more is closed at once",
     CountField{MEMBER(http.connections_max), 1, 1'000'000}},
    {"http.body_memory", "bodies held in memory at once; one more gets 503",
     BytesField{MEMBER(http.held_bytes_max), kMiB, 1024 * kGiB}},
    {"http.header_size", "request line and header together; more gets 431",
     BytesField{MEMBER(http.header_bytes_max), 1024, kMiB}},
    {"http.fields", "header fields of a request; more gets 431",
     CountField{MEMBER(http.fields_max), 1, 10'000}},
    {"http.target_size", "path and query of a request; more gets 414",
     BytesField{MEMBER(http.target_bytes_max), 64, kMiB}},
    {"http.header_timeout", "from the first byte of a request to the end of its header",
     DurationField{MEMBER(http.header_timeout)}},
    {"http.body_timeout", "longest pause within a request body",
     DurationField{MEMBER(http.body_timeout)}},
    {"http.idle_timeout", "how long a connection may wait for its next request",
     DurationField{MEMBER(http.idle_timeout)}},
    {"http.write_timeout", "how long a client may leave its response unread",
     DurationField{MEMBER(http.write_timeout)}},
});
#undef MEMBER

// Calls the matching lambda.
template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::string spelled(std::string_view key, char separator, bool is_upper) {
  std::string text;
  for (const char c : key) {
    const bool is_letter = c >= 'a' && c <= 'z';
    const bool is_digit = c >= '0' && c <= '9';
    text += is_letter && is_upper   ? static_cast<char>(c - 'a' + 'A')
            : is_letter || is_digit ? c
                                    : separator;
  }
  return text;
}

Result<> set_bytes(std::uint64_t& member, const BytesField& field, std::string_view text) {
  const auto bytes = TRY(registry::parse_size(text));
  if (bytes < field.min || bytes > field.max) {
    return fail("expected a size from {} to {}, got {}", registry::format_size(field.min),
                registry::format_size(field.max), text);
  }
  member = bytes;
  return {};
}

Result<> set_duration(std::chrono::milliseconds& member, std::string_view text) {
  constexpr std::chrono::milliseconds kMin{1};
  constexpr std::chrono::milliseconds kMax = std::chrono::hours(24);
  const auto duration = TRY(registry::parse_duration(text));
  if (duration < kMin || duration > kMax) {
    return fail("expected a duration from {} to {}, got {}", registry::format_duration(kMin),
                registry::format_duration(kMax), text);
  }
  member = duration;
  return {};
}

Result<> set_path(std::string& member, PathField::Kind kind, std::string_view text) {
  using Kind = PathField::Kind;
  const std::string_view expected = kind == Kind::source ? "a folder or s3://BUCKET/PREFIX"
                                    : kind == Kind::file ? "a file or auto"
                                                         : "a folder";
  if (text.empty()) return fail("expected {}, got nothing", expected);
  if (kind == Kind::file && text == "auto") {
    member.clear();
    return {};
  }
  if (kind == Kind::source && source::is_s3_url(text)) {
    TRY(source::parse_s3_url(text));
  } else if (text.find("://") != std::string_view::npos) {
    return fail("expected {}, got '{}'", expected, text);
  }
  member = text;
  return {};
}

Result<> set_switch(bool& member, std::string_view text) {
  if (text == "on" || text == "1") text = "true";
  if (text == "off" || text == "0") text = "false";
  return set_word(member, text, kSwitch);
}

}  // namespace

std::span<const Option> options() {
  return kOptions;
}

const Option* find_option(std::string_view key) {
  const auto found = std::ranges::find(kOptions, key, &Option::key);
  return found == kOptions.end() ? nullptr : &*found;
}

std::string flag_of(const Option& option) {
  return "--" + spelled(option.key, '-', false);
}
std::string variable_of(const Option& option) {
  return "FUNCD_" + spelled(option.key, '_', true);
}

std::string value_name_of(const Option& option) {
  return std::visit(
      Overloaded{[](const TextField& field) { return std::string(field.value_name); },
                 [](const PathField& field) {
                   return std::string(field.kind == PathField::Kind::file ? "FILE" : "FOLDER");
                 },
                 [](const CountField&) { return std::string("N"); },
                 [](const Count32Field&) { return std::string("N"); },
                 [](const BytesField&) { return std::string("SIZE"); },
                 [](const DurationField&) { return std::string("DURATION"); },
                 [](const SwitchField&) { return std::string(); }},
      option.field);
}

Result<> set_option(Config& config, const Option& option, std::string_view text) {
  return std::visit(Overloaded{
                        [&](const TextField& field) -> Result<> { return field.set(config, text); },
                        [&](const PathField& field) -> Result<> {
                          return set_path(field.member(config), field.kind, text);
                        },
                        [&](const CountField& field) -> Result<> {
                          field.member(config) = TRY(parse_count(text, field.min, field.max));
                          return {};
                        },
                        [&](const Count32Field& field) -> Result<> {
                          field.member(config) = static_cast<std::uint32_t>(
                              TRY(parse_count(text, field.min, field.max)));
                          return {};
                        },
                        [&](const BytesField& field) -> Result<> {
                          return set_bytes(field.member(config), field, text);
                        },
                        [&](const DurationField& field) -> Result<> {
                          return set_duration(field.member(config), text);
                        },
                        [&](const SwitchField& field) -> Result<> {
                          return set_switch(field.member(config), text);
                        },
                    },
                    option.field);
}

std::string get_option(const Config& config, const Option& option) {
  Config copy = config;
  return std::visit(
      Overloaded{
          [&](const TextField& field) { return field.get(config); },
          [&](const PathField& field) {
            const bool is_auto = field.kind == PathField::Kind::file && field.member(copy).empty();
            return is_auto ? std::string("auto") : field.member(copy);
          },
          [&](const CountField& field) { return std::to_string(field.member(copy)); },
          [&](const Count32Field& field) { return std::to_string(field.member(copy)); },
          [&](const BytesField& field) { return registry::format_size(field.member(copy)); },
          [&](const DurationField& field) { return registry::format_duration(field.member(copy)); },
          [&](const SwitchField& field) { return get_word(field.member(copy), kSwitch); },
      },
      option.field);
}

}  // namespace funcd::server
