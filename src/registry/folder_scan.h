#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_stamp.h"
#include "base/result.h"
#include "registry/status.h"

namespace funcd::registry {

inline constexpr int kFolderDepthMax = 16;
inline constexpr std::size_t kFunctionsMax = 20'000;
inline constexpr std::size_t kFolderEntriesMax = 500'000;
// At the top of the source: files that are served as they are, and no functions.
inline constexpr std::string_view kPublicFolder = "public";

struct SourceFile {
  std::string path;       // as the folder was given, plus the path in it
  std::string real_path;  // without links
  FileStamp stamp;
};

// A module and what lies beside it.
struct Candidate {
  std::string name;  // "api/users"
  SourceFile wasm;
  std::optional<SourceFile> sidecar;
  std::string
      sidecar_error;  // there is one that must not be used: "hello.toml: is a loop of links"
};

// What lies in a folder at one moment.
struct FolderScan {
  std::string real_folder;
  std::vector<Candidate> candidates;    // sorted by name
  std::vector<Problem> problems;        // sorted by path
  std::vector<std::string> unreadable;  // "api/": what is below is not known now
  bool has_public_folder = false;       // kPublicFolder lies at the top
};

struct ScanOptions {
  // Real paths of folders that are mounted into guests: what lies there is data.
  std::vector<std::string> excluded;
  // Told the real path of each folder before it is read, so that a watch set up then misses
  // nothing.
  std::function<void(const std::string& real_folder)> on_folder = [](const std::string&) {};
};

// Finds the functions of a folder. Links are followed as long as they stay inside. An error when
// the folder itself cannot be read.
[[nodiscard]] Result<FolderScan> scan_folder(const std::string& folder, const ScanOptions& options);

}  // namespace funcd::registry
