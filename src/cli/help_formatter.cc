#include "cli/help_formatter.h"

#include <fmt/format.h>

#include <sstream>

namespace funcd::cli {

HelpFormatter::HelpFormatter() {
  column_width(34);
  label("SUBCOMMAND", "COMMAND");
  label("Positionals", "Arguments");
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  auto left = make_option_name(option, is_positional);
  const bool has_value = option->get_type_size() != 0 && !is_positional;
  if (has_value) left += " " + option->get_type_name();
  auto right = option->get_description();
  if (!option->get_default_str().empty()) {
    right += fmt::format(" (default: {})", option->get_default_str());
  }
  std::ostringstream line;
  CLI::detail::format_help(line, left, right, get_column_width());
  return line.str();
}

// As the base does, but with one empty line between groups rather than two.
std::string HelpFormatter::make_group(std::string name, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
  const bool is_first = is_positional || name == "Options";
  auto text = CLI::Formatter::make_group(std::move(name), is_positional, std::move(options));
  return is_first ? text : text.substr(1);
}

}  // namespace funcd::cli
