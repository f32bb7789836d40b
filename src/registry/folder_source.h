#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "registry/folder_scan.h"
#include "registry/folder_watch.h"

namespace funcd::registry {

// How a folder is kept in sight. Defaults are for people; tests have no reason to wait for others.
struct FolderTiming {
  // A look without an event: for events that were missed, and folders that send none.
  std::chrono::milliseconds rescan{2000};
  // The same where the system cannot watch.
  std::chrono::milliseconds poll{500};
  // Both are at least so many times as long as a look takes, which of thousands of files is long.
  std::uint32_t rescan_looks = 100;
  std::uint32_t poll_looks = 20;
  // A file that somebody keeps open counts as written when it was left alone for that long.
  std::chrono::milliseconds quiet{500};
  // Without events, a file changed just now counts as written when it is still the same after that.
  std::chrono::milliseconds settle{30};
  // At least that long, and four times as long as it took, from one look to the next.
  std::chrono::milliseconds look_gap_min{5};
};

enum class WatchMode : std::uint8_t { automatic, polling };

// The folder that functions come from: when to look at it, what is in it, which files are still
// being written. Everything is found by looking; events say when. For one thread.
class FolderSource {
 public:
  FolderSource(std::string folder, FolderTiming timing, WatchMode mode);

  // What is there now. `excluded` as in ScanOptions.
  [[nodiscard]] Result<FolderScan> look(std::vector<std::string> excluded);
  // Whether that look came because of the time only.
  [[nodiscard]] bool is_periodic_look() const { return is_periodic_look_; }

  // Whether nobody is writing the file, as far as is known. When not, another look comes in time.
  [[nodiscard]] bool is_settled(const SourceFile& file);
  // Whether the file was written since forget_touched(), though its stamp may be the same.
  [[nodiscard]] bool is_touched(const std::string& real_path) const;
  void forget_touched() { touched_.clear(); }

  // Whether to look again. Cheap: to be asked between two steps of work.
  [[nodiscard]] bool is_look_due();
  // Returns when a look is due, at `until`, or when `wake_fd` is readable.
  void wait(TimePoint until, int wake_fd);

 private:
  void poll_instead(const Error& reason);

  std::string folder_;
  FolderTiming timing_;
  std::unique_ptr<FolderWatch> watch_;  // null: polling
  std::set<std::string> touched_;
  struct Seen {
    FileStamp stamp;
    TimePoint at;
  };
  std::map<std::string, Seen> young_;  // polling: files changed a moment ago
  bool is_changed_ = true;
  bool is_periodic_look_ = false;
  TimePoint look_at_max_{};  // at the latest
  TimePoint look_at_min_{};  // not before
};

}  // namespace funcd::registry
