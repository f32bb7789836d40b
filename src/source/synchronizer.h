#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "source/mirror.h"
#include "source/s3_client.h"

namespace funcd::source {

struct SyncLimits {
  std::size_t objects_max = 100'000;
  std::uint64_t object_bytes_max = 256ULL << 20;
  std::uint64_t bytes_max = 4ULL << 30;  // of all objects together
};

// An object that is not taken, and why. What was there before stays.
struct ObjectProblem {
  std::string path;
  std::string message;
};

struct SyncReport {
  std::size_t objects = 0;  // in the mirror now
  std::uint64_t bytes = 0;
  std::size_t arrived = 0;
  std::size_t removed = 0;
  std::uint64_t bytes_read = 0;
  std::vector<ObjectProblem> problems;  // sorted by path
  bool is_outdated = false;             // something changed meanwhile: look again at once
};

// One look at a bucket: lists it, reads what has changed, several objects at a time, and brings the
// mirror up to date. An error leaves the mirror as it is; what was read whole is not read again.
//
// An object is taken when all of its stem (hello.wasm, hello.toml) can be, and removed when the
// listing lacks it and the bucket says itself that it is gone. A listing without any object where
// there were some is an error.
class Synchronizer {
 public:
  // A client for each object that is read at once. All outlive this.
  Synchronizer(std::vector<S3Client>& clients, Mirror& mirror, SyncLimits limits)
      : clients_(clients), mirror_(mirror), limits_(limits) {}

  [[nodiscard]] S3Result<SyncReport> run();

 private:
  // What is to be found out about one object.
  struct Job {
    std::string path;
    std::string key;
    std::string etag = {};
    std::uint64_t bytes = 0;
    bool is_removal = false;
    std::string modified = {};

    // The outcome.
    Mirror::Entry entry = {};  // of an object that was read
    bool is_done = false;
    bool has_changed = false;  // it is another one by now
    std::string problem = {};
    std::string module_digest = {};  // of the module that it was deployed with
  };

  [[nodiscard]] S3Result<std::vector<Job>> plan();
  [[nodiscard]] S3Result<> work(std::vector<Job>& jobs);
  [[nodiscard]] S3Result<> do_job(S3Client& client, Job& job);
  [[nodiscard]] S3Result<> fetch(S3Client& client, Job& job);
  [[nodiscard]] S3Result<> check_removal(S3Client& client, Job& job) const;
  void check_modules(std::vector<Job>& jobs) const;
  [[nodiscard]] S3Result<> conclude(const std::vector<Job>& jobs, SyncReport& report);

  std::vector<S3Client>& clients_;
  Mirror& mirror_;
  SyncLimits limits_;
  std::map<std::string, std::string, std::less<>> modified_;  // of modules, by path
  std::atomic<std::uint64_t> bytes_read_{0};
};

}  // namespace funcd::source
