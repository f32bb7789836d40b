#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "http/listener.h"

namespace funcd::cli {

// --admin of the commands that talk to a running server. Owned by the verb's action, outlives the
// parse.
class AdminFlag {
 public:
  // Adds it to the verb. What is no address is wrong usage.
  CLI::Option* add_to(CLI::App& verb);

  // Adds --config, too: where it is read if neither flag nor variable names one.
  void add_with_config_to(CLI::App& verb);

  [[nodiscard]] bool is_given() const { return !text_.empty(); }
  // The flag's, else that of FUNCD_ADMIN, else the file's, else where a server is when it is told
  // nothing.
  [[nodiscard]] Result<http::Endpoint> endpoint() const;

 private:
  [[nodiscard]] Result<http::Endpoint> endpoint_of_file() const;

  std::string text_;
  std::optional<std::string> config_file_;
};

}  // namespace funcd::cli
