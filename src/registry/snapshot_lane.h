#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "registry/manifest.h"
#include "registry/snapshot_maker.h"

namespace funcd::registry {

// Artifacts that wait for their snapshots, smallest first. Making one runs compilers and the guest,
// for as long as their limits allow, which is why it holds up nobody but its own function. The
// builder's thread adds, drops and takes; a thread of the lane's own makes one after the other.
class SnapshotLane {
 public:
  struct Job {
    std::string name;  // of the record, "hello@2" of a canary; each has one job at a time
    std::string key;   // as MadeSnapshot's
    std::string path;  // of the artifact. Another may lie there by the time that it is read
    std::uint64_t artifact_bytes = 0;
    std::string artifact_digest;
    std::string function;  // the guest's first argument
    Manifest manifest;
    bool is_reactor = false;
  };
  struct Done {
    std::string name;
    MadeSnapshot snapshot;
    bool is_found = true;  // else the artifact lay there no more, which says nothing of it
  };

  // `on_done` is called on the lane's thread whenever there is something to take.
  SnapshotLane(SnapshotMaker maker, std::uint64_t artifact_bytes_max,
               std::function<void()> on_done);

  // In place of the function's job, if there is one.
  void add(Job job);
  // What comes of the function's job does not matter any more: it ends as soon as it can.
  void drop(const std::string& name);
  // What is done since the last call.
  [[nodiscard]] std::vector<Done> take();

  // The lane's thread, until stopped.
  void run(const std::stop_token& stop);

 private:
  [[nodiscard]] std::optional<Job> next(const std::stop_token& stop);
  [[nodiscard]] Done make(const Job& job, const std::stop_token& stop);
  void drop_locked(const std::string& name);

  SnapshotMaker maker_;
  const std::uint64_t artifact_bytes_max_;
  const std::function<void()> on_done_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Job> waiting_;  // by name
  std::string running_name_;            // "" for none
  std::stop_source running_stop_;       // of that one
  std::vector<Done> done_;
};

}  // namespace funcd::registry
