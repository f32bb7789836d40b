#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "source/credentials.h"
#include "source/mirror.h"
#include "source/s3_endpoint.h"
#include "source/synchronizer.h"

namespace funcd::source {

struct BucketOptions {
  S3Location location;
  S3Options s3;
  std::string folder;                      // in which copies of buckets lie
  std::chrono::milliseconds poll{10'000};  // from one look to the next, at most
  SyncLimits limits;
};

// How the bucket stands, at one moment.
struct BucketStatus {
  using Time = std::chrono::system_clock::time_point;

  std::string source;  // "s3://fns/prod"
  std::string endpoint;
  std::string folder;              // of the copy
  std::optional<Time> synced_at;   // when it was last seen whole; nothing: never
  std::optional<Time> away_since;  // looks have failed since; nothing: the last one has not
  std::string error;               // why, or ""
  std::size_t objects = 0;
  std::uint64_t bytes = 0;
  std::uint64_t looks = 0;
  std::uint64_t failures = 0;
  std::uint64_t bytes_read = 0;
  std::vector<ObjectProblem> problems;
  std::chrono::milliseconds poll{};
};

// Keeps a bucket's copy up to date, so that it can be served as a folder: looks at it every so
// often, and when told to. While the bucket is away the copy stays what it was. run() has a thread
// of its own; everything else may be called from any.
class BucketSource {
 public:
  // From one look to the next at least, however often it is told to.
  static constexpr std::chrono::milliseconds kGapMin{100};
  static constexpr std::size_t kReadersMax = 4;  // objects that are read at once

  // Opens the copy. Nothing is asked of the bucket yet.
  [[nodiscard]] static Result<std::unique_ptr<BucketSource>> create(BucketOptions options,
                                                                    const Environment& environment);
  ~BucketSource();
  BucketSource(const BucketSource&) = delete;
  BucketSource& operator=(const BucketSource&) = delete;

  void run(const std::stop_token& stop);
  // One look, by the caller's thread, where run() is not called.
  [[nodiscard]] Result<> look_once();

  // Waits for something to serve: for the first look, but no longer than that where there is a copy
  // of earlier on. An error when there is none and the bucket refuses to give one.
  [[nodiscard]] Result<> await_copy(const std::stop_token& stop, std::chrono::milliseconds wait);
  // Look now.
  void refresh();

  [[nodiscard]] BucketStatus status() const;
  [[nodiscard]] const std::string& folder() const { return mirror_->tree(); }
  [[nodiscard]] std::mutex& tree_lock() { return mirror_->tree_lock(); }

 private:
  BucketSource(BucketOptions options, const S3Endpoint& endpoint, const Environment& environment,
               std::unique_ptr<Mirror> mirror);
  [[nodiscard]] S3Result<SyncReport> look();
  void note(const SyncReport& report, Duration elapsed);
  void note(const S3Error& error);
  [[nodiscard]] std::chrono::milliseconds next_pause();
  void wait(const std::stop_token& stop, std::chrono::milliseconds pause);

  BucketOptions options_;
  std::unique_ptr<Mirror> mirror_;
  std::stop_source stop_;
  CredentialChain credentials_;
  std::vector<S3Client> clients_;
  std::vector<std::string> problems_told_;
  int failures_in_row_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  BucketStatus status_;
  std::optional<S3Error> last_error_;
  bool has_copy_ = false;
  bool is_refresh_wanted_ = false;
};

}  // namespace funcd::source
