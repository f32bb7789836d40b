#include "storage/cache_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/file_stamp.h"
#include "base/log.h"
#include "base/open_folder.h"
#include "storage/entry_file.h"

namespace funcd::storage {
namespace {

constexpr const char* kLockName = "lock";
constexpr std::string_view kSumSuffix = ".sum";
constexpr std::string_view kCodeSuffix = ".cwasm";

// One entry as it lies in the folder.
struct Entry {
  std::map<std::string, std::uint64_t, std::less<>> code_bytes;  // of each code file, by its hash
  std::int64_t used_at_ns = 0;
  bool has_sum = false;
};
using Entries = std::map<std::string, Entry, std::less<>>;

// An entry that has all its parts.
struct Whole {
  std::int64_t used_at_ns = 0;
  std::string key;
  std::string hash;
  std::uint64_t bytes = 0;
};

// What a file is to the folder; what is none of ours is left alone.
void note(Entries& entries, std::string_view name, const struct stat& status) {
  const std::string_view key = name.substr(0, kDigestChars);
  if (!is_digest(key)) return;
  const std::string_view tail = name.substr(kDigestChars);
  if (tail == kSumSuffix) {
    Entry& entry = entries[std::string(key)];
    entry.has_sum = true;
    entry.used_at_ns = stamp_of(status).modified_ns;
  } else if (tail.size() == 1 + kDigestChars + kCodeSuffix.size() && tail.ends_with(kCodeSuffix) &&
             is_digest(tail.substr(1, kDigestChars))) {
    Entry& entry = entries[std::string(key)];
    entry.code_bytes.emplace(tail.substr(1, kDigestChars), status.st_size);
  }
}

bool is_stale_temporary(std::string_view name, const struct stat& status) {
  if (!name.starts_with(kTemporaryPrefix)) return false;
  const auto changed = std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec);
  return std::chrono::system_clock::now() - changed > kTemporaryAgeMax;
}

}  // namespace

// Holds the lock file's lock.
class CacheFolder::Lock {
 public:
  explicit Lock(int fd) : fd_(fd), is_held_(lock_within(fd, LOCK_EX, kLockWaitMax)) {}
  ~Lock() {
    if (is_held_) ::flock(fd_, LOCK_UN);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  [[nodiscard]] bool is_held() const { return is_held_; }

 private:
  int fd_;
  bool is_held_;
};

CacheFolder::CacheFolder(PrivateFolder folder, Descriptor lock, std::uint64_t bytes_max)
    : folder_(std::move(folder)), lock_(std::move(lock)), bytes_max_(bytes_max) {}

Result<CacheFolder> CacheFolder::open(const std::string& path, std::uint64_t bytes_max) {
  PrivateFolder folder = TRY(open_private_folder(path));
  Descriptor lock(::openat(folder.fd.get(), kLockName,
                           O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
  if (!lock) {
    return fail("{}: cannot be written: {}; make it writable or name another folder", folder.path,
                errno_text(errno));
  }
  CacheFolder opened(std::move(folder), std::move(lock), bytes_max);
  const Lock held(opened.lock_.get());
  if (held.is_held()) opened.write_total(TRY(opened.sweep(0)));
  return opened;
}

Result<> CacheFolder::keep(const std::string& key, const Written& written) {
  const Lock held(lock_.get());
  if (!held.is_held()) {
    return fail("{}: another process has kept it locked for {} ms", path(), kLockWaitMax.count());
  }
  auto total = read_total();
  if (!total || *total + written.bytes > bytes_max_) total = TRY(sweep(written.bytes));
  // Written before the renames: when we are killed between, the sum is too high, and what is too
  // high is counted anew.
  write_total(*total + written.bytes);
  const std::string code = code_name(key, written.hash);
  const std::string replaced = current_hash(key);
  TRY(rename(written.code_temporary, code));
  TRY(rename(written.sum_temporary, sum_name(key)));
  if (!replaced.empty() && replaced != written.hash) remove(code_name(key, replaced));
  return {};
}

bool CacheFolder::remove(const std::string& name) const {
  return remove_whole(fd(), name).has_value();
}

Result<> CacheFolder::rename(const std::string& from, const std::string& to) const {
  if (::renameat(fd(), from.c_str(), fd(), to.c_str()) == 0) return {};
  if (errno == EISDIR && remove(to) && ::renameat(fd(), from.c_str(), fd(), to.c_str()) == 0) {
    return {};
  }
  return fail("{}/{}: cannot be named: {}", path(), to, errno_text(errno));
}

std::optional<std::uint64_t> CacheFolder::read_total() const {
  std::array<char, 32> text{};
  const ssize_t count = ::pread(lock_.get(), text.data(), text.size(), 0);
  std::uint64_t total = 0;
  if (count <= 0) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, total);
  if (error != std::errc() || end == text.data() + count || *end != '\n') return std::nullopt;
  return total;
}

void CacheFolder::write_total(std::uint64_t bytes) const {
  const std::string text = fmt::format("{:020}\n", bytes);
  // What cannot be written cannot be read, and is then counted each time.
  const ssize_t count = ::pwrite(lock_.get(), text.data(), text.size(), 0);
  if (count != static_cast<ssize_t>(text.size()) && ::ftruncate(lock_.get(), 0) != 0) {
    log::warn("cache.lock", {{"folder", path()}, {"error", errno_text(errno)}});
  }
}

std::string CacheFolder::current_hash(const std::string& key) const {
  const EntryFile file = open_entry(fd(), sum_name(key));
  return file.fd && file.damage.empty() ? read_sum(file.fd.get()) : "";
}

Result<std::uint64_t> CacheFolder::sweep(std::uint64_t room) const {
  const int scanned = ::openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const OpenFolder folder(scanned < 0 ? nullptr : ::fdopendir(scanned));
  if (!folder) return fail("{}: cannot be read: {}", path(), errno_text(errno));
  Entries entries;
  while (const dirent* item = ::readdir(folder.get())) {
    struct stat status {};
    if (::fstatat(fd(), item->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (is_stale_temporary(item->d_name, status))
      remove(item->d_name);
    else
      note(entries, item->d_name, status);
  }

  // Nobody else is between two renames, as the lock is ours: what is not whole was left behind.
  std::uint64_t total = 0;
  std::vector<Whole> by_age;
  for (const auto& [key, entry] : entries) {
    const std::string hash = entry.has_sum ? current_hash(key) : "";
    const auto code = entry.code_bytes.find(hash);
    for (const auto& [other, bytes] : entry.code_bytes) {
      if (other != hash) remove(code_name(key, other));
    }
    if (code == entry.code_bytes.end()) {
      remove(sum_name(key));
    } else {
      by_age.push_back({entry.used_at_ns, key, hash, code->second});
      total += code->second;
    }
  }
  std::sort(by_age.begin(), by_age.end(), [](const Whole& left, const Whole& right) {
    return left.used_at_ns < right.used_at_ns;
  });
  for (const Whole& entry : by_age) {
    if (total + room <= bytes_max_) break;
    remove(sum_name(entry.key));  // first: without it the rest does not count
    remove(code_name(entry.key, entry.hash));
    total -= entry.bytes;
  }
  return total;
}

}  // namespace funcd::storage
