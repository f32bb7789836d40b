#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/program.h"

namespace funcd::registry {

// Compiles an artifact to code of that tier; takes as long as it takes, or until stopped.
using Compile = std::function<Result<std::vector<std::uint8_t>>(
    std::span<const std::uint8_t> artifact, engine::Tier tier, const std::stop_token& stop)>;

// Artifacts that wait for a compiler, smallest first, and the code that has come of them. The
// builder's thread adds and takes; a thread of the lane's own compiles.
class CompileLane {
 public:
  struct Job {
    std::string digest;  // names the job: what waits already is not added again
    // Where the artifact lies. Another may lie there by the time that it is read.
    std::vector<std::string> paths;
    std::uint64_t bytes = 0;
  };
  struct Done {
    std::string digest;
    Result<std::vector<std::uint8_t>> code;
    bool is_found = true;  // else the artifact lay nowhere any more, which says nothing of it
  };

  // `on_done` is called on the lane's thread whenever there is something to take.
  CompileLane(engine::Tier tier, Compile compile, std::uint64_t artifact_bytes_max,
              std::function<void()> on_done);

  void add(Job job);
  // What is done since the last call.
  [[nodiscard]] std::vector<Done> take();

  // The lane's thread, until stopped.
  void run(const std::stop_token& stop);

  [[nodiscard]] engine::Tier tier() const { return tier_; }

 private:
  [[nodiscard]] std::optional<Job> next(const std::stop_token& stop);
  [[nodiscard]] std::optional<Done> compile(const Job& job, const std::stop_token& stop) const;

  const engine::Tier tier_;
  const Compile compile_;
  const std::uint64_t artifact_bytes_max_;
  const std::function<void()> on_done_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::pair<std::uint64_t, std::string>, Job> jobs_;  // by size and digest
  std::vector<Done> done_;
};

}  // namespace funcd::registry
