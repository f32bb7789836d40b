#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/program.h"

namespace funcd::registry {

// Compiles an artifact to code of that tier; takes as long as it takes, or until stopped.
using Compile = std::function<Result<std::vector<std::uint8_t>>(
    std::span<const std::uint8_t> artifact, engine::Tier tier, const std::stop_token& stop)>;

// Artifacts that wait for a compiler, and the code that has come of them: first those that somebody
// waits for, then those that run already and would be better, smallest first. The builder's thread
// adds, drops and takes; a thread of the lane's own compiles.
class CompileLane {
 public:
  enum class Purpose : std::uint8_t { to_go_live, to_be_better };
  struct Job {
    std::string digest;  // names the job: what waits already, or is compiled, is not added again
    // Where the artifact lies. Another may lie there by the time that it is read.
    std::vector<std::string> paths;
    std::uint64_t bytes = 0;
    Purpose purpose = Purpose::to_go_live;
    // Where it lies nowhere any more, although it still runs.
    std::shared_ptr<const std::vector<std::uint8_t>> artifact = nullptr;
  };
  struct Done {
    std::string digest;
    Result<std::vector<std::uint8_t>> code;
    bool is_found = true;  // else the artifact lay nowhere any more, which says nothing of it
  };

  // `on_done` is called on the lane's thread whenever there is something to take.
  CompileLane(engine::Tier tier, Compile compile, std::uint64_t artifact_bytes_max,
              std::function<void()> on_done);

  // What is compiled only to be better makes way for what is to go live, and is begun again later.
  void add(const Job& job);
  // Nobody waits for any other than these digests: of the rest nothing is, or goes on being,
  // compiled.
  void keep_only(const std::set<std::string_view>& digests);
  // What is done since the last call.
  [[nodiscard]] std::vector<Done> take();

  // The lane's thread, until stopped.
  void run(const std::stop_token& stop);

  [[nodiscard]] engine::Tier tier() const { return tier_; }

 private:
  using Artifact = std::shared_ptr<const std::vector<std::uint8_t>>;

  struct Turn {  // what the lane's thread needs of what is running
    Job job;
    std::stop_token stop;
  };
  [[nodiscard]] std::optional<Turn> next(const std::stop_token& stop);
  [[nodiscard]] Artifact read(const Job& job) const;
  [[nodiscard]] Done compile(const Turn& turn, const Artifact& artifact) const;
  [[nodiscard]] bool settle(const Turn& turn, Done done, const Artifact& artifact);
  void enqueue(const Job& job);

  const engine::Tier tier_;
  const Compile compile_;
  const std::uint64_t artifact_bytes_max_;
  const std::function<void()> on_done_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Job> waiting_;  // by digest
  struct Running {
    Job job;
    std::stop_source stop;
    bool is_dropped = false;
  };
  std::optional<Running> running_;
  std::vector<Done> done_;
};

}  // namespace funcd::registry
