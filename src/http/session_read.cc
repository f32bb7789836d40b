// A session's reading: what it receives, and where to.
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstddef>
#include <span>

#include "base/check.h"
#include "http/session.h"

namespace funcd::http {
namespace {

// While an exchange is in flight, so many bytes of the requests after it are taken in.
constexpr std::size_t kPipelineBytesMax = BlockPool::kBlockBytes;
// Chunked bodies come through the input buffer in portions of this.
constexpr std::size_t kChunkWindowBytes = 32 * 1024;
// Of what a client still sends after its last response.
constexpr std::size_t kLingerBytesMax = 16 * 1024 * 1024;

// Asks for these bytes without waiting for them.
void prefetch(const void* begin, std::size_t bytes) {
  constexpr std::size_t kCacheLineBytes = 64;
  for (std::size_t at = 0; at < bytes; at += kCacheLineBytes) {
    __builtin_prefetch(static_cast<const std::byte*>(begin) + at);
  }
}

}  // namespace

struct Session::ReadHandler {
  std::shared_ptr<Session> session;

  using allocator_type = HandlerAllocator<std::byte>;
  allocator_type get_allocator() const noexcept { return allocator_type(session->read_memory_); }
  void operator()(const boost::system::error_code& error, std::size_t bytes) const {
    session->on_read(error, bytes);
  }
};

struct Session::ReadableHandler {
  std::shared_ptr<Session> session;

  using allocator_type = HandlerAllocator<std::byte>;
  allocator_type get_allocator() const noexcept { return allocator_type(session->read_memory_); }
  void operator()(const boost::system::error_code& error) const { session->on_readable(error); }
};

void Session::start_read() {
  if (is_reading_) return;
  if (phase_ == Phase::head && in_.unread().empty()) return start_wait();
  std::span<char> room;
  is_read_for_body_ = false;
  const bool is_body_awaited = is_body_streamed_ ? is_part_asked_ : is_body_wanted_;
  if (phase_ == Phase::handling && is_body_awaited && !is_body_given_) {
    room = body_.room();
    is_read_for_body_ = !room.empty();
    if (room.empty()) room = in_.room(kChunkWindowBytes);
  } else if (phase_ == Phase::handling) {
    room = in_.room(kPipelineBytesMax);
    if (room.empty()) return;
  } else {
    room = room_for_head();
  }
  CHECK(!room.empty());
  is_reading_ = true;
  socket_.async_read_some(boost::asio::buffer(room.data(), room.size()),
                          ReadHandler{shared_from_this()});
}

std::span<char> Session::room_for_head() {
  // Never full: a head or a chunk's line is refused before it is.
  return in_.room(std::max(host_.options.header_bytes_max + 1, kChunkWindowBytes));
}

void Session::start_wait() {
  in_.release();
  is_reading_ = true;
  is_read_for_body_ = false;
  socket_.async_wait(Socket::wait_read, ReadableHandler{shared_from_this()});
}

void Session::on_readable(const boost::system::error_code& error) {
  if (error || phase_ == Phase::closed) return on_read(error, 0);
  // With thousands of connections nothing of this one is in the processor's caches: it comes while
  // the kernel receives.
  prefetch(this, sizeof(*this));
  const std::span<char> room = room_for_head();
  const ssize_t bytes = ::recv(socket_.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
  if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return start_wait();
  on_read(bytes > 0 ? error : boost::asio::error::eof,
          bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
}

void Session::on_read(const boost::system::error_code& error, std::size_t bytes) {
  is_reading_ = false;
  if (phase_ == Phase::closed) return;
  if (error) return on_read_error();
  host_.counters.bytes_in.add(bytes);
  if (phase_ == Phase::lingering) {
    linger_bytes_ += bytes;
    if (linger_bytes_ > kLingerBytesMax) return close();
  } else if (is_read_for_body_) {
    body_.commit(bytes);
  } else {
    in_.commit(bytes);
  }
  run(NextRequest::now);
}

void Session::on_read_error() {
  // What is being sent may still be wanted; if not, the sending fails.
  is_peer_done_ = true;
  if (!output_.is_waiting()) close();
}

}  // namespace funcd::http
