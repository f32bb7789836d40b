#include "registry/folder_source.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"

namespace funcd::registry {
namespace {

// Without events: changed longer ago than this is written.
constexpr std::chrono::seconds kYoung{1};
constexpr std::size_t kYoungFilesMax = 20'000;

std::string without_trailing_slashes(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

bool is_young(const FileStamp& stamp) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return now - std::chrono::nanoseconds(stamp.modified_ns) < kYoung;
}

}  // namespace

FolderSource::FolderSource(std::string folder, FolderTiming timing, WatchMode mode)
    : folder_(without_trailing_slashes(std::move(folder))), timing_(timing) {
  if (mode == WatchMode::polling) return;
  auto watch = FolderWatch::create();
  if (watch)
    watch_ = std::move(*watch);
  else
    poll_instead(watch.error());
}

void FolderSource::poll_instead(const Error& reason) {
  watch_.reset();
  log::warn("source.polling", {{"source", folder_},
                               {"every", fmt::format("{}ms", timing_.poll.count())},
                               {"error", reason.message}});
}

Result<FolderScan> FolderSource::look(std::vector<std::string> excluded) {
  const TimePoint begin = Clock::now();
  if (watch_) {
    watch_->read_events();
    is_changed_ |= watch_->take_changed();
    touched_.merge(watch_->take_complete());
    watch_->begin_pass();
  }
  is_periodic_look_ = !is_changed_;
  is_changed_ = false;

  Result<> watched;
  ScanOptions options{.excluded = std::move(excluded)};
  options.on_folder = [this, &watched](const std::string& folder) {
    if (watch_ && watched) watched = watch_->watch(folder);
  };
  auto scan = scan_folder(folder_, options);
  if (watch_) watch_->end_pass();
  if (!watched) poll_instead(watched.error());

  const TimePoint end = Clock::now();
  look_at_min_ = end + std::max<Duration>(timing_.look_gap_min, 4 * (end - begin));
  // A source that is lost is asked for more often; that costs next to nothing.
  look_at_max_ =
      end + (watch_ && scan
                 ? std::max<Duration>(timing_.rescan, timing_.rescan_looks * (end - begin))
                 : std::max<Duration>(timing_.poll, timing_.poll_looks * (end - begin)));
  return scan;
}

bool FolderSource::is_settled(const SourceFile& file) {
  if (watch_) return !watch_->is_being_written(file.real_path);
  if (!is_young(file.stamp)) return true;
  const TimePoint now = Clock::now();
  const auto seen = young_.find(file.real_path);
  if (seen != young_.end() && seen->second.stamp == file.stamp) {
    if (now - seen->second.at >= timing_.settle) return true;
  } else {
    if (young_.size() >= kYoungFilesMax) young_.clear();
    young_[file.real_path] = {file.stamp, now};
  }
  look_at_max_ = std::min<TimePoint>(look_at_max_, now + timing_.settle);
  return false;
}

bool FolderSource::is_touched(const std::string& real_path) const {
  return touched_.contains(real_path);
}

bool FolderSource::is_look_due() {
  const TimePoint now = Clock::now();
  if (watch_) {
    watch_->read_events();
    watch_->complete_untouched_since(now - timing_.quiet);
    is_changed_ |= watch_->take_changed();
  }
  return (is_changed_ || now >= look_at_max_) && now >= look_at_min_;
}

void FolderSource::wait(TimePoint until, int wake_fd) {
  while (!is_look_due() && Clock::now() < until) {
    TimePoint next =
        std::min(until, is_changed_ ? look_at_min_ : std::max(look_at_max_, look_at_min_));
    if (watch_) {
      if (const auto write = watch_->earliest_write())
        next = std::min(next, *write + timing_.quiet);
    }
    // Rounded up, or the last millisecond would be spent in a loop.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
    std::array<pollfd, 2> entries = {
        pollfd{.fd = wake_fd, .events = POLLIN, .revents = 0},
        // Negative: ignored. Events that wait for their time are not waited for again.
        pollfd{.fd = watch_ && !is_changed_ ? watch_->fd() : -1, .events = POLLIN, .revents = 0}};
    ::poll(entries.data(), entries.size(),
           static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
    if (entries[0].revents != 0) return;
  }
}

}  // namespace funcd::registry
