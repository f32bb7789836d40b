#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "source/deployment_record.h"
#include "source/object_store.h"

namespace funcd::source {

// Deployments of functions to a source, and back. A function's files lie in the source as anyone
// may put them there, those of its canary beside them; in .funcd/NAME/ lie the record of its
// revisions and their content. The record is written under a condition, so that of two who deploy
// at once each gets a number of its own, and the later one stays. Whoever has changed it then
// brings the files to what it says last.
class Deployments {
 public:
  static constexpr std::size_t kRevisionsMax = 50;  // kept of a function; older ones go

  // Paths in the source of the schemas that a function's sidecar names; none where it is no good.
  using SchemasOf = std::function<std::vector<std::string>(const std::string& name,
                                                           const ObjectStore::Bytes& sidecar)>;

  Deployments(ObjectStore& store, SchemasOf schemas_of)
      : store_(store), schemas_of_(std::move(schemas_of)) {}

  // Nothing when the function was never deployed this way.
  [[nodiscard]] Result<std::optional<DeploymentRecord>> read(const std::string& name);

  // Which revision lies in the source, by the content of all of its files; nothing when that is
  // none, as somebody has changed it by hand.
  [[nodiscard]] Result<std::optional<std::uint64_t>> find_live(const DeploymentRecord& record);

  // What a change has come to.
  struct Change {
    DeployedRevision revision;   // that it was about
    std::string sidecar_digest;  // as it lies in the source now; "" of none, or an empty one
    std::optional<DeployedCanary> canary;  // of the function now
    std::optional<std::uint64_t> dropped;  // the canary that it had before and has no more
  };

  // The files of one revision by path in the source: schemas, sidecar, module, in this order.
  using Files = std::vector<ObjectStore::File>;
  // A new revision: for all requests, or beside the live one for a share of them.
  [[nodiscard]] Result<Change> deploy(const std::string& name, const Files& files,
                                      const std::optional<CanaryShare>& share,
                                      const ObjectStore::OnProgress& on_progress);
  // What its canary gets from now on; silent: what it had.
  struct NewShare {
    std::optional<std::uint64_t> number;  // of the revision that is it; silent: that which is
    std::string weight;
    std::optional<std::string> sticky;
  };
  [[nodiscard]] Result<Change> set_canary(const std::string& name, const NewShare& share);
  // Makes the canary the live revision.
  [[nodiscard]] Result<Change> promote(const std::string& name);
  // Makes an older revision live again: that of the number, or what was live before. Without a
  // number a canary is dropped first, and nothing else.
  [[nodiscard]] Result<Change> roll_back(const std::string& name,
                                         std::optional<std::uint64_t> number);

 private:
  struct Versioned {
    std::optional<DeploymentRecord> record;
    std::string version;
  };
  // Says which revision the change is about.
  using Edit = std::function<Result<std::uint64_t>(DeploymentRecord& record)>;
  enum class IfMissing : std::uint8_t { adopt, fail };
  [[nodiscard]] Result<Change> change(const std::string& name, IfMissing if_missing,
                                      const Edit& edit);
  [[nodiscard]] Result<Versioned> read_versioned(const std::string& name);
  [[nodiscard]] Result<std::optional<std::uint64_t>> meet(DeploymentRecord& record);
  [[nodiscard]] Result<Files> files_there(const std::string& name);
  [[nodiscard]] Result<> check_shared(const DeploymentRecord& record, const Files& files);
  [[nodiscard]] Result<std::optional<std::uint64_t>> find_left_canary(
      const DeploymentRecord& record);
  [[nodiscard]] Result<> keep(const std::string& name, const Files& files,
                              const ObjectStore::OnProgress& on_progress);

  // What lies in the source besides the record.
  [[nodiscard]] Result<> publish(const std::string& name, bool has_moved);
  [[nodiscard]] Result<Files> content_of(const std::string& name, const DeployedRevision& revision);
  [[nodiscard]] Result<> publish_function(const DeploymentRecord& record);
  [[nodiscard]] Result<> publish_canary(const DeploymentRecord& record);
  [[nodiscard]] Result<> remove_canaries(const DeploymentRecord& record);
  [[nodiscard]] Result<> prune(const DeploymentRecord& before, const DeploymentRecord& after);

  ObjectStore& store_;
  const SchemasOf schemas_of_;
};

}  // namespace funcd::source
