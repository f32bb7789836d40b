#include "cli/config_flags.h"

#include <map>

namespace funcd::cli {
namespace {

// Options are listed by section, those without one first. What has no group is not listed.
std::string group_of(const server::Option& option) {
  static const std::map<std::string_view, std::string> kGroups = {
      {"limits", "Limits of functions"},
      {"compile", "Compiling"},
      {"ceilings", "What a sidecar may ask for"},
      {"s3", "Buckets"},
      {"http", "HTTP"},
      {"log", "Log"},
  };
  if (option.in_help == server::Help::hidden) return "";
  const std::string_view key = option.key;
  const auto dot = key.find('.');
  if (dot == std::string_view::npos) return "Options";
  return kGroups.at(key.substr(0, dot));
}

std::string default_of(const server::Option& option) {
  // These depend on the machine; help says what they are in words.
  if (option.key == "workers") return "number of cores";
  if (option.key == "cache_dir") return "~/.cache/funcd/code";
  return server::get_option(server::Config(), option);
}

// What is wrong with a flag's value, "" when nothing is: that is wrong usage, where the same value
// in a file or a variable is a bad setting.
std::string problem_of(const server::Option& option, const std::string& text) {
  server::Config scratch;
  const auto set = server::set_option(scratch, option, text);
  if (set) return "";
  // The library puts the name before it, but not that of a flag which help does not list.
  return option.in_help == server::Help::listed
             ? set.error().message
             : fmt::format("{}: {}", server::flag_of(option), set.error().message);
}

}  // namespace

ConfigFlags::ConfigFlags(CLI::App& verb, const Filter& wanted, Source source) {
  sources_.environment = server::process_environment;
  verb.add_option_function<std::string>(
          "--config", [this](const std::string& file) { sources_.config_file = file; },
          "read settings from FILE (default: funcd.toml, if it is there)")
      ->type_name("FILE");
  for (const auto& option : server::options()) {
    if (wanted(option.key)) add(verb, option, source);
  }
}

void ConfigFlags::add(CLI::App& verb, const server::Option& option, Source source) {
  const auto flag = server::flag_of(option);
  const auto help = std::string(option.help);
  CLI::Option* added = nullptr;
  if (std::holds_alternative<server::SwitchField>(option.field)) {
    added = verb.add_flag(flag, help);
  } else {
    const bool is_positional = option.key == "source" && source == Source::positional;
    added = verb.add_option(is_positional ? "SOURCE," + flag : flag, help)
                ->type_name(server::value_name_of(option))
                ->default_str(default_of(option));
  }
  added->group(group_of(option))
      ->check([&option](const std::string& text) { return problem_of(option, text); })
      ->each([this, &option](const std::string& text) {
        sources_.flags.emplace_back(option.key, text);
      });
}

Result<server::Config> ConfigFlags::load() const {
  return server::load_config(sources_);
}

}  // namespace funcd::cli
