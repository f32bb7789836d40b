#include "source/synchronizer.h"

#include <cerrno>
#include <cstdio>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "base/file.h"
#include "source/download.h"
#include "source/object_path.h"

namespace funcd::source {
namespace {

using Kind = S3Error::Kind;

tl::unexpected<S3Error> refused(const S3Client& client, const std::string& message) {
  return tl::unexpected(S3Error{
      .kind = Kind::refused,
      .message = fmt::format("{}: {}", format_s3_url(client.endpoint().location), message)});
}

constexpr std::string_view kModuleSuffix = ".wasm";

// "a" when a is a file among them and "a/b" is the path.
std::string file_above(const std::set<std::string_view>& files, std::string_view path) {
  for (auto slash = path.rfind('/'); slash != std::string_view::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    if (files.contains(path.substr(0, slash))) return std::string(path.substr(0, slash));
  }
  return "";
}

// Why an object is not fetched; "" when nothing speaks against it.
std::string problem_of(const ObjectInfo& object, std::string_view path,
                       const std::set<std::string_view>& files, std::uint64_t bytes_max) {
  if (kind_of_key(path) == KeyKind::refused) {
    return path_problem(path).value_or("") + "; not served";
  }
  if (const auto above = file_above(files, path); !above.empty()) {
    return fmt::format("lies below '{}', which is an object itself; not served", above);
  }
  if (object.bytes > bytes_max) {
    return fmt::format("has {} bytes, more than the {} that an object may have", object.bytes,
                       bytes_max);
  }
  if (object.etag.empty()) {
    return "has no ETag, so that its changes cannot be seen; upload it by S3";
  }
  return "";
}

}  // namespace

S3Result<SyncReport> Synchronizer::run() {
  if (auto mended = mirror_.mend(); !mended) {
    return tl::unexpected(S3Error{.kind = Kind::local, .message = mended.error().message});
  }
  auto jobs = plan();
  if (!jobs) return tl::unexpected(jobs.error());
  // What earlier looks have left of other versions; where the disk is full, it may be the room that
  // is wanting.
  std::vector<std::string> wanted;
  for (const Job& job : *jobs) {
    if (job.is_removal) continue;
    wanted.push_back(mirror_.whole_path(job.path, job.etag));
    wanted.push_back(mirror_.part_path(job.path, job.etag));
  }
  mirror_.clean_incoming(wanted);
  if (auto worked = work(*jobs); !worked) return tl::unexpected(worked.error());
  check_modules(*jobs);
  SyncReport report;
  if (auto concluded = conclude(*jobs, report); !concluded) {
    return tl::unexpected(concluded.error());
  }
  return report;
}

// What differs between the bucket and the mirror.
S3Result<std::vector<Synchronizer::Job>> Synchronizer::plan() {
  S3Client& client = clients_.front();
  const std::string& prefix = client.endpoint().location.prefix;
  auto listing = client.list(prefix, limits_.objects_max);
  if (!listing) return tl::unexpected(listing.error());
  const Mirror::Entries& known = mirror_.entries();
  if (listing->empty() && !known.empty()) {
    return refused(client,
                   fmt::format("the listing is empty, and {} objects were there; what was "
                               "there stays. To serve nothing, leave one other object there",
                               known.size()));
  }

  std::set<std::string_view> listed;
  std::set<std::string_view> files;
  const auto path_of = [&prefix](const ObjectInfo& object) {
    return std::string_view(object.key).substr(prefix.size());
  };
  std::uint64_t bytes = 0;
  for (const ObjectInfo& object : *listing) {
    const std::string_view path = path_of(object);
    if (kind_of_key(path) != KeyKind::file) continue;
    files.insert(path);
    bytes += object.bytes;
  }
  if (bytes > limits_.bytes_max) {
    return refused(client, fmt::format("its objects have {} bytes, more than s3.size allows ({}); "
                                       "raise it or name a prefix that holds functions only",
                                       bytes, limits_.bytes_max));
  }

  std::vector<Job> jobs;
  for (const ObjectInfo& object : *listing) {
    const std::string_view path = path_of(object);
    if (kind_of_key(path) == KeyKind::hidden) continue;
    listed.insert(path);
    if (path.ends_with(kModuleSuffix)) modified_.emplace(path, object.modified);
    std::string problem = problem_of(object, path, files, limits_.object_bytes_max);
    const auto entry = known.find(path);
    const bool is_same = entry != known.end() && entry->second.etag == object.etag &&
                         entry->second.bytes == object.bytes && mirror_.has_whole(*entry);
    if (is_same && problem.empty()) continue;
    Job job{.path = std::string(path),
            .key = object.key,
            .etag = object.etag,
            .bytes = object.bytes,
            .modified = object.modified};
    job.problem = std::move(problem);
    jobs.push_back(std::move(job));
  }
  for (const auto& [path, entry] : known) {
    if (listed.contains(path)) continue;
    jobs.push_back({.path = path, .key = prefix + path, .is_removal = true});
  }
  return jobs;
}

// All jobs, by as many threads as there are clients. The first error ends them all.
S3Result<> Synchronizer::work(std::vector<Job>& jobs) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  S3Result<> result;
  const auto drain = [&](S3Client& client) {
    for (std::size_t at = next++; at < jobs.size(); at = next++) {
      if (!jobs[at].problem.empty()) continue;
      auto done = do_job(client, jobs[at]);
      if (done) continue;
      next = jobs.size();
      const std::lock_guard lock(mutex);
      if (result) result = std::move(done);
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t at = 1; at < std::min(clients_.size(), jobs.size()); ++at) {
    threads.emplace_back([&drain, &client = clients_[at]] { drain(client); });
  }
  drain(clients_.front());
  threads.clear();
  return result;
}

S3Result<> Synchronizer::do_job(S3Client& client, Job& job) {
  return job.is_removal ? check_removal(client, job) : fetch(client, job);
}

S3Result<> Synchronizer::fetch(S3Client& client, Job& job) {
  const std::string whole = mirror_.whole_path(job.path, job.etag);
  // Read by an earlier look that was cut short. What else is said of a sidecar is not in the file.
  const bool is_all_in_file = !job.path.ends_with(".toml") && !job.path.ends_with(".json");
  if (const auto there = digest_of_file(whole);
      is_all_in_file && there && there->bytes == job.bytes) {
    job.entry = {job.etag, job.bytes, there->sha256, there->modified_ns};
    job.is_done = true;
    return {};
  }
  const std::string part = mirror_.part_path(job.path, job.etag);
  auto read = Download::run(
      client, {.key = job.key, .etag = job.etag, .bytes = job.bytes, .file = part}, bytes_read_);
  if (!read) return tl::unexpected(read.error());
  job.has_changed = read->has_changed;
  job.module_digest = read->module_digest;
  job.problem = read->problem;
  if (!read->is_whole) return {};
  if (std::rename(part.c_str(), whole.c_str()) != 0) {
    return tl::unexpected(
        S3Error{.kind = Kind::local,
                .message = fmt::format("{}: cannot be named: {}", whole, errno_text(errno))});
  }
  job.entry = {job.etag, job.bytes, read->sha256, read->modified_ns};
  job.is_done = true;
  return {};
}

// What a listing lacks may be a bad listing; what the bucket itself says is gone, is.
S3Result<> Synchronizer::check_removal(S3Client& client, Job& job) const {
  auto head = client.head(job.key);
  if (!head && head.error().kind == Kind::refused) {
    job.problem = head.error().message;
    return {};
  }
  if (!head) return tl::unexpected(head.error());
  job.is_done = !*head;
  if (*head) job.problem = "is there, and the listing lacks it; what was there before stays";
  return {};
}

// A sidecar that was deployed with a module is taken with that module only, which may still be on
// its way. A module that was put there later than it, by whatever means, is taken as it is.
void Synchronizer::check_modules(std::vector<Job>& jobs) const {
  const auto digest_of = [&](const std::string& module) -> std::string {
    for (const Job& job : jobs) {
      if (job.path == module && job.is_done && !job.is_removal) return job.entry.sha256;
    }
    const auto known = mirror_.entries().find(module);
    return known == mirror_.entries().end() ? "" : known->second.sha256;
  };
  for (Job& job : jobs) {
    if (!job.is_done || job.module_digest.empty()) continue;
    const std::string module = std::string(stem_of(job.path)) + std::string(kModuleSuffix);
    const auto modified = modified_.find(module);
    const bool is_later = modified != modified_.end() && modified->second > job.modified;
    if (is_later || digest_of(module) == job.module_digest) continue;
    job.is_done = false;
    job.has_changed = true;  // looked at again at once
    job.problem = fmt::format("was deployed with another {}, which is not there yet", module);
  }
}

S3Result<> Synchronizer::conclude(const std::vector<Job>& jobs, SyncReport& report) {
  std::set<std::string_view> unsettled;  // stems of which not all can be taken now
  for (const Job& job : jobs) {
    if (job.is_done) continue;
    unsettled.insert(stem_of(job.path));
    report.is_outdated |= job.has_changed;
    if (!job.problem.empty()) report.problems.push_back({job.path, job.problem});
  }
  std::vector<Mirror::Arrival> arrivals;
  std::vector<std::string> removed;
  std::vector<std::string> waiting;  // whole, for a stem that is not
  for (const Job& job : jobs) {
    if (!job.is_done) continue;
    if (unsettled.contains(stem_of(job.path))) {
      if (!job.is_removal) waiting.push_back(mirror_.whole_path(job.path, job.etag));
    } else if (job.is_removal) {
      removed.push_back(job.path);
    } else {
      arrivals.push_back({job.path, job.entry});
    }
  }
  if (auto applied = mirror_.apply(arrivals, removed); !applied) {
    return tl::unexpected(S3Error{.kind = Kind::local, .message = applied.error().message});
  }
  mirror_.note_synced();
  mirror_.clean_incoming(waiting);
  const Mirror::Entries& entries = mirror_.entries();
  report.objects = entries.size();
  report.bytes = std::accumulate(
      entries.begin(), entries.end(), std::uint64_t{0},
      [](std::uint64_t sum, const auto& entry) { return sum + entry.second.bytes; });
  report.arrived = arrivals.size();
  report.removed = removed.size();
  report.bytes_read = bytes_read_;
  return {};
}

}  // namespace funcd::source
