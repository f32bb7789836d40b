#include "registry/compile_lane.h"

#include <algorithm>

#include "base/file.h"

namespace funcd::registry {

CompileLane::CompileLane(engine::Tier tier, Compile compile, std::uint64_t artifact_bytes_max,
                         std::function<void()> on_done)
    : tier_(tier),
      compile_(std::move(compile)),
      artifact_bytes_max_(artifact_bytes_max),
      on_done_(std::move(on_done)) {}

void CompileLane::add(Job job) {
  const std::lock_guard lock(mutex_);
  auto& waiting = jobs_[{job.bytes, job.digest}];
  for (const std::string& path : waiting.paths) {
    if (std::ranges::find(job.paths, path) == job.paths.end()) job.paths.push_back(path);
  }
  waiting = std::move(job);
  changed_.notify_all();
}

std::vector<CompileLane::Done> CompileLane::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

void CompileLane::run(const std::stop_token& stop) {
  while (const auto job = next(stop)) {
    auto done = compile(*job, stop);
    if (!done) continue;
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(*done));
    }
    on_done_();
  }
}

std::optional<CompileLane::Job> CompileLane::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [this] { return !jobs_.empty(); });
  if (stop.stop_requested()) return std::nullopt;
  return std::move(jobs_.extract(jobs_.begin()).mapped());
}

// Nothing when stopped.
std::optional<CompileLane::Done> CompileLane::compile(const Job& job,
                                                      const std::stop_token& stop) const {
  for (const std::string& path : job.paths) {
    const auto artifact = read_file(path, artifact_bytes_max_);
    if (!artifact || sha256_hex(*artifact) != job.digest) continue;
    Done done{.digest = job.digest, .code = compile_(*artifact, tier_, stop)};
    if (stop.stop_requested()) return std::nullopt;
    return done;
  }
  return Done{.digest = job.digest,
              .code = fail("has changed while it waited for the compiler"),
              .is_found = false};
}

}  // namespace funcd::registry
