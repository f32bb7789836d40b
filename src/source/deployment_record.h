#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcd::source {

// What a function was at one time: its files by path in the source, each by its SHA-256.
struct DeployedFile {
  std::string path;
  std::string sha256;
  std::uint64_t bytes = 0;
};
struct DeployedRevision {
  std::uint64_t number = 0;         // 1, 2, ...
  std::string at;                   // RFC 3339
  std::string note;                 // "deployed", "found": somebody had put it there
  std::vector<DeployedFile> files;  // the module last

  [[nodiscard]] const DeployedFile& module() const { return files.back(); }
  // Null without one.
  [[nodiscard]] const DeployedFile* sidecar() const;
};
// What a canary gets, as its sidecar says it.
struct CanaryShare {
  std::string weight;  // "5%"
  std::string sticky;  // "none", "cookie", "header:x-user"
  bool operator==(const CanaryShare&) const = default;
};
struct DeployedCanary {
  std::uint64_t number = 0;
  CanaryShare share;
  bool operator==(const DeployedCanary&) const = default;
};
// All that is kept of a function, oldest first.
struct DeploymentRecord {
  std::string function;
  std::uint64_t live = 0;
  std::optional<DeployedCanary> canary;
  std::vector<std::uint64_t> history;  // what was live before, the last one last
  std::vector<DeployedRevision> revisions;

  [[nodiscard]] const DeployedRevision* find(std::uint64_t number) const;
  // Makes a revision live that was not: the way back is to what was.
  void go_on_to(std::uint64_t number);
  // Makes one live again, as if nothing had come after it.
  void go_back_to(std::uint64_t number);
  // What was live before; nothing when that is not kept any more.
  [[nodiscard]] std::optional<std::uint64_t> previous() const;
};

[[nodiscard]] std::string text_of(const DeploymentRecord& record);
// Of the function of that name; an error when the text is none of it.
[[nodiscard]] Result<DeploymentRecord> parse_record(std::string_view text, const std::string& name);

// Where a revision's file lies while that is a canary: "hello@2.wasm", "item@2.schema.json". Canary
// and function are read side by side.
[[nodiscard]] std::string canary_path(std::string_view path, std::uint64_t number);
// A revision's sidecar, as it is while that is a canary.
[[nodiscard]] std::string canary_sidecar(std::string_view text, const CanaryShare& share);

}  // namespace funcd::source
