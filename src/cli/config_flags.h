#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "server/config.h"
#include "server/config_option.h"

namespace funcd::cli {

// The flags of a verb that configure a server: --config, and one for each option of `wanted`.
// Owned by the verb's action, outlives the parse.
class ConfigFlags {
 public:
  using Filter = std::function<bool(std::string_view key)>;
  // Whether the source is a positional argument as well.
  enum class Source : std::uint8_t { positional, flag };

  // Adds them to the verb.
  ConfigFlags(CLI::App& verb, const Filter& wanted, Source source = Source::positional);
  ConfigFlags(const ConfigFlags&) = delete;
  ConfigFlags& operator=(const ConfigFlags&) = delete;

  // After the parse: everything that was said, with the process's environment.
  [[nodiscard]] Result<server::Config> load() const;

 private:
  void add(CLI::App& verb, const server::Option& option, Source source);

  server::ConfigSources sources_;
};

}  // namespace funcd::cli
