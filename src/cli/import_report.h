#pragma once

#include <string>
#include <vector>

#include "cli/import_plan.h"
#include "cli/import_write.h"

namespace funcd::cli {

struct ImportOutcome {
  const ImportPlan& plan;
  const std::vector<FileFate>& fates;  // of plan.files
  std::string folder;
  bool is_dry = false;
};

// For people: each function with its route and what is to be known of it, what was left out, what
// to do next.
[[nodiscard]] std::string import_text(const ImportOutcome& outcome);
// The same as JSON: source, format, folder, dry_run, functions, not_imported, notes, files.
[[nodiscard]] std::string import_json(const ImportOutcome& outcome);

}  // namespace funcd::cli
