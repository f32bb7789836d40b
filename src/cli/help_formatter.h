#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>
#include <vector>

namespace funcd::cli {

// Help texts: flags and what they take on the left, the sentence and the default on the right.
class HelpFormatter final : public CLI::Formatter {
 public:
  HelpFormatter();

  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_group(std::string name, bool is_positional,
                         std::vector<const CLI::Option*> options) const override;
};

}  // namespace funcd::cli
