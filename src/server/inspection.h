#pragma once

#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "registry/catalog.h"
#include "registry/revision_builder.h"
#include "registry/status.h"
#include "server/config.h"
#include "storage/code_cache.h"

namespace funcd::server {

// An error with the remedy when the source is no folder or cannot be read;
// of a bucket that is seen later.
[[nodiscard]] Result<> check_source(const std::string& folder);

// What a server would serve of a folder.
struct Inspection {
  registry::Status status;
  std::shared_ptr<const registry::Catalog> catalog;  // null when nothing is live
};

// What a server would make of one file.
struct FileInspection {
  std::string path;
  std::shared_ptr<const registry::Revision> revision;  // null when it would not go live
  std::string reason;                                  // why not
  std::uint64_t artifact_bytes = 0;
  // Real path of the folder of functions whose part it is; empty where its name or place is no
  // function's, and of a folder's inspection.
  std::string functions_folder;
  bool is_folder_assumed = false;  // it is not the configured source: the file's own was taken
  // It starts plainly, and could start from a snapshot; known of a file that is inspected alone.
  bool could_snapshot = false;
};

// The same of each file in the folder, those that are not served included.
[[nodiscard]] std::vector<FileInspection> files_of(const Inspection& inspection,
                                                   const std::string& folder);

// Says of a file that its route is taken by one of those before it, where it is. Only files of one
// folder of functions share routes.
void tell_conflict(FileInspection& file, std::span<const FileInspection> earlier);

// Whether functions are asked for their [smoke] requests, which is to run them.
enum class SmokeRequests : std::uint8_t { made, skipped };

// Builds functions as a server of this configuration does, and serves nothing. Owns the engine, so
// it outlives what it returns; for one thread.
class Inspector {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Inspector>> create(const Config& config,
                                                                 SmokeRequests smoke_requests);

  // Every function of a folder, or of the bucket that is the configured source.
  [[nodiscard]] Result<Inspection> inspect_folder(const std::string& source) const;
  // One module, with the sidecar beside it. Its name and route are those that it has in the
  // configured source when it lies there, else those of its file.
  [[nodiscard]] FileInspection inspect_file(const std::string& path) const;

 private:
  Inspector(const Config& config, SmokeRequests smoke_requests)
      : config_(config), smoke_requests_(smoke_requests) {}
  [[nodiscard]] Result<registry::RevisionBuilder::Outcome> build(const std::string& path,
                                                                 FileInspection& inspection) const;

  Config config_;
  SmokeRequests smoke_requests_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<storage::CodeCache> cache_;  // null when it cannot be used
  std::jthread ticker_;  // ends the start function of a module that never ends by itself
};

}  // namespace funcd::server
