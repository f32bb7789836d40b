#include "base/timer_wheel.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace funcd {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

const TimePoint kStart{hours{1000}};

// A wheel whose time is moved by hand, and what it has asked for.
struct Hand {
  TimePoint now = kStart;
  std::optional<TimePoint> wake;
  int asked = 0;
  TimerWheel wheel{kStart,
                   [](void* context, TimePoint at) {
                     auto& hand = *static_cast<Hand*>(context);
                     hand.wake = at;
                     ++hand.asked;
                   },
                   this};

  void advance_to(TimePoint at) {
    now = at;
    wake.reset();
    wheel.advance(now);
  }
  // As the loop does: wakes when asked to, until `end`. Says how often.
  int run_until(TimePoint end) {
    int wakes = 0;
    while (wake && *wake <= end) {
      advance_to(std::max(now, *wake));
      ++wakes;
    }
    advance_to(end);
    return wakes;
  }
};

struct Probe {
  explicit Probe(Hand& with) : hand(with) {}
  static void fire(void* owner) {
    auto& probe = *static_cast<Probe*>(owner);
    probe.fired.push_back(probe.hand.now);
    if (probe.then) probe.then();
  }
  Hand& hand;
  std::vector<TimePoint> fired;
  std::function<void()> then;
  Timer timer{hand.wheel, this, &Probe::fire};
};

TEST(TimerWheel, FiresOnceAtItsTime) {
  Hand hand;
  Probe probe(hand);
  probe.timer.arm(kStart + milliseconds{5});
  EXPECT_TRUE(probe.timer.is_armed());
  EXPECT_EQ(hand.wake, kStart + milliseconds{5});
  hand.advance_to(kStart + microseconds{4999});
  EXPECT_TRUE(probe.fired.empty());
  hand.advance_to(kStart + milliseconds{5});
  EXPECT_EQ(probe.fired.size(), 1U);
  EXPECT_FALSE(probe.timer.is_armed());
  hand.advance_to(kStart + hours{1});
  EXPECT_EQ(probe.fired.size(), 1U);
  EXPECT_FALSE(hand.wake.has_value());
}

TEST(TimerWheel, RoundsUpToTheNextTick) {
  Hand hand;
  Probe probe(hand);
  probe.timer.arm(kStart + microseconds{1001});
  hand.advance_to(kStart + microseconds{1999});
  EXPECT_TRUE(probe.fired.empty());
  hand.advance_to(kStart + milliseconds{2});
  EXPECT_EQ(probe.fired.size(), 1U);
}

TEST(TimerWheel, TimeThatHasPassedFiresAtTheNextAdvanceNotWithinArm) {
  Hand hand;
  hand.advance_to(kStart + milliseconds{100});
  Probe probe(hand);
  probe.timer.arm(kStart);
  EXPECT_TRUE(probe.fired.empty());
  hand.advance_to(kStart + milliseconds{101});
  EXPECT_EQ(probe.fired.size(), 1U);
}

TEST(TimerWheel, DisarmedAndDestroyedTimersDoNotFire) {
  Hand hand;
  Probe disarmed(hand);
  disarmed.timer.arm(kStart + milliseconds{3});
  disarmed.timer.disarm();
  disarmed.timer.disarm();
  {
    Probe destroyed(hand);
    destroyed.timer.arm(kStart + milliseconds{3});
  }
  EXPECT_TRUE(hand.wheel.is_empty());
  hand.advance_to(kStart + milliseconds{10});
  EXPECT_TRUE(disarmed.fired.empty());
}

TEST(TimerWheel, ArmingAgainMovesIt) {
  Hand hand;
  Probe probe(hand);
  probe.timer.arm(kStart + milliseconds{3});
  probe.timer.arm(kStart + milliseconds{9});
  hand.advance_to(kStart + milliseconds{8});
  EXPECT_TRUE(probe.fired.empty());
  hand.advance_to(kStart + milliseconds{9});
  EXPECT_EQ(probe.fired.size(), 1U);
  EXPECT_TRUE(hand.wheel.is_empty());
}

TEST(TimerWheel, AsksToBeWokenOnlyWhenTheEarliestMovesEarlier) {
  Hand hand;
  Probe late(hand);
  Probe early(hand);
  late.timer.arm(kStart + milliseconds{50});
  EXPECT_EQ(hand.asked, 1);
  for (int i = 0; i < 1000; ++i) late.timer.arm(kStart + milliseconds{60 + i});
  late.timer.disarm();
  late.timer.arm(kStart + milliseconds{70});
  EXPECT_EQ(hand.asked, 1);
  early.timer.arm(kStart + milliseconds{20});
  EXPECT_EQ(hand.asked, 2);
  EXPECT_EQ(hand.wake, kStart + milliseconds{20});
}

