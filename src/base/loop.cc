#include "base/loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/system/error_code.hpp>

namespace funcd {

// UNSAFE_IO: one thread runs the context and uses its sockets and timers; others only post.
Loop::Loop()
    : io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      timers_(
          Clock::now(),
          [](void* context, TimePoint at) { static_cast<Loop*>(context)->wake_at(at); }, this),
      wake_(io_.get_executor()) {}

void Loop::run() {
  const auto work = boost::asio::make_work_guard(io_);
  io_.run();
}

void Loop::stop() {
  io_.stop();
}

void Loop::wake_at(TimePoint at) {
  // Replaces the wait before it, which then ends as cancelled.
  wake_.expires_at(at);
  wake_.async_wait([this](const boost::system::error_code& error) {
    if (!error) timers_.advance(Clock::now());
  });
}

}  // namespace funcd
