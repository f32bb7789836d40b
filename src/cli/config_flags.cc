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
  const auto key = std::string(option.key);
  const auto help = std::string(option.help);
  if (std::holds_alternative<server::SwitchField>(option.field)) {
    verb.add_flag_function(
            flag,
            [this, key](std::int64_t count) {
              sources_.flags.emplace_back(key, count > 0 ? "true" : "false");
            },
            help)
        ->group(group_of(option));
    return;
  }
  const auto names = key == "source" && source == Source::positional ? "SOURCE," + flag : flag;
  verb.add_option_function<std::string>(
          names, [this, key](const std::string& text) { sources_.flags.emplace_back(key, text); },
          help)
      ->type_name(server::value_name_of(option))
      ->default_str(default_of(option))
      ->group(group_of(option));
}

Result<server::Config> ConfigFlags::load() const {
  return server::load_config(sources_);
}

}  // namespace funcd::cli
