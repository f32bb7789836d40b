#include "base/loop.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <thread>

namespace funcd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// Stops its loop when it fires, and remembers when.
struct Stopper {
  explicit Stopper(Loop& with) : loop(with) {}
  static void fire(void* owner) {
    auto& stopper = *static_cast<Stopper*>(owner);
    stopper.fired_at = Clock::now();
    stopper.loop.stop();
  }
  Loop& loop;
  TimePoint fired_at{};
  Timer timer{loop.timers(), this, &Stopper::fire};
};

TEST(Loop, FiresTimersNeverEarly) {
  Loop loop;
  Stopper stopper(loop);
  const TimePoint at = Clock::now() + milliseconds{20};
  stopper.timer.arm(at);
  loop.run();
  EXPECT_GE(stopper.fired_at, at);
}

TEST(Loop, AnEarlierTimerIsNotHeldUpByALaterOne) {
  Loop loop;
  Stopper late(loop);
  Stopper early(loop);
  late.timer.arm(Clock::now() + hours{1});
  early.timer.arm(Clock::now() + milliseconds{5});
  loop.run();
  EXPECT_NE(early.fired_at, TimePoint{});
  EXPECT_EQ(late.fired_at, TimePoint{});
}

TEST(Loop, ATimerArmedAfterAnAbandonedOneFires) {
  Loop loop;
  Stopper abandoned(loop);
  Stopper kept(loop);
  abandoned.timer.arm(Clock::now() + milliseconds{2});
  abandoned.timer.disarm();
  kept.timer.arm(Clock::now() + milliseconds{10});
  loop.run();
  EXPECT_NE(kept.fired_at, TimePoint{});
  EXPECT_EQ(abandoned.fired_at, TimePoint{});
}

TEST(Loop, RunsWhatOtherThreadsPostAndStopsFromThem) {
  Loop loop;
  int ran = 0;
  std::thread other([&loop, &ran] {
    for (int i = 0; i < 1000; ++i) boost::asio::post(loop.io(), [&ran] { ++ran; });
    boost::asio::post(loop.io(), [&loop] { loop.stop(); });
  });
  loop.run();
  other.join();
  EXPECT_EQ(ran, 1000);
}

}  // namespace
}  // namespace funcd
