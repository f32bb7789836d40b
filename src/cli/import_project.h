#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/import_plan.h"

namespace funcd::cli {

inline constexpr std::size_t kImportFilesMax = 100'000;
inline constexpr std::uint64_t kImportFileBytesMax = 1ULL << 30;
inline constexpr int kImportDepthMax = 32;

// The project that is imported, on disk. No path of it leads out of `root`, by a link neither.
struct ImportProject {
  std::string path;      // as the user named it
  std::string base;      // real folder that relative paths begin at
  std::string root;      // real folder that holds all of it
  std::string excluded;  // real path of the folder that is made, where there is one already
};

// The real path of what a project names, relative to the real folder `base`. An error begins with
// the path: "../x.wasm leads out of /proj; ...", "x.wasm: no such file or directory".
[[nodiscard]] Result<std::string> find_in(const ImportProject& project, std::string_view base,
                                          std::string_view path);

enum class WasmKind : std::uint8_t { module, component };
// By its first bytes; an error when it is neither.
[[nodiscard]] Result<WasmKind> wasm_kind_of(const std::string& real_path);

// The files below a folder.
struct TreeWalk {
  std::string folder;  // real path
  // What each is to be told of it: its path relative to `folder`, and the real one.
  std::function<Result<>(const std::string& relative, const std::string& real)> on_file;
  // Hidden files and folders are passed over, and counted, unless wanted.
  bool takes_hidden = false;
};
struct TreeCount {
  std::size_t taken = 0;
  std::size_t hidden = 0;
};
// In the order of their names; the folder that is made is passed over.
[[nodiscard]] Result<TreeCount> walk_tree(const ImportProject& project, const TreeWalk& walk);

// Whether a relative path fits a pattern: '*' and '?' within a segment, "**" for any number of
// them.
[[nodiscard]] bool fits_pattern(std::string_view path, std::string_view pattern);

// Reads a project; nothing is written. `project.path` is what is read; errors name file and line.
[[nodiscard]] Result<ImportPlan> plan_wagi(const ImportProject& project);
[[nodiscard]] Result<ImportPlan> plan_wws(const ImportProject& project);
[[nodiscard]] Result<ImportPlan> plan_spin(const ImportProject& project);

// Copies of project folders that functions mount: one for each, however many functions share it.
class ImportedFolders {
 public:
  ImportedFolders(const ImportProject& project, ImportPlan& plan)
      : project_(project), plan_(plan) {}

  // Where the copy of a real folder lies, relative to the functions folder.
  [[nodiscard]] Result<std::string> add(const std::string& real_folder);
  // The same for a place that is filled by the caller: "_mounts/NAME", NAME made unique.
  [[nodiscard]] std::string place_for(std::string_view name);

 private:
  const ImportProject& project_;
  ImportPlan& plan_;
  std::vector<std::pair<std::string, std::string>> places_;  // real folder, place
};

}  // namespace funcd::cli
