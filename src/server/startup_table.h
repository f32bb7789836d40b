#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "base/log.h"

namespace funcd::server {

using log::Colours;
using log::colours_of;

struct TableOptions {
  Colours colours = Colours::no;
  std::size_t rows_max = 40;  // the rest is a count
};

// What people read of `functions`, a document as functions_json() makes it: one line for each
// function, columns aligned, then how many are live, then the findings. Throws nlohmann's
// exceptions when the document is of another shape, as a foreign server's may be.
[[nodiscard]] std::string functions_table(const nlohmann::ordered_json& functions,
                                          const TableOptions& options);

// Why functions are not live, and which files are not served, one line each; empty when all is
// well. Nothing in it moves a terminal's cursor.
[[nodiscard]] std::string findings_text(const nlohmann::ordered_json& functions,
                                        const TableOptions& options);
[[nodiscard]] bool has_findings(const nlohmann::ordered_json& functions);

}  // namespace funcd::server
