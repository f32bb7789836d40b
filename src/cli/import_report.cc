#include "cli/import_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/admin_json.h"

namespace funcd::cli {
namespace {

std::size_t count_of(const ImportOutcome& outcome, FileFate fate) {
  return static_cast<std::size_t>(std::ranges::count(outcome.fates, fate));
}

std::string counted(std::size_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string note_text(const ImportNote& note) {
  return fmt::format("    {}\n      -> {}\n", note.what, note.remedy);
}

std::string function_text(const ImportFunction& function) {
  std::string text = fmt::format("  {}  {}{}  {}\n", function.name, function.host, function.route,
                                 function.contract.empty() ? "wasi-http" : function.contract);
  text += fmt::format("    of {}: {}\n", function.from, fmt::join(function.files, ", "));
  for (const ImportNote& note : function.notes) text += note_text(note);
  return text;
}

nlohmann::ordered_json notes_json(const std::vector<ImportNote>& notes) {
  auto json = nlohmann::ordered_json::array();
  for (const ImportNote& note : notes)
    json.push_back({{"what", note.what}, {"remedy", note.remedy}});
  return json;
}

nlohmann::ordered_json function_json(const ImportFunction& function) {
  return {{"name", function.name},
          {"route", function.route},
          {"host", function.host},
          {"contract", function.contract.empty() ? "wasi-http" : function.contract},
          {"from", function.from},
          {"files", function.files},
          {"notes", notes_json(function.notes)}};
}

}  // namespace

std::string import_text(const ImportOutcome& outcome) {
  const ImportPlan& plan = outcome.plan;
  std::string text =
      fmt::format("{} ({}) -> {}\n\n", plan.source, title_of(plan.format), outcome.folder);
  for (const ImportFunction& function : plan.functions) text += function_text(function);
  if (!plan.skips.empty()) text += "\nnot imported\n";
  for (const ImportSkip& skip : plan.skips) {
    text += fmt::format("  {}\n{}", skip.from, note_text(skip.note));
  }
  if (!plan.notes.empty()) text += "\non the whole\n";
  for (const ImportNote& note : plan.notes) text += note_text(note);
  text +=
      fmt::format("\n{}, {} not imported; {}: {} created, {} replaced, {} unchanged\n",
                  counted(plan.functions.size(), "function"), plan.skips.size(),
                  counted(plan.files.size(), "file"), count_of(outcome, FileFate::created),
                  count_of(outcome, FileFate::replaced), count_of(outcome, FileFate::unchanged));
  return text + (outcome.is_dry
                     ? std::string("a dry run: nothing was written\n")
                     : fmt::format("next: funcd check {0}, funcd serve {0}\n", outcome.folder));
}

std::string import_json(const ImportOutcome& outcome) {
  const ImportPlan& plan = outcome.plan;
  auto functions = nlohmann::ordered_json::array();
  for (const ImportFunction& function : plan.functions)
    functions.push_back(function_json(function));
  auto skips = nlohmann::ordered_json::array();
  for (const ImportSkip& skip : plan.skips) {
    skips.push_back({{"from", skip.from}, {"what", skip.note.what}, {"remedy", skip.note.remedy}});
  }
  auto files = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < plan.files.size(); ++i) {
    files.push_back({{"path", plan.files[i].path}, {"is", name_of(outcome.fates[i])}});
  }
  return server::json_text({{"source", plan.source},
                            {"format", name_of(plan.format)},
                            {"folder", outcome.folder},
                            {"dry_run", outcome.is_dry},
                            {"functions", functions},
                            {"not_imported", skips},
                            {"notes", notes_json(plan.notes)},
                            {"files", files}});
}

}  // namespace funcd::cli
