#include "engine/stdio.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace funcd::engine {

std::int64_t BufferedStdio::read(std::span<std::uint8_t> into) {
  const std::size_t size = std::min(into.size(), stdin_.size());
  std::copy_n(stdin_.begin(), size, into.begin());
  stdin_.remove_prefix(size);
  return static_cast<std::int64_t>(size);
}

std::int64_t BufferedStdio::write(int descriptor, std::span<const std::uint8_t> bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  std::string& into = descriptor == 1 ? out_ : err_;
  const std::uint64_t room = (descriptor == 1 ? stdout_max_ : stderr_max_) - into.size();
  if (bytes.size() > room) {
    if (descriptor == 1) return kFull;
    bytes = bytes.first(room);
  }
  into.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return size;
}

std::int64_t InheritedStdio::read(std::span<std::uint8_t> into) {
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, into.data(), into.size());
    if (got >= 0) return got;
    if (errno != EINTR) return -errno;
  }
}

std::int64_t InheritedStdio::write(int descriptor, std::span<const std::uint8_t> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (wrote >= 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (errno != EINTR) {
      return done > 0 ? static_cast<std::int64_t>(done) : -errno;
    }
  }
  return static_cast<std::int64_t>(done);
}

bool InheritedStdio::is_readable() const {
  pollfd stdin_poll{STDIN_FILENO, POLLIN, 0};
  return ::poll(&stdin_poll, 1, 0) != 0;
}

bool InheritedStdio::is_terminal(int descriptor) const {
  return ::isatty(descriptor) == 1;
}

}  // namespace funcd::engine
