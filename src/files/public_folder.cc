#include "files/public_folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file_stamp.h"
#include "files/media_type.h"
#include "http/percent.h"

namespace funcd::files {
namespace {

constexpr std::string_view kIndex = "index.html";
constexpr std::string_view kHtml = ".html";

// A descriptor, or the errno for which there is none.
struct Opened {
  Descriptor fd;
  int error = 0;
};

Opened open_at(int folder, const std::string& path, int flags, std::uint64_t resolve, Wait wait) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = resolve | (wait == Wait::never ? RESOLVE_CACHED : 0);
  const long fd = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof(how));
  if (fd >= 0) return {Descriptor(static_cast<int>(fd)), 0};
  // A kernel before 5.12 does not know RESOLVE_CACHED: it may always wait.
  return {Descriptor(), errno == EINVAL && wait == Wait::never ? EAGAIN : errno};
}

Found not_opened(int error) {
  Found found;
  if (error == EAGAIN) found.kind = Found::Kind::would_block;
  if (error == EMFILE || error == ENFILE || error == ENOMEM) found.kind = Found::Kind::failed;
  return found;
}

// The public folder itself; it may be a link, as long as that stays in the source.
Opened open_folder(const std::string& source, Wait wait) {
  const Opened above = open_at(AT_FDCWD, source, O_PATH | O_DIRECTORY, 0, wait);
  if (!above.fd) return {Descriptor(), above.error};
  return open_at(above.fd.get(), std::string(kPublicName), O_PATH | O_DIRECTORY, RESOLVE_BENEATH,
                 wait);
}

// O_NONBLOCK: to open a pipe must not wait for who writes to it.
Opened open_below(const Descriptor& folder, const std::string& relative, Wait wait) {
  return open_at(folder.get(), relative, O_RDONLY | O_NONBLOCK | O_NOCTTY,
                 RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, wait);
}

Found found_of(Descriptor fd, std::string_view name) {
  struct stat status {};
  Found found;
  if (::fstat(fd.get(), &status) != 0) return found;
  if (S_ISDIR(status.st_mode)) found.kind = Found::Kind::folder;
  if (!S_ISREG(status.st_mode)) return found;
  found.kind = Found::Kind::file;
  found.file = {.fd = std::move(fd),
                .bytes = static_cast<std::uint64_t>(status.st_size),
                .modified_ns = stamp_of(status).modified_ns,
                .media_type = media_type_of_name(name)};
  return found;
}

}  // namespace

std::optional<std::string> relative_path_of(std::string_view raw_path) {
  if (!raw_path.starts_with('/')) return std::nullopt;
  std::string relative;
  std::string_view left = raw_path.substr(1);
  while (!left.empty()) {
    const std::size_t slash = left.find('/');
    const auto segment = http::percent_decode(left.substr(0, slash));
    if (!segment || segment->empty() || segment->front() == '.') return std::nullopt;
    if (segment->find('/') != std::string::npos || segment->find('\0') != std::string::npos) {
      return std::nullopt;
    }
    relative += *segment;
    if (slash == left.npos) return relative;
    relative += '/';
    left.remove_prefix(slash + 1);
  }
  return relative.append(kIndex);
}

Found open_public_file(const std::string& source, const std::string& relative, Wait wait) {
  const Opened folder = open_folder(source, wait);
  if (!folder.fd) return not_opened(folder.error);
  Opened opened = open_below(folder.fd, relative, wait);
  if (opened.fd) {
    Found found = found_of(std::move(opened.fd), relative);
    if (found.kind != Found::Kind::folder) return found;
    const Opened index = open_below(folder.fd, relative + "/" + std::string(kIndex), wait);
    if (!index.fd) return not_opened(index.error);
    return found;
  }
  if (opened.error != ENOENT || relative.ends_with(kHtml)) return not_opened(opened.error);
  const std::string page = relative + std::string(kHtml);
  opened = open_below(folder.fd, page, wait);
  if (!opened.fd) return not_opened(opened.error);
  Found found = found_of(std::move(opened.fd), page);
  if (found.kind == Found::Kind::folder) found.kind = Found::Kind::absent;
  return found;
}

std::optional<std::ptrdiff_t> read_at(int fd, char* room, std::size_t bytes, std::uint64_t offset,
                                      Wait wait) {
  const iovec part{room, bytes};
  const int flags = wait == Wait::never ? RWF_NOWAIT : 0;
  for (;;) {
    const ssize_t count = ::preadv2(fd, &part, 1, static_cast<off_t>(offset), flags);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    if (wait == Wait::never) return std::nullopt;  // EAGAIN, or a file system that cannot tell
    return -1;
  }
}

}  // namespace funcd::files
