#include "invoke/admission.h"

#include <gtest/gtest.h>

#include <thread>

namespace funcd::invoke {
namespace {

TEST(Admission, HoldsAFunctionToItsConcurrency) {
  Admission admission({.running_max = 10, .waiting_max = 10}, 1);
  registry::Function function("f", 1);
  EXPECT_TRUE(admission.enter(function, 2));
  EXPECT_TRUE(admission.enter(function, 2));
  EXPECT_FALSE(admission.enter(function, 2));
  EXPECT_EQ(admission.running(), 2U);
  admission.leave(function);
  EXPECT_TRUE(admission.enter(function, 2));
}

TEST(Admission, HoldsAllFunctionsToTheTotal) {
  Admission admission({.running_max = 1, .waiting_max = 10}, 1);
  registry::Function one("one", 1);
  registry::Function other("other", 1);
  EXPECT_TRUE(admission.enter(one, 10));
  EXPECT_FALSE(admission.enter(other, 10));
  EXPECT_EQ(other.in_flight.load(), 0U);
  admission.leave(one);
  EXPECT_TRUE(admission.enter(other, 10));
}

TEST(Admission, QueueIsBounded) {
  Admission admission({.running_max = 1, .waiting_max = 2}, 2);
  EXPECT_TRUE(admission.queue(0));
  EXPECT_TRUE(admission.queue(1));
  EXPECT_FALSE(admission.queue(0));
  admission.unqueue(1);
  EXPECT_TRUE(admission.queue(0));
}

TEST(Admission, LeavingTellsTheWorkersThatHaveAQueue) {
  Admission admission({.running_max = 1, .waiting_max = 2}, 2);
  int told_first = 0;
  int told_second = 0;
  admission.connect(0, [&] { ++told_first; });
  admission.connect(1, [&] { ++told_second; });
  registry::Function function("f", 1);
  ASSERT_TRUE(admission.enter(function, 1));
  ASSERT_TRUE(admission.queue(1));
  admission.leave(function);
  EXPECT_EQ(told_first, 0);
  EXPECT_EQ(told_second, 1);
}

TEST(Admission, ManyThreadsNeverExceedTheTotal) {
  constexpr std::uint32_t kMax = 3;
  Admission admission({.running_max = kMax, .waiting_max = 1}, 1);
  registry::Function function("f", 1);
  std::atomic<std::uint32_t> inside{0};
  std::atomic<bool> has_exceeded{false};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (int round = 0; round < 20'000; ++round) {
          if (!admission.enter(function, 100)) continue;
          if (inside.fetch_add(1) >= kMax) has_exceeded = true;
          inside.fetch_sub(1);
          admission.leave(function);
        }
      });
    }
  }
  EXPECT_FALSE(has_exceeded);
  EXPECT_EQ(admission.running(), 0U);
  EXPECT_EQ(function.in_flight.load(), 0U);
}

}  // namespace
}  // namespace funcd::invoke