TEST(TimerWheel, NeverAsksWhileNothingIsArmed) {
  Hand hand;
  Probe probe(hand);
  probe.timer.arm(kStart + milliseconds{5});
  probe.timer.disarm();
  hand.run_until(kStart + hours{1});
  EXPECT_EQ(hand.asked, 1);
  EXPECT_FALSE(hand.wake.has_value());
}

TEST(TimerWheel, WakesFewTimesForATimerFarAway) {
  Hand hand;
  Probe probe(hand);
  hand.advance_to(kStart + milliseconds{37});
  const TimePoint at = hand.now + std::chrono::seconds{75};
  probe.timer.arm(at);
  EXPECT_LE(hand.run_until(at + milliseconds{1}), 4);
  ASSERT_EQ(probe.fired.size(), 1U);
  EXPECT_EQ(probe.fired[0], at);
}

TEST(TimerWheel, FiresBeyondItsRange) {
  Hand hand;
  Probe probe(hand);
  Probe never(hand);
  const TimePoint at = kStart + hours{24 * 365 * 5};
  probe.timer.arm(at);
  never.timer.arm(TimePoint::max());
  hand.run_until(at - milliseconds{1});
  EXPECT_TRUE(probe.fired.empty());
  hand.run_until(at);
  EXPECT_EQ(probe.fired.size(), 1U);
  EXPECT_TRUE(never.fired.empty());
}

TEST(TimerWheel, CallbackMayArmItselfDisarmAndDestroyOthers) {
  Hand hand;
  Probe first(hand);
  auto second = std::make_unique<Probe>(hand);
  auto third = std::make_unique<Probe>(hand);
  // All three are due at one tick; whichever comes first takes the other two away.
  const auto take_others = [&](Probe* self) {
    return [&, self] {
      if (second.get() != self) second.reset();
      if (third.get() != self) third.reset();
      if (&first != self) first.timer.disarm();
    };
  };
  int fired = 0;
  first.then = [&] { ++fired, take_others (&first)(); };
  second->then = [&] { ++fired, take_others(second.get())(); };
  third->then = [&] { ++fired, take_others(third.get())(); };
  first.timer.arm(kStart + milliseconds{4});
  second->timer.arm(kStart + milliseconds{4});
  third->timer.arm(kStart + milliseconds{4});
  hand.advance_to(kStart + milliseconds{4});
  EXPECT_EQ(fired, 1);

  Probe repeated(hand);
  repeated.then = [&] {
    if (repeated.fired.size() < 5) repeated.timer.arm(kStart);
  };
  repeated.timer.arm(kStart + milliseconds{10});
  hand.advance_to(kStart + milliseconds{100});
  EXPECT_EQ(repeated.fired.size(), 5U);
}

TEST(TimerWheel, BackwardTimeIsIgnored) {
  Hand hand;
  Probe probe(hand);
  hand.advance_to(kStart + milliseconds{100});
  probe.timer.arm(kStart + milliseconds{110});
  hand.advance_to(kStart - hours{1});
  EXPECT_TRUE(probe.fired.empty());
  hand.advance_to(kStart + milliseconds{110});
  EXPECT_EQ(probe.fired.size(), 1U);
}

std::uint64_t seed() {
  const char* given = std::getenv("FUNCD_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::printf("FUNCD_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// Against a multimap: random arms, moves and disarms, near and far; woken only when it asks.
TEST(TimerWheel, DoesAsASortedMapDoes) {
  std::mt19937_64 random(seed());
  Hand hand;
  std::vector<std::unique_ptr<Probe>> probes;
  std::map<std::size_t, TimePoint> expected;  // armed probes
  for (int i = 0; i < 200; ++i) probes.push_back(std::make_unique<Probe>(hand));
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t index = random() % probes.size();
    const std::uint64_t range_ms = std::uint64_t{1} << (random() % 34);
    const TimePoint at = hand.now + microseconds{random() % (range_ms * 1000)};
    if (random() % 4 == 0) {
      probes[index]->timer.disarm();
      expected.erase(index);
    } else {
      probes[index]->timer.arm(at);
      expected[index] = at;
    }
    if (random() % 3 != 0) continue;
    const std::uint64_t step_us = random() % (std::uint64_t{1} << (random() % 36));
    const TimePoint end = hand.now + microseconds{step_us};
    for (auto& probe : probes) probe->fired.clear();
    hand.run_until(end);
    for (std::size_t i = 0; i < probes.size(); ++i) {
      const auto entry = expected.find(i);
      if (entry == expected.end() || entry->second > end) {
        ASSERT_TRUE(probes[i]->fired.empty()) << "early or disarmed, step " << step;
      } else if (end - entry->second >= kTimerTick) {
        ASSERT_EQ(probes[i]->fired.size(), 1U) << "late, step " << step;
        ASSERT_GE(probes[i]->fired[0], entry->second) << "early, step " << step;
        expected.erase(entry);
      } else if (!probes[i]->fired.empty()) {
        expected.erase(entry);
      }
    }
  }
}

}  // namespace
}  // namespace funcd
