#include "source/bucket_source.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/log.h"
#include "base/time_text.h"

namespace funcd::source {
namespace {

constexpr std::chrono::milliseconds kPauseMax = std::chrono::minutes(1);
constexpr int kDoublingsMax = 4;
constexpr int kLooksInRowMax = 5;  // at a bucket that changes while it is looked at

}  // namespace

Result<std::unique_ptr<BucketSource>> BucketSource::create(BucketOptions options,
                                                           const Environment& environment) {
  S3Endpoint endpoint = TRY(resolve_endpoint(options.location, options.s3, environment));
  // The same name at another endpoint is another bucket.
  auto mirror =
      TRY(Mirror::open(options.folder, fmt::format("{} at {}", format_s3_url(options.location),
                                                   endpoint.host_text)));
  return std::unique_ptr<BucketSource>(
      new BucketSource(std::move(options), endpoint, environment, std::move(mirror)));
}

BucketSource::BucketSource(BucketOptions options, const S3Endpoint& endpoint,
                           const Environment& environment, std::unique_ptr<Mirror> mirror)
    : options_(std::move(options)),
      mirror_(std::move(mirror)),
      credentials_(environment, options_.s3.profile,
                   [web = std::make_shared<WebClient>(), stop = stop_.get_token()](
                       const WebRequest& request) { return web->send(request, stop); }) {
  for (std::size_t reader = 0; reader < kReadersMax; ++reader) {
    clients_.emplace_back(endpoint, credentials_, stop_.get_token());
  }
  status_.source = format_s3_url(options_.location);
  status_.endpoint = endpoint.host_text;
  status_.folder = mirror_->tree();
  status_.synced_at = mirror_->synced_at();
  status_.objects = mirror_->entries().size();
  for (const auto& [path, entry] : mirror_->entries()) status_.bytes += entry.bytes;
  status_.poll = options_.poll;
  has_copy_ = status_.synced_at.has_value();
}

BucketSource::~BucketSource() = default;

S3Result<SyncReport> BucketSource::look() {
  const TimePoint begin = Clock::now();
  auto report = Synchronizer(clients_, *mirror_, options_.limits).run();
  if (report) {
    note(*report, Clock::now() - begin);
  } else if (report.error().kind != S3Error::Kind::stopped) {
    note(report.error());
  }
  return report;
}

void BucketSource::run(const std::stop_token& stop) {
  const std::stop_callback on_stop(stop, [this] { stop_.request_stop(); });
  int in_row = 0;
  while (!stop.stop_requested()) {
    const auto report = look();
    const bool is_outdated = report && report->is_outdated && ++in_row < kLooksInRowMax;
    if (!is_outdated) in_row = 0;
    wait(stop, is_outdated ? kGapMin : next_pause());
  }
}

Result<> BucketSource::look_once() {
  for (int looks = 1;; ++looks) {
    const auto report = look();
    if (!report) return fail("{}", report.error().message);
    if (!report->is_outdated || looks == kLooksInRowMax) return {};
  }
}

void BucketSource::note(const SyncReport& report, Duration elapsed) {
  if (failures_in_row_ > 0) log::info("source.back", {{"source", status_.source}});
  failures_in_row_ = 0;
  if (report.arrived + report.removed > 0) {
    log::info("source.synced", {{"source", status_.source},
                                {"objects", fmt::to_string(report.objects)},
                                {"changed", fmt::to_string(report.arrived)},
                                {"removed", fmt::to_string(report.removed)},
                                {"elapsed", format_elapsed(elapsed)}});
  }
  std::vector<std::string> told;
  for (const auto& [path, message] : report.problems) {
    std::string line = path + ": " + message;
    if (std::ranges::find(problems_told_, line) == problems_told_.end()) {
      log::warn("source.problem", {{"path", path}, {"error", message}});
    }
    told.push_back(std::move(line));
  }
  problems_told_ = std::move(told);

  const std::lock_guard lock(mutex_);
  has_copy_ = true;
  last_error_.reset();
  ++status_.looks;
  status_.synced_at = mirror_->synced_at();
  status_.away_since.reset();
  status_.error.clear();
  status_.objects = report.objects;
  status_.bytes = report.bytes;
  status_.bytes_read += report.bytes_read;
  status_.problems = report.problems;
  changed_.notify_all();
}

void BucketSource::note(const S3Error& error) {
  ++failures_in_row_;
  const std::lock_guard lock(mutex_);
  ++status_.looks;
  ++status_.failures;
  if (status_.error != error.message) {
    log::error("source.away", {{"source", status_.source},
                               {"error", error.message},
                               {"consequence", has_copy_ ? "what is live stays live"
                                                         : "there is nothing to serve"}});
  }
  status_.error = error.message;
  if (!status_.away_since) status_.away_since = std::chrono::system_clock::now();
  last_error_ = error;
  changed_.notify_all();
}

// Never quite the same, so that many nodes do not ask at one moment.
std::chrono::milliseconds BucketSource::next_pause() {
  static thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_real_distribution<double> share(0.8, 1.0);
  auto pause = options_.poll;
  if (failures_in_row_ > 0) {
    pause = std::min(pause * (1 << std::min(failures_in_row_ - 1, kDoublingsMax)),
                     std::max(kPauseMax, options_.poll));
  }
  return std::max(kGapMin,
                  std::chrono::duration_cast<std::chrono::milliseconds>(pause * share(random)));
}

void BucketSource::wait(const std::stop_token& stop, std::chrono::milliseconds pause) {
  const TimePoint until = Clock::now() + pause;
  const TimePoint not_before = Clock::now() + kGapMin;
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, stop, until, [this] { return is_refresh_wanted_; });
  changed_.wait_until(lock, stop, std::min(until, not_before), [] { return false; });
  is_refresh_wanted_ = false;
}

void BucketSource::refresh() {
  const std::lock_guard lock(mutex_);
  is_refresh_wanted_ = true;
  changed_.notify_all();
}

Result<> BucketSource::await_copy(const std::stop_token& stop, std::chrono::milliseconds wait) {
  using Kind = S3Error::Kind;
  std::unique_lock lock(mutex_);
  if (has_copy_) {
    changed_.wait_for(lock, stop, wait, [this] { return status_.looks > 0; });
    return {};
  }
  const auto is_final = [this] {
    return last_error_ && (last_error_->kind == Kind::refused || last_error_->kind == Kind::local);
  };
  changed_.wait(lock, stop, [this, &is_final] { return has_copy_ || is_final(); });
  if (!has_copy_ && is_final()) return fail("{}", last_error_->message);
  return {};
}

BucketStatus BucketSource::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace funcd::source
