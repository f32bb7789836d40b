#include "storage/entry_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/file.h"

namespace funcd::storage {
namespace {

std::string damage_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return errno_text(errno);
  if (!S_ISREG(status.st_mode)) return "is not a file";
  if (status.st_uid != ::geteuid()) return "belongs to another user";
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "is writable by others";
  return "";
}

}  // namespace

bool is_digest(std::string_view text) {
  return text.size() == kDigestChars && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string sum_name(std::string_view key) {
  return fmt::format("{}.sum", key);
}

std::string code_name(std::string_view key, std::string_view hash) {
  return fmt::format("{}.{}.cwasm", key, hash);
}

EntryFile open_entry(int folder, const std::string& name) {
  EntryFile opened;
  opened.fd =
      Descriptor(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!opened.fd) {
    opened.error = errno;
    if (errno == ELOOP) opened.damage = "is a symbolic link";
    return opened;
  }
  opened.damage = damage_of(opened.fd.get());
  return opened;
}

Result<std::size_t> read_some(int fd, std::span<std::uint8_t> into) {
  for (;;) {
    const ssize_t count = ::read(fd, into.data(), into.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return fail("cannot be read: {}", errno_text(errno));
  }
}

std::string read_sum(int fd) {
  std::array<std::uint8_t, kDigestChars + 1> buffer{};
  const auto count = read_some(fd, buffer);
  if (!count || *count != kDigestChars) return "";
  std::string sum(buffer.begin(), buffer.end() - 1);
  return is_digest(sum) ? sum : "";
}

}  // namespace funcd::storage
