#include "cli/import_staging.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/file.h"

namespace funcd::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".import-";
constexpr std::string_view kPlaces = "XXXXXX";  // what mkdtemp fills in
constexpr int kTriesMax = 10;

// A folder of this user's at that place, links not followed, which nobody else has locked.
Descriptor lock_folder(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || status.st_uid != ::geteuid()) return {};
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return {};
  return fd;
}

bool is_at(const Descriptor& fd, const std::string& path) {
  struct stat opened {};
  struct stat there {};
  return ::fstat(fd.get(), &opened) == 0 && ::lstat(path.c_str(), &there) == 0 &&
         opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

// What imports that were killed have left. That one cannot be removed is no reason not to go on.
void remove_leftovers(const std::string& prefix) {
  const fs::path pattern(prefix + std::string(kMark));
  const std::string begin = pattern.filename().string();
  const fs::path folder = pattern.has_parent_path() ? pattern.parent_path() : fs::path(".");
  std::error_code error;
  for (auto item = fs::directory_iterator(folder, error);
       !error && item != fs::directory_iterator(); item.increment(error)) {
    const std::string name = item->path().filename().string();
    if (!name.starts_with(begin) || name.size() != begin.size() + kPlaces.size()) continue;
    const Descriptor lock = lock_folder(item->path().string());
    std::error_code ignored;
    if (lock) fs::remove_all(item->path(), ignored);
  }
}

}  // namespace

ImportStaging::ImportStaging(std::string path, Descriptor lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

ImportStaging::ImportStaging(ImportStaging&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}

ImportStaging::~ImportStaging() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<ImportStaging> ImportStaging::create(const std::string& prefix) {
  remove_leftovers(prefix);
  for (int tries = 0; tries < kTriesMax; ++tries) {
    std::string path = fmt::format("{}{}{}", prefix, kMark, kPlaces);
    if (::mkdtemp(path.data()) == nullptr) return fail("{}: {}", path, errno_text(errno));
    Descriptor lock = lock_folder(path);
    // Another import that begins at this moment may have taken it for a leftover.
    if (lock && is_at(lock, path)) return ImportStaging(std::move(path), std::move(lock));
  }
  return fail("{}{}{}: cannot be locked; put the functions on another file system", prefix, kMark,
              kPlaces);
}

}  // namespace funcd::cli
