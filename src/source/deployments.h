#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "source/object_store.h"

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
  std::string note;                 // "deployed", "found": it lay there before the first deployment
  std::vector<DeployedFile> files;  // the module last

  [[nodiscard]] const DeployedFile& module() const { return files.back(); }
  // Of the sidecar; "" without one.
  [[nodiscard]] std::string sidecar_digest() const;
};
// All that is kept of a function, oldest first.
struct DeploymentRecord {
  std::string function;
  std::uint64_t live = 0;
  std::vector<DeployedRevision> revisions;

  [[nodiscard]] const DeployedRevision* find(std::uint64_t number) const;
};

// Deployments of functions to a source, and back. A function's files lie in the source as anyone
// may put them there; beside them, in .funcd/NAME/, lie the record of its revisions and their
// content. The record is written under a condition, so that of two who deploy at once each gets a
// number of its own, and the later one stays.
class Deployments {
 public:
  static constexpr std::size_t kRevisionsMax = 50;  // kept of a function; older ones go

  explicit Deployments(ObjectStore& store) : store_(store) {}

  // Nothing when the function was never deployed this way.
  [[nodiscard]] Result<std::optional<DeploymentRecord>> read(const std::string& name);

  // The files of one revision by path in the source: schemas, sidecar, module, in this order.
  using Files = std::vector<ObjectStore::File>;
  [[nodiscard]] Result<DeployedRevision> deploy(const std::string& name, const Files& files,
                                                const ObjectStore::OnProgress& on_progress);
  // Makes an older revision live again: that of the number, or the one before the live one.
  [[nodiscard]] Result<DeployedRevision> roll_back(const std::string& name,
                                                   std::optional<std::uint64_t> number);

 private:
  struct Versioned {
    std::optional<DeploymentRecord> record;
    std::string version;
  };
  [[nodiscard]] Result<Versioned> read_versioned(const std::string& name);
  [[nodiscard]] Result<bool> write(const DeploymentRecord& record, const std::string& version);
  [[nodiscard]] Result<DeploymentRecord> adopt(const std::string& name);
  [[nodiscard]] Result<> keep(const std::string& name, const Files& files,
                              const ObjectStore::OnProgress& on_progress);
  [[nodiscard]] Result<> publish(const std::string& name, std::uint64_t number);
  [[nodiscard]] Result<> prune(const DeploymentRecord& before, const DeploymentRecord& after);

  ObjectStore& store_;
};

}  // namespace funcd::source
