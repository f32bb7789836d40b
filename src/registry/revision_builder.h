#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "registry/folder_scan.h"
#include "registry/program_loader.h"
#include "registry/proof.h"
#include "registry/revision.h"
#include "registry/sidecar.h"
#include "registry/snapshot_maker.h"

namespace funcd::registry {

// A file or folder besides module and sidecar that a revision was made of, or failed for.
struct Dependency {
  std::string path;
  std::optional<FileStamp> stamp;  // nothing: it was not there; of a folder, only which one it is
  bool is_folder = false;
};

// Makes revisions of what lies in the source: reads, hashes, validates, compiles, links, and makes
// one instance. Knows nothing of what else is live.
class RevisionBuilder {
 public:
  // `engine` and `cache` (may be null) outlive this.
  RevisionBuilder(const engine::Engine& engine, storage::CodeCache* cache,
                  std::uint64_t artifact_bytes_max,
                  LazyProgram::Stay stay = LazyProgram::Stay::for_good)
      : loader_(engine, cache, stay), artifact_bytes_max_(artifact_bytes_max) {}

  // What may be done where there is no code at hand.
  enum class IfMissing : std::uint8_t {
    tell,              // the outcome says so
    compile,           // to optimized code
    compile_baseline,  // or tell, where that cannot be done here and now
  };
  // Code that was compiled elsewhere, of the artifact of that digest.
  struct Code {
    const std::string& digest;
    std::span<const std::uint8_t> bytes;
    engine::Tier tier;
  };
  struct Order {
    const Candidate& candidate;
    const Sidecar& sidecar;
    const std::string& real_folder;
    std::shared_ptr<Function> function;
    std::shared_ptr<const Revision> live;  // its program is used again if the artifact is the same
    std::string live_key;                  // Outcome::key of it
    std::string failed_key;                // and of the last one that failed
    // Others whose program serves as well where the artifact is the same.
    std::vector<std::shared_ptr<const Revision>> siblings = {};
    // What is known of it from an earlier time. It goes live without another try where that tells
    // all. May be null.
    const Proof* proof = nullptr;
    IfMissing if_missing = IfMissing::compile;
    std::optional<Code> code = std::nullopt;
    // Who makes a snapshot that is not at hand; where nobody does, the outcome is must_compile.
    enum class SnapshotsBy : std::uint8_t { nobody, this_thread, others };
    SnapshotsBy snapshots_by = SnapshotsBy::this_thread;
    const MadeSnapshot* snapshot = nullptr;  // what others have made; may be null
  };

  struct Outcome {
    enum class Kind : std::uint8_t {
      built,           // `revision`
      same_as_live,    // nothing that matters has changed
      same_as_failed,  // nor has what failed; its error stands
      must_compile,    // there is no code of it; `digest` names the artifact
      must_snapshot,   // nor a snapshot, which others are to make
      outdated,        // the artifact is newer than the look that has found it: the next look's
      failed,          // `error`
    };
    Kind kind = Kind::failed;
    std::shared_ptr<const Revision> revision;
    std::string error;          // names the file: "hello.wasm: ..."
    bool is_transient = false;  // of an error: the system's, which may pass without a change here
    std::string digest;         // of the artifact, once it was read
    std::string key;            // names all that went into it; "" when it was not all read
    std::uint64_t artifact_bytes = 0;
    bool is_from_cache = false;           // no compiler ran
    bool is_refused_by_baseline = false;  // which compiler cannot make code of it
    std::vector<Dependency> dependencies;
    Proof proof;             // as far as it was found out
    bool is_proven = false;  // by the order's
  };
  [[nodiscard]] Outcome build(const Order& order);

  // The same revision with other code.
  [[nodiscard]] Result<std::shared_ptr<const Revision>> with_code(const Revision& revision,
                                                                  const Code& code);

  [[nodiscard]] ProgramLoader& loader() { return loader_; }
  [[nodiscard]] const ProgramLoader& loader() const { return loader_; }

 private:
  struct Parts;  // what is read before the compiler is asked
  [[nodiscard]] Result<> read_manifest_parts(const Order& order, Parts& parts, Outcome& outcome);
  [[nodiscard]] Result<std::shared_ptr<const JsonSchema>> read_schema(const std::string& path,
                                                                      const Order& order,
                                                                      std::string& digest,
                                                                      Outcome& outcome);
  [[nodiscard]] Result<> read_artifact(const Order& order, Parts& parts, Outcome& outcome);
  // The same without a look at it, where the proof tells; false where it does not.
  [[nodiscard]] static bool take_proven_artifact(const Order& order, Parts& parts,
                                                 Outcome& outcome);
  [[nodiscard]] bool is_proven(const Order& order, const Outcome& outcome) const;
  void take_proof(const Order& order, Parts& parts, Outcome& outcome);
  void make_revision(const Order& order, Parts& parts, Outcome& outcome,
                     std::shared_ptr<LazyProgram> program);
  struct Found {  // what runs; `program` is null when it has to be made and must not be here
    std::shared_ptr<const engine::Program> program;
    CodeName code;
    SnapshotUse snapshot;
    bool must_snapshot = false;
  };
  [[nodiscard]] Result<Found> find_program(const Order& order, const Parts& parts,
                                           Outcome& outcome);
  [[nodiscard]] Result<std::optional<SnapshotMaker::Made>> find_made(
      const Order& order, const SnapshotMaker::Order& wanted, const CodeName& code,
      Outcome& outcome);
  [[nodiscard]] Result<Found> find_snapshot(const Order& order, const Parts& parts,
                                            Outcome& outcome);
  [[nodiscard]] Result<std::shared_ptr<const engine::Program>> find_plain(const Order& order,
                                                                          const Parts& parts,
                                                                          Outcome& outcome);

  ProgramLoader loader_;
  std::uint64_t artifact_bytes_max_;
  // Functions with equal schemas share one. By path and hash of the text.
  std::map<std::pair<std::string, std::string>, std::weak_ptr<const JsonSchema>> schemas_;
  std::size_t schemas_swept_ = 0;  // how many were left when the dead were removed last
};

}  // namespace funcd::registry
