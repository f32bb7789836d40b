#include "server/startup_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/utf8.h"
#include "registry/manifest.h"

namespace funcd::server {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::array<std::string, 7>;
constexpr std::size_t kStateColumn = 6;
const Row kHeader = {"FUNCTION", "CONTRACT", "URL", "METHODS", "TIMEOUT", "MEMORY", "STATE"};

constexpr std::string_view kBold = "1";
constexpr std::string_view kRed = "31";
constexpr std::string_view kGreen = "32";
constexpr std::string_view kYellow = "33";

std::string coloured(std::string text, std::string_view colour, Colours colours) {
  if (colours == Colours::no) return text;
  return fmt::format("\x1b[{}m{}\x1b[0m", colour, text);
}

std::string_view colour_of(std::string_view state) {
  if (state == "live") return kGreen;
  if (state == "stale" || state == "building") return kYellow;
  return kRed;
}

// Columns that a text takes, near enough: code points.
std::size_t width_of(std::string_view text) {
  return utf8_count(text);
}

std::string text_of(const Json& function, const char* key) {
  const auto& value = function.at(key);
  return value.is_null() ? std::string("-") : printable(value.get<std::string>());
}

std::string methods_of(const Json& function) {
  const auto& methods = function.at("methods");
  if (methods.is_null()) return "-";
  if (methods.empty()) return "all";
  return fmt::format("{}", fmt::join(methods.get<std::vector<std::string>>(), ","));
}

// Where it answers. Of a host of its own the server's address says nothing.
std::string place_of(const Json& function) {
  const auto host = text_of(function, "host");
  if (host != "-") return host + text_of(function, "route");
  const auto url = text_of(function, "url");
  return url == "-" ? text_of(function, "route") : url;
}

Row row_of(const Json& function) {
  const auto& limits = function.at("limits");
  const auto& canary = function.at("canary");
  const auto share = canary.is_null() || canary.at("weight").is_null()
                         ? ""
                         : " " + printable(canary.at("weight").get<std::string>());
  return {text_of(function, "name") + share,
          text_of(function, "contract"),
          place_of(function),
          methods_of(function),
          limits.is_null() ? "-"
                           : registry::format_duration(std::chrono::milliseconds(
                                 limits.at("timeout_ms").get<std::int64_t>())),
          limits.is_null() ? "-"
                           : registry::format_size(limits.at("memory_bytes").get<std::uint64_t>()),
          text_of(function, "state")};
}

std::string line_of(const Row& row, const std::array<std::size_t, 7>& widths, bool is_header,
                    Colours colours) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const bool is_last = i + 1 == row.size();
    auto cell = row[i];
    if (!is_last) cell.append(widths[i] - width_of(row[i]) + 2, ' ');
    if (i == kStateColumn && !is_header) cell = coloured(cell, colour_of(row[i]), colours);
    line += cell;
  }
  return (is_header ? coloured(line, kBold, colours) : line) + "\n";
}

// "5 functions: 3 live, 1 stale, 1 failed".
std::string summary_of(const Json& functions) {
  std::vector<std::string> parts;
  for (const char* state : {"live", "building", "stale", "failed"}) {
    const auto count = std::ranges::count_if(
        functions, [state](const Json& function) { return function.at("state") == state; });
    if (count > 0) parts.push_back(fmt::format("{} {}", count, state));
  }
  return fmt::format("{} function{}{}{}\n", functions.size(), functions.size() == 1 ? "" : "s",
                     parts.empty() ? "" : ": ", fmt::join(parts, ", "));
}

struct Finding {
  std::string word;  // "failed"
  std::string text;
};
std::vector<Finding> findings_of(const Json& document) {
  std::vector<Finding> findings;
  for (const auto& function : document.at("functions")) {
    if (function.at("error").is_null()) continue;
    findings.push_back({text_of(function, "state"), fmt::format("{}: {}", text_of(function, "name"),
                                                                text_of(function, "error"))});
  }
  for (const auto& problem : document.at("problems")) {
    findings.push_back({"not served", fmt::format("{}: {}", text_of(problem, "path"),
                                                  text_of(problem, "message"))});
  }
  return findings;
}

}  // namespace

std::string functions_table(const Json& document, const TableOptions& options) {
  const auto& functions = document.at("functions");
  const auto count = std::min(functions.size(), options.rows_max);
  std::vector<Row> rows = {kHeader};
  for (std::size_t i = 0; i < count; ++i) rows.push_back(row_of(functions[i]));
  std::array<std::size_t, 7> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (std::size_t i = 0; i < rows.size() && !functions.empty(); ++i) {
    text += line_of(rows[i], widths, i == 0, options.colours);
  }
  if (count < functions.size()) text += fmt::format("... and {} more\n", functions.size() - count);
  text += summary_of(functions);
  return text + findings_text(document, options);
}

std::string findings_text(const Json& document, const TableOptions& options) {
  const auto findings = findings_of(document);
  const auto count = std::min(findings.size(), options.rows_max);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += fmt::format("{}  {}\n",
                        coloured(findings[i].word, colour_of(findings[i].word), options.colours),
                        findings[i].text);
  }
  if (count < findings.size()) text += fmt::format("... and {} more\n", findings.size() - count);
  return text;
}

bool has_findings(const Json& document) {
  return !findings_of(document).empty();
}

}  // namespace funcd::server
