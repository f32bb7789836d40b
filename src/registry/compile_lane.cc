#include "registry/compile_lane.h"

#include <algorithm>
#include <utility>

#include "base/file.h"

namespace funcd::registry {
namespace {

// Of two jobs with the same digest.
void merge(CompileLane::Job& into, const CompileLane::Job& job) {
  for (const std::string& path : job.paths) {
    if (std::ranges::find(into.paths, path) == into.paths.end()) into.paths.push_back(path);
  }
  into.purpose = std::min(into.purpose, job.purpose);
  if (into.artifact == nullptr) into.artifact = job.artifact;
}

}  // namespace

CompileLane::CompileLane(engine::Tier tier, Compile compile, std::uint64_t artifact_bytes_max,
                         std::function<void()> on_done)
    : tier_(tier),
      compile_(std::move(compile)),
      artifact_bytes_max_(artifact_bytes_max),
      on_done_(std::move(on_done)) {}

void CompileLane::add(const Job& job) {
  const std::lock_guard lock(mutex_);
  if (running_ && running_->job.digest == job.digest && !running_->stop.stop_requested()) {
    merge(running_->job, job);
    return;
  }
  if (running_ && running_->job.purpose > job.purpose) running_->stop.request_stop();
  enqueue(job);
  changed_.notify_all();
}

void CompileLane::enqueue(const Job& job) {
  const auto [waiting, is_new] = waiting_.try_emplace(job.digest, job);
  if (!is_new) merge(waiting->second, job);
}

void CompileLane::keep_only(const std::set<std::string_view>& digests) {
  const std::lock_guard lock(mutex_);
  std::erase_if(waiting_, [&digests](const auto& job) { return !digests.contains(job.first); });
  if (!running_ || digests.contains(running_->job.digest)) return;
  running_->is_dropped = true;
  running_->stop.request_stop();
}

std::vector<CompileLane::Done> CompileLane::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

void CompileLane::run(const std::stop_token& stop) {
  const std::stop_callback end_with_all(stop, [this] {
    const std::lock_guard lock(mutex_);
    if (running_) running_->stop.request_stop();
  });
  while (const auto turn = next(stop)) {
    const Artifact artifact = read(turn->job);
    if (settle(*turn, compile(*turn, artifact), artifact)) on_done_();
  }
}

// The job whose turn it is, which is running from then on; nothing when stopped.
std::optional<CompileLane::Turn> CompileLane::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
  if (stop.stop_requested()) return std::nullopt;
  const auto first = std::ranges::min_element(waiting_, {}, [](const auto& entry) {
    return std::pair(entry.second.purpose, entry.second.bytes);
  });
  running_.emplace(std::move(waiting_.extract(first).mapped()));
  return Turn{running_->job, running_->stop.get_token()};
}

// Nothing when it lies nowhere any more.
CompileLane::Artifact CompileLane::read(const Job& job) const {
  if (job.artifact != nullptr) return job.artifact;
  for (const std::string& path : job.paths) {
    auto artifact = read_file(path, artifact_bytes_max_);
    if (!artifact || sha256_hex(*artifact) != job.digest) continue;
    return std::make_shared<const std::vector<std::uint8_t>>(std::move(*artifact));
  }
  return nullptr;
}

CompileLane::Done CompileLane::compile(const Turn& turn, const Artifact& artifact) const {
  if (artifact != nullptr) {
    return {.digest = turn.job.digest, .code = compile_(*artifact, tier_, turn.stop)};
  }
  return {.digest = turn.job.digest,
          .code = fail("has changed while it waited for the compiler"),
          .is_found = false};
}

// Whether there is something to take. What was stopped to make way waits again, and so does what
// was added again with another path after those of the turn were tried.
bool CompileLane::settle(const Turn& turn, Done done, const Artifact& artifact) {
  Job job;
  {
    const std::lock_guard lock(mutex_);
    const bool has_made_way = running_->stop.stop_requested() && !done.code && artifact != nullptr;
    const bool is_elsewhere =
        artifact == nullptr && running_->job.paths.size() > turn.job.paths.size();
    const bool is_dropped = running_->is_dropped;
    job = std::move(running_->job);
    running_.reset();
    if (is_dropped) return false;
    if (!has_made_way && !is_elsewhere) {
      done_.push_back(std::move(done));
      return true;
    }
  }
  job.artifact = nullptr;
  if (read(job) == nullptr) job.artifact = artifact;
  const std::lock_guard lock(mutex_);
  enqueue(job);
  return false;
}

}  // namespace funcd::registry
