#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "source/deployment_record.h"

namespace funcd::cli {

// --canary and --sticky of funcd deploy.
class CanaryFlags {
 public:
  void add_to(CLI::App& verb);
  // Nothing when no canary is wanted.
  [[nodiscard]] std::optional<source::CanaryShare> share() const;

 private:
  std::string weight_;
  std::string sticky_ = "none";
};

}  // namespace funcd::cli
