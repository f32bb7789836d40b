#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/result.h"

struct inotify_event;

namespace funcd::registry {

// Tells that something in a set of folders has changed, and which files are being written (Linux's
// inotify). For one thread. It only ever causes another look at the folders: what it misses, that
// look finds.
class FolderWatch {
 public:
  // Files followed at once; of more it is only known that something has changed.
  static constexpr std::size_t kFilesMax = 20'000;

  // Errors: the system has no more watchers to give.
  [[nodiscard]] static Result<std::unique_ptr<FolderWatch>> create();
  // Readable when there are events.
  [[nodiscard]] int fd() const { return fd_.get(); }

  // A pass names every folder that is to be watched, again or anew; end_pass() lets go of the rest.
  // Naming a folder before it is read leaves no moment unwatched. An error when the system's limit
  // is reached; a folder that is gone is none.
  void begin_pass() { ++pass_; }
  [[nodiscard]] Result<> watch(const std::string& real_folder);
  void end_pass();

  // Takes in the events that wait. Never blocks.
  void read_events();
  // Whether something changed since the last call. A file that is merely being written is no
  // change.
  [[nodiscard]] bool take_changed();

  // Whether somebody has begun to write the file and not closed it.
  [[nodiscard]] bool is_being_written(const std::string& real_path) const;
  // Files that were closed after writing, or moved here, since the last call.
  [[nodiscard]] std::set<std::string> take_complete();
  // What was last written before `since` counts as complete: its writer just keeps it open.
  void complete_untouched_since(TimePoint since);
  // When the file that is longest untouched was last written; nothing when none is being written.
  [[nodiscard]] std::optional<TimePoint> earliest_write() const;

 private:
  explicit FolderWatch(Descriptor fd) : fd_(std::move(fd)) {}
  void take_in(const inotify_event& event);
  void note_write(const std::string& path);
  void note_complete(const std::string& path);

  struct Watched {
    std::string real_folder;
    std::uint64_t pass = 0;
  };
  Descriptor fd_;
  std::uint64_t pass_ = 0;
  std::unordered_map<int, Watched> watched_;  // by watch descriptor
  std::map<std::string, TimePoint> writing_;  // real path, last write
  std::set<std::string> complete_;
  bool is_changed_ = false;
};

}  // namespace funcd::registry
