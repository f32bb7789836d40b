#include "registry/folder_watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/file.h"

namespace funcd::registry {
namespace {

constexpr std::uint32_t kMask = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM |
                                IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
                                IN_ONLYDIR | IN_EXCL_UNLINK;

// Whether a new file has its content already and nobody will close it: a link.
bool is_born_complete(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return true;
  return !S_ISREG(status.st_mode) || status.st_nlink > 1;
}

}  // namespace

Result<std::unique_ptr<FolderWatch>> FolderWatch::create() {
  Descriptor fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) {
    return fail("{}; raise the limit: sysctl fs.inotify.max_user_instances=1024",
                errno_text(errno));
  }
  return std::unique_ptr<FolderWatch>(new FolderWatch(std::move(fd)));
}

Result<> FolderWatch::watch(const std::string& real_folder) {
  // The same folder gets the same descriptor again; another one in its place a new one.
  const int descriptor = ::inotify_add_watch(fd_.get(), real_folder.c_str(), kMask);
  if (descriptor >= 0) {
    watched_[descriptor] = {real_folder, pass_};
    return {};
  }
  if (errno != ENOSPC && errno != ENOMEM) return {};  // gone, or not ours to read: the scan says so
  return fail(
      "{} folders are watched and no more can be: {}; raise the limit: "
      "sysctl fs.inotify.max_user_watches=524288",
      watched_.size(), errno_text(errno));
}

void FolderWatch::end_pass() {
  for (auto item = watched_.begin(); item != watched_.end();) {
    if (item->second.pass == pass_) {
      ++item;
    } else {
      ::inotify_rm_watch(fd_.get(), item->first);
      item = watched_.erase(item);
    }
  }
}

void FolderWatch::read_events() {
  alignas(inotify_event) std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    for (ssize_t at = 0; at < count;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      take_in(*event);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

void FolderWatch::take_in(const inotify_event& event) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    writing_.clear();  // who has closed what meanwhile was lost
    is_changed_ = true;
    return;
  }
  const auto watched = watched_.find(event.wd);
  if (watched == watched_.end()) return;  // of a folder that was let go
  if ((event.mask & IN_IGNORED) != 0) {
    watched_.erase(watched);
    is_changed_ = true;
    return;
  }
  if (event.len == 0 || (event.mask & IN_ISDIR) != 0) {
    is_changed_ = true;
    return;
  }
  const std::string path = watched->second.real_folder + "/" + event.name;
  if ((event.mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) {
    note_complete(path);
  } else if ((event.mask & IN_CREATE) != 0) {
    if (is_born_complete(path))
      note_complete(path);
    else
      note_write(path);
  } else if ((event.mask & IN_MODIFY) != 0) {
    note_write(path);
  } else {
    if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) writing_.erase(path);
    is_changed_ = true;
  }
}

void FolderWatch::note_write(const std::string& path) {
  if (writing_.size() < kFilesMax || writing_.contains(path))
    writing_[path] = Clock::now();
  else
    is_changed_ = true;
}

void FolderWatch::note_complete(const std::string& path) {
  writing_.erase(path);
  if (complete_.size() < kFilesMax) complete_.insert(path);
  is_changed_ = true;
}

bool FolderWatch::take_changed() {
  return std::exchange(is_changed_, false);
}

bool FolderWatch::is_being_written(const std::string& real_path) const {
  return writing_.contains(real_path);
}

std::set<std::string> FolderWatch::take_complete() {
  return std::exchange(complete_, {});
}

void FolderWatch::complete_untouched_since(TimePoint since) {
  std::vector<std::string> untouched;
  for (const auto& [path, written_at] : writing_) {
    if (written_at <= since) untouched.push_back(path);
  }
  for (const std::string& path : untouched) note_complete(path);
}

std::optional<TimePoint> FolderWatch::earliest_write() const {
  const auto earliest = std::min_element(
      writing_.begin(), writing_.end(),
      [](const auto& left, const auto& right) { return left.second < right.second; });
  if (earliest == writing_.end()) return std::nullopt;
  return earliest->second;
}

}  // namespace funcd::registry
