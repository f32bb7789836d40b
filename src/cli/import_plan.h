#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace funcd::cli {

// What a project was written for.
enum class ImportFormat : std::uint8_t { wagi, wws, spin };
[[nodiscard]] std::string_view name_of(ImportFormat format);   // "wagi"
[[nodiscard]] std::string_view title_of(ImportFormat format);  // "Wagi"

// What is called of a program that was built for wasm32-wasip1.
inline constexpr std::string_view kEntrypoint = "_start";

// Something that has no counterpart here, or is another than it was, and what to do about it.
struct ImportNote {
  std::string what;
  std::string remedy;
};

// A part of the project that was left out, and why.
struct ImportSkip {
  std::string from;  // "spin.toml:12: component 'cart'"
  ImportNote note;
};

struct ImportMount {
  std::string host;   // relative to the functions folder
  std::string guest;  // absolute
  bool is_writable = false;
};

// One function of the functions folder that is made.
struct ImportFunction {
  std::string name;   // asked for: made a name that can be served, and one of its own
  std::string from;   // as in ImportSkip
  std::string wasm;   // real path
  std::string route;  // as sidecars write it
  std::string host;   // empty: every host
  std::string contract;
  std::vector<std::pair<std::string, std::string>> env;
  std::optional<std::string> kv_namespace;
  std::vector<ImportMount> mounts;
  std::vector<std::string> outbound;
  std::vector<ImportNote> notes;
  std::vector<std::string> files;  // set by complete(): the module, and its sidecar if there is one
};

// A file of the functions folder: a copy of `source`, or `text` where there is none.
struct ImportFile {
  std::string path;    // relative to the functions folder
  std::string source;  // real path
  std::string text;
};

// What a project becomes. A plain value: nothing is written.
struct ImportPlan {
  ImportFormat format = ImportFormat::wagi;
  std::string source;  // as the user named it
  std::vector<ImportFunction> functions;
  std::vector<ImportSkip> skips;
  std::vector<ImportNote> notes;  // on the project as a whole
  std::vector<ImportFile> files;
};

inline constexpr std::size_t kImportFunctionsMax = 10'000;

// Gives each function a name of its own that can be served, adds its module and its sidecar to the
// files, and makes sure that the folder would be served as it is meant: routes that can be read, no
// two alike, sidecars that a server reads. Called once, last.
[[nodiscard]] Result<> complete(ImportPlan& plan);

// The sidecar; empty where the defaults do.
[[nodiscard]] std::string sidecar_of(const ImportFunction& function);

// A name that can be served, made of any text: "my app/v1.2" gives "my-app/v1-2".
[[nodiscard]] std::string servable_name(std::string_view text);

}  // namespace funcd::cli
