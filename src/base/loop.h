#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/clock.h"
#include "base/timer_wheel.h"

namespace funcd {

// One worker's event loop: an Asio context that one thread runs, and one wheel of timers driven by
// a single Asio timer. Everything but post() and stop() is for the loop's own thread: Asio's locks
// around descriptors are off.
class Loop {
 public:
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  boost::asio::io_context& io() { return io_; }
  TimerWheel& timers() { return timers_; }

  // Runs until stop(). Called once, by the thread that owns the loop from then on.
  void run();
  // From any thread: run() returns once the handler that runs now has returned.
  void stop();

 private:
  using WakeTimer = boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>,
                                                      boost::asio::io_context::executor_type>;
  void wake_at(TimePoint at);

  boost::asio::io_context io_;
  TimerWheel timers_;
  WakeTimer wake_;
};

}  // namespace funcd
