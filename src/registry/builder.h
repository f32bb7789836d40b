#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/descriptor.h"
#include "registry/compile_lane.h"
#include "registry/folder_source.h"
#include "registry/load_lane.h"
#include "registry/proof.h"
#include "registry/record.h"
#include "registry/registry.h"
#include "registry/revision_builder.h"
#include "registry/smoke_lane.h"
#include "registry/snapshot_lane.h"
#include "registry/status_board.h"

namespace funcd::registry {

// The registry's thread: looks at the source, keeps a record of each function, builds what has
// changed one after the other, cheapest first, and publishes. Between two builds it looks again
// when there is news, so that a long queue delays nobody.
class Registry::Builder {
 public:
  Builder(const engine::Engine& engine, storage::CodeCache* cache, RegistryOptions options,
          Publish publish);

  [[nodiscard]] Result<> run(const std::stop_token& stop);
  [[nodiscard]] Result<> build_once();
  [[nodiscard]] const StatusBoard& board() const { return board_; }
  [[nodiscard]] CompileLane& lane(engine::Tier tier) {
    return tier == engine::Tier::baseline ? baseline_lane_ : optimized_lane_;
  }
  [[nodiscard]] SnapshotLane& snapshots() { return snapshot_lane_; }
  [[nodiscard]] SmokeLane& smokes() { return smoke_lane_; }
  [[nodiscard]] LoadLane& load_lane() { return load_lane_; }
  [[nodiscard]] ProgramCounts program_counts() const;

 private:
  enum class Look : std::uint8_t { first, again };

  // builder_look.cc: what is there now, and what of it is to be built.
  [[nodiscard]] Result<> look(Look kind);
  [[nodiscard]] Result<FolderScan> scan(Look kind);
  [[nodiscard]] std::vector<std::string> mounted_folders(const FolderScan& scan) const;
  // False when one has changed since the scan.
  [[nodiscard]] bool read_sidecars(const FolderScan& scan, Look kind);
  void plan(const FolderScan& scan, Look kind);
  [[nodiscard]] bool has_changed(const Record& record, const Candidate& candidate) const;
  [[nodiscard]] bool is_settled(const Record& record, const Candidate& candidate);
  void note_missing(const FolderScan& scan);
  void show_problems(std::vector<Problem> problems);
  void expect_routes();

  // builder_compile.cc: what the lanes make meanwhile: code, and snapshots.
  void await_elsewhere(Record& record, const RevisionBuilder::Outcome& outcome);
  void await_code(Record& record, const RevisionBuilder::Outcome& outcome);
  void take_compiled();
  void settle(const CompileLane::Done& done, engine::Tier tier);
  void settle_awaiting(Record& record, const CompileLane::Done& done, engine::Tier tier);
  void optimize(Record& record, const CompileLane::Done& done);
  void await_snapshot(Record& record, const RevisionBuilder::Outcome& outcome);
  void abandon_snapshot(Record& record);
  void end_snapshot(Record& record);
  void take_snapshots();
  void drop_unwanted_code();
  void forget_settled();
  void wake() const;

  // builder_smoke.cc: revisions that are built, and go live once they have answered as they should.
  struct Trial {
    RevisionBuilder::Outcome outcome;
    Duration elapsed;   // of the build
    std::string shape;  // of the route that it will have
    LazyProgram::Pin program;
  };
  void try_smoke(Record& record, Trial trial);
  void end_trial(const std::string& name);
  void take_tried();
  void conclude_trial(Record& record, Trial trial, const Result<>& answer);
  [[nodiscard]] bool is_on_trial(const std::string& name, const std::string& key) const;
  // builder_memory.cc: which programs are in memory, and what is known of those that are not.
  void read_proofs();
  void keep_proofs();
  [[nodiscard]] const Proof* proof_of(const Record& record) const;
  void unload_unused();
  [[nodiscard]] bool are_proofs_due() const;
  [[nodiscard]] TimePoint memory_deadline() const;
  void take_lost();
  void settle_lost(Record& record, const std::string& error);
  [[nodiscard]] std::string proofs_name() const;
  [[nodiscard]] std::string circumstances() const;

