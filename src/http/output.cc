#include "http/output.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "base/check.h"

namespace funcd::http {
namespace {

constexpr std::size_t kFullBytes = 16 * 1024;
// Kept for the next response.
constexpr std::size_t kKeptBytesMax = 20 * 1024;
// To a client that reads as fast as this sends, before the others have their turn.
constexpr std::size_t kFlushBytesMax = 1024 * 1024;
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;

}  // namespace

void Output::write(Response&& response, const ResponseContext& context) {
  CHECK(body_.empty());
  if (write_head(response, context, sink()) == BodyFraming::none) return;
  body_ = std::move(response.body);
  if (body_.size() > kSmallBodyBytesMax) return held_.hold(body_.capacity());
  bytes_.append(body_);
  body_.clear();
}

bool Output::is_full() const {
  return bytes_.size() >= kFullBytes || !body_.empty();
}

long Output::send() {
  const std::string_view head = bytes_.view();
  ssize_t sent = 0;
  if (body_.empty()) {
    const std::string_view rest = head.substr(sent_);
    sent = ::send(socket_.native_handle(), rest.data(), rest.size(), kSendFlags);
  } else {
    const std::string_view first = head.substr(std::min(sent_, head.size()));
    const std::string_view second =
        std::string_view(body_).substr(sent_ - (head.size() - first.size()));
    // sendmsg() does not write through these pointers.
    std::array<iovec, 2> parts = {iovec{const_cast<char*>(first.data()), first.size()},
                                  iovec{const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    sent = ::sendmsg(socket_.native_handle(), &message, kSendFlags);
  }
  return sent >= 0 ? sent : -errno;
}

Output::Progress Output::flush() {
  const std::size_t total = bytes_.size() + body_.size();
  const std::size_t sent_before = sent_;
  Progress progress = Progress::stuck;
  while (sent_ < total) {
    if (sent_ - sent_before >= kFlushBytesMax) return progress;
    const long result = send();
    if (result == -EINTR) continue;
    if (result == -EAGAIN) return progress;
    if (result < 0) return Progress::lost;
    sent_ += static_cast<std::size_t>(result);
    counters_.bytes_out.add(static_cast<std::uint64_t>(result));
    progress = Progress::advanced;
  }
  if (total > 0) clear();
  return Progress::done;
}

void Output::clear() {
  bytes_.clear(kKeptBytesMax);
  if (spare_.capacity() == 0) std::swap(bytes_, spare_);
  bytes_ = ByteBuffer();
  body_ = std::string();
  held_.hold(0);
  sent_ = 0;
}

}  // namespace funcd::http
