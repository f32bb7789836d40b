#include "telemetry/function_log.h"

#include <gtest/gtest.h>

#include <thread>

namespace funcd::telemetry {
namespace {

LogEntry entry_of(std::uint64_t invocation, std::string stderr_text = "x") {
  LogEntry entry;
  entry.invocation = invocation;
  entry.stderr_text = std::move(stderr_text);
  return entry;
}

TEST(FunctionLog, GivesTheNewestInOrder) {
  FunctionLog log;
  for (std::uint64_t i = 1; i <= 5; ++i) log.add(entry_of(10 * i));
  const auto page = log.read(0, 2);
  ASSERT_EQ(page.entries.size(), 2U);
  EXPECT_EQ(page.entries[0].invocation, 40U);
  EXPECT_EQ(page.entries[1].invocation, 50U);
  EXPECT_EQ(page.last_number, 5U);
}

TEST(FunctionLog, GivesOnlyWhatCameAfter) {
  FunctionLog log;
  for (std::uint64_t i = 1; i <= 5; ++i) log.add(entry_of(i));
  const auto page = log.read(3, 100);
  ASSERT_EQ(page.entries.size(), 2U);
  EXPECT_EQ(page.entries[0].number, 4U);
  EXPECT_TRUE(log.read(5, 100).entries.empty());
}

TEST(FunctionLog, OldestMakeRoomByNumber) {
  FunctionLog log;
  for (std::uint64_t i = 1; i <= FunctionLog::kEntriesMax + 3; ++i) log.add(entry_of(i));
  const auto page = log.read(0, 10'000);
  EXPECT_EQ(page.entries.size(), FunctionLog::kEntriesMax);
  EXPECT_EQ(page.entries.front().number, 4U);
}

TEST(FunctionLog, OldestMakeRoomByBytes) {
  FunctionLog log;
  const std::size_t fit = FunctionLog::kBytesMax / FunctionLog::kTextBytesMax;
  for (std::uint64_t i = 1; i <= fit + 1; ++i) {
    log.add(entry_of(i, std::string(FunctionLog::kTextBytesMax, 'x')));
  }
  const auto page = log.read(0, 10'000);
  EXPECT_EQ(page.entries.size(), fit);
  EXPECT_EQ(page.entries.front().number, 2U);
}

TEST(FunctionLog, CutsALongText) {
  FunctionLog log;
  log.add(entry_of(1, std::string(FunctionLog::kTextBytesMax + 1, 'x')));
  EXPECT_EQ(log.read(0, 1).entries.front().stderr_text.size(), FunctionLog::kTextBytesMax);
}

TEST(FunctionLog, NumbersAreUniqueOverThreads) {
  FunctionLog log;
  constexpr std::uint64_t kEach = 1'000;
  const auto add_many = [&log] {
    for (std::uint64_t i = 0; i < kEach; ++i) log.add(entry_of(i));
  };
  {
    const std::jthread one(add_many);
    const std::jthread two(add_many);
  }
  const auto page = log.read(0, 10'000);
  EXPECT_EQ(page.last_number, 2 * kEach);
  for (std::size_t i = 1; i < page.entries.size(); ++i) {
    EXPECT_EQ(page.entries[i].number, page.entries[i - 1].number + 1);
  }
}

}  // namespace
}  // namespace funcd::telemetry
