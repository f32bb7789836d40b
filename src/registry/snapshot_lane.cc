#include "registry/snapshot_lane.h"

#include <algorithm>
#include <utility>

#include "base/file.h"

namespace funcd::registry {

SnapshotLane::SnapshotLane(SnapshotMaker maker, std::uint64_t artifact_bytes_max,
                           std::function<void()> on_done)
    : maker_(std::move(maker)),
      artifact_bytes_max_(artifact_bytes_max),
      on_done_(std::move(on_done)) {}

void SnapshotLane::add(Job job) {
  const std::lock_guard lock(mutex_);
  drop_locked(job.name);
  std::string name = job.name;
  waiting_.emplace(std::move(name), std::move(job));
  changed_.notify_all();
}

void SnapshotLane::drop(const std::string& name) {
  const std::lock_guard lock(mutex_);
  drop_locked(name);
}

void SnapshotLane::drop_locked(const std::string& name) {
  waiting_.erase(name);
  std::erase_if(done_, [&name](const Done& done) { return done.name == name; });
  if (running_name_ == name) running_stop_.request_stop();
}

std::vector<SnapshotLane::Done> SnapshotLane::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

void SnapshotLane::run(const std::stop_token& stop) {
  const std::stop_callback end_with_all(stop, [this] {
    const std::lock_guard lock(mutex_);
    running_stop_.request_stop();
  });
  while (const auto job = next(stop)) {
    auto done = make(*job, running_stop_.get_token());
    {
      const std::lock_guard lock(mutex_);
      running_name_.clear();
      if (running_stop_.stop_requested()) continue;
      done_.push_back(std::move(done));
    }
    on_done_();
  }
}

// The smallest, which is running from then on; nothing when stopped.
std::optional<SnapshotLane::Job> SnapshotLane::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
  if (stop.stop_requested()) return std::nullopt;
  const auto smallest = std::ranges::min_element(
      waiting_, {}, [](const auto& entry) { return entry.second.artifact_bytes; });
  Job job = std::move(waiting_.extract(smallest).mapped());
  running_name_ = job.name;
  running_stop_ = std::stop_source();
  return job;
}

SnapshotLane::Done SnapshotLane::make(const Job& job, const std::stop_token& stop) {
  const auto artifact = read_file(job.path, artifact_bytes_max_);
  if (!artifact || sha256_hex(*artifact) != job.artifact_digest) {
    return {.name = job.name,
            .snapshot = {job.key, fail("has changed while it waited for its snapshot")},
            .is_found = false};
  }
  auto made = maker_.make({.function = job.function,
                           .artifact = *artifact,
                           .digest = job.artifact_digest,
                           .manifest = job.manifest,
                           .is_reactor = job.is_reactor,
                           .stop = stop});
  return {.name = job.name, .snapshot = {job.key, std::move(made)}};
}

}  // namespace funcd::registry
