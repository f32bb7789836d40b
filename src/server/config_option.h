#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "server/config.h"

namespace funcd::server {

// The member that an option sets, and with it how its text reads.
struct TextField {
  Result<> (*set)(Config& config, std::string_view text);
  std::string (*get)(const Config& config);
  std::string_view value_name;  // "HOST:PORT", for help
};
struct PathField {
  enum class Kind : std::uint8_t {
    folder,
    source,  // a folder, or s3://BUCKET/PREFIX
    file,    // or auto, which leaves the member empty
  };
  std::string& (*member)(Config& config);
  Kind kind = Kind::folder;
};
struct CountField {
  std::size_t& (*member)(Config& config);
  std::uint64_t min, max;
};
struct Count32Field {
  std::uint32_t& (*member)(Config& config);
  std::uint64_t min, max;
};
struct BytesField {
  std::uint64_t& (*member)(Config& config);
  std::uint64_t min, max;
};
struct DurationField {
  std::chrono::milliseconds& (*member)(Config& config);
};
struct SwitchField {
  bool& (*member)(Config& config);
};

// Whether a command's help lists an option.
enum class Help : std::uint8_t { listed, hidden };

// One thing that can be set. Its key is written here only; the flag, the environment variable and
// the place in funcd.toml all follow from it.
struct Option {
  using Field = std::variant<TextField, PathField, CountField, Count32Field, BytesField,
                             DurationField, SwitchField>;
  std::string_view key;   // "limits.timeout": key timeout in [limits]
  std::string_view help;  // one sentence
  Field field;
  Help in_help = Help::listed;
};

// In the order in which help lists them.
[[nodiscard]] std::span<const Option> options();
[[nodiscard]] const Option* find_option(std::string_view key);

[[nodiscard]] std::string flag_of(const Option& option);        // "--limits-timeout"
[[nodiscard]] std::string variable_of(const Option& option);    // "FUNCD_LIMITS_TIMEOUT"
[[nodiscard]] std::string value_name_of(const Option& option);  // "DURATION"

// Reads the text into the option's member. Errors say what is wrong with the text, not where it
// stood.
[[nodiscard]] Result<> set_option(Config& config, const Option& option, std::string_view text);
// The member as text that set_option() would read.
[[nodiscard]] std::string get_option(const Config& config, const Option& option);

}  // namespace funcd::server