  // builder_canary.cc: which canaries stand beside their functions.
  void settle_canaries();
  void settle_canary(Record& canary);
  [[nodiscard]] std::optional<std::string> pairing_error(const Record& canary) const;
  [[nodiscard]] const Record* function_of(const Record& canary) const;
  [[nodiscard]] bool is_kept_for_function(const Record& record) const;
  [[nodiscard]] std::vector<std::shared_ptr<const Revision>> siblings_of(
      const Record& record) const;

  // builder.cc: building and publishing.
  void work();
  void build(Record& record, const std::optional<RevisionBuilder::Code>& code = std::nullopt);
  [[nodiscard]] RevisionBuilder::IfMissing if_missing(Record::Stage stage) const;
  [[nodiscard]] RevisionBuilder::Order::SnapshotsBy snapshots_by(Record::Stage stage) const;
  [[nodiscard]] bool settle_route(Record& record);
  // Whether a function that comes before it by name is on its way to that route: waits for what
  // others make, or is on trial.
  [[nodiscard]] bool has_rival_under_way(const std::string& name, const std::string& shape) const;
  [[nodiscard]] bool take_route(Record& record, const std::string& shape, const std::string& route);
  [[nodiscard]] bool release_deferred();
  void conclude(Record& record, RevisionBuilder::Outcome outcome, Duration elapsed);
  void accept(Record& record, Trial passed);
  void reject(Record& record, const std::string& error);
  void remove(Record& record, std::string_view reason);
  void remove_missing();
  [[nodiscard]] TimePoint removal_at(const Record& record) const;
  void enqueue(Record& record, Record::Stage stage);
  void dequeue(Record& record);
  void retry_conflicts();
  void publish();
  [[nodiscard]] bool is_publish_due() const;
  [[nodiscard]] TimePoint next_deadline() const;
  void tell_change() const;

  RegistryOptions options_;
  Publish publish_;
  const engine::Engine& engine_;
  storage::CodeCache* cache_;
  RevisionBuilder revisions_;
  FolderSource source_;
  StatusBoard board_;
  Descriptor wake_;  // readable when there is something to do; an eventfd
  bool is_compiling_elsewhere_ = false;
  std::stop_token stop_;  // of run()
  CompileLane baseline_lane_;
  CompileLane optimized_lane_;
  SnapshotLane snapshot_lane_;
  SmokeLane smoke_lane_;
  bool is_smoking_elsewhere_ = false;
  LoadLane load_lane_;

  std::map<std::string, Record> records_;
  std::map<std::string, std::string> owners_;  // shape of each live route, and its function
  // What is to be built: without the compiler before with it, small before large.
  using Turn = std::tuple<Record::Stage, std::uint64_t, std::string>;
  std::set<Turn> queue_;
  std::map<std::string, std::set<std::string>> wanted_;  // shapes of routes, by whom in the queue
  std::set<std::string> in_conflict_;                    // failed for another's route
  std::set<std::string> deferred_;       // wait for another function that wants the same route
  bool is_code_superseded_ = false;      // what a lane compiles may be of use to nobody
  std::set<std::string> awaiting_;       // have waited for what others make, and may still do
  std::map<std::string, Trial> trials_;  // by function
  std::set<std::string> canaries_;       // names of those that lie in the source
  std::vector<std::string> excluded_;
  std::string real_folder_;
  std::set<std::string> problems_told_;
  bool is_source_lost_ = false;

  bool has_public_folder_ = false;
  bool is_dirty_ = false;                 // something is live that no catalog has
  std::vector<std::string> unannounced_;  // functions in it
  TimePoint published_at_{};

  Proofs earlier_proofs_;  // of functions that have not been live in this process
  bool is_first_scan_done_ = false;
  bool is_proof_new_ = false;
  TimePoint proofs_kept_at_{};
  TimePoint unloaded_at_{};
};

}  // namespace funcd::registry
