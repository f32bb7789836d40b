#include "storage/private_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/file.h"

namespace funcd::storage {
namespace {

constexpr mode_t kAnyoneElse = S_IRWXG | S_IRWXO;

Result<> make_folders(const std::string& path) {
  for (std::size_t slash = 0; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail("{}: cannot be made: {}", part, errno_text(errno));
    }
  }
  return {};
}

// Whoever may write to a parent can put another folder in our folder's place; the sticky bit, as on
// /tmp, forbids that to all but the parent's owner.
Result<> check_parents(const std::string& path) {
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    const std::string parent = path.substr(0, slash);
    struct stat status {};
    if (::stat(parent.c_str(), &status) != 0) {
      return fail("{}: cannot be checked: {}", parent, errno_text(errno));
    }
    const bool is_trusted = status.st_uid == 0 || status.st_uid == ::geteuid();
    if ((status.st_mode & S_IWOTH) != 0 && ((status.st_mode & S_ISVTX) == 0 || !is_trusted)) {
      return fail("{}: anyone may replace it, as {} is writable by all; run: chmod o-w {}", path,
                  parent, parent);
    }
  }
  return {};
}

Result<> check_folder(const std::string& path, const struct stat& status) {
  if (status.st_uid != ::geteuid()) {
    return fail(
        "{}: belongs to user {}, and what lies there is taken from our own user ({}) only; "
        "name another folder",
        path, status.st_uid, ::geteuid());
  }
  if ((status.st_mode & kAnyoneElse) != 0) {
    return fail("{}: others may enter it (mode {:04o}); run: chmod 700 {}", path,
                status.st_mode & 07777, path);
  }
  return {};
}

}  // namespace

Result<PrivateFolder> open_private_folder(const std::string& path) {
  if (path.empty()) return fail("no folder is named");
  TRY(make_folders(path));
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  if (!real) return fail("{}: cannot be opened: {}", path, errno_text(errno));

  PrivateFolder folder{
      real.get(), Descriptor(::open(real.get(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))};
  struct stat status {};
  if (!folder.fd || ::fstat(folder.fd.get(), &status) != 0) {
    return fail("{}: cannot be opened: {}", path, errno_text(errno));
  }
  TRY(check_folder(folder.path, status));
  TRY(check_parents(folder.path));
  return folder;
}

}  // namespace funcd::storage
