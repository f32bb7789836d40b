#include "invoke/idle_instances.h"

#include <gtest/gtest.h>

namespace funcd::invoke {
namespace {

using Instance = IdleInstances::Instance;

std::shared_ptr<const registry::Revision> revision(const std::string& name) {
  auto revision = std::make_shared<registry::Revision>();
  revision->function = std::make_shared<registry::Function>(name, 1);
  revision->route = "/" + name;
  return revision;
}

class IdleInstancesTest : public ::testing::Test {
 protected:
  // Keeps a new one, which it returns.
  const engine::HttpInstance* keep(const std::shared_ptr<const registry::Revision>& of) {
    auto instance = std::make_unique<engine::HttpInstance>();
    const auto* const kept = instance.get();
    idle_.keep(of, {}, std::move(instance));
    return kept;
  }

  const TimePoint start_ = Clock::now();
  TimerWheel timers_{start_, [](void*, TimePoint) {}, nullptr};
  IdleInstances idle_{timers_, 3};
  std::shared_ptr<const registry::Revision> a_ = revision("a");
  std::shared_ptr<const registry::Revision> b_ = revision("b");
};

TEST_F(IdleInstancesTest, TheOneThatHasWaitedLeastIsTakenOnce) {
  const auto* const first = keep(a_);
  const auto* const second = keep(a_);
  keep(b_);
  EXPECT_EQ(idle_.take(*a_).get(), second);
  EXPECT_EQ(idle_.take(*a_).get(), first);
  EXPECT_EQ(idle_.take(*a_), nullptr);
  EXPECT_EQ(idle_.size(), 1U);
}

TEST_F(IdleInstancesTest, OneMoreThanThereMayBeTakesThePlaceOfTheOldest) {
  keep(a_);
  keep(b_);
  const auto* const third = keep(a_);
  keep(b_);
  EXPECT_EQ(idle_.size(), 3U);
  EXPECT_EQ(idle_.take(*a_).get(), third);
  EXPECT_EQ(idle_.take(*a_), nullptr);
}

TEST_F(IdleInstancesTest, NoneWaitsForLong) {
  keep(a_);
  keep(b_);
  timers_.advance(start_ + IdleInstances::kIdleMax - std::chrono::seconds(1));
  EXPECT_EQ(idle_.size(), 2U);
  timers_.advance(Clock::now() + IdleInstances::kIdleMax + std::chrono::seconds(1));
  EXPECT_EQ(idle_.size(), 0U);
  EXPECT_EQ(idle_.take(*a_), nullptr);
  EXPECT_TRUE(timers_.is_empty());
  EXPECT_EQ(a_.use_count(), 1);
}

TEST_F(IdleInstancesTest, ACatalogDropsThoseOfOtherRevisions) {
  keep(a_);
  keep(b_);
  const auto newer = revision("a");
  idle_.drop_stale(**registry::Catalog::build({newer, b_}));
  EXPECT_EQ(idle_.size(), 1U);
  EXPECT_EQ(idle_.take(*newer), nullptr);
  EXPECT_NE(idle_.take(*b_), nullptr);
}

TEST_F(IdleInstancesTest, ACanaryIsOfTheCatalog) {
  keep(a_);
  auto canary = std::make_shared<registry::Revision>();
  canary->function = std::make_shared<registry::Function>("a", 1, 2);
  keep(canary);
  idle_.drop_stale(**registry::Catalog::build({a_}, false, {canary}));
  EXPECT_EQ(idle_.size(), 2U);
  idle_.drop_stale(**registry::Catalog::build({a_}));
  EXPECT_EQ(idle_.take(*canary), nullptr);
  EXPECT_EQ(idle_.size(), 1U);
}

TEST_F(IdleInstancesTest, OnceClosedNoneIsKept) {
  keep(a_);
  idle_.close();
  EXPECT_EQ(idle_.size(), 0U);
  keep(a_);
  EXPECT_EQ(idle_.size(), 0U);
}

}  // namespace
}  // namespace funcd::invoke
