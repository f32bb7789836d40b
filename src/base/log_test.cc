#include "base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>
#include <thread>
#include <vector>

namespace funcd::log {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 2026-01-02T03:04:05.678Z
const std::chrono::system_clock::time_point kTime{std::chrono::milliseconds(1'767'323'045'678)};

std::string text(std::string_view event, std::initializer_list<Field> fields) {
  return format_line(Format::text, Colours::no, kTime, Level::info, event,
                     {fields.begin(), fields.size()});
}

std::string json(std::string_view event, std::initializer_list<Field> fields) {
  return format_line(Format::json, Colours::no, kTime, Level::warn, event,
                     {fields.begin(), fields.size()});
}

TEST(Log, TextLineHasTimeLevelEventAndFields) {
  EXPECT_EQ(text("published", {{"function", "hello"}, {"elapsed", "3ms"}}),
            "2026-01-02T03:04:05.678Z info published function=hello elapsed=3ms\n");
}

TEST(Log, TextQuotesWhatWouldNotReadAsOneWord) {
  EXPECT_EQ(
      text("e", {{"a", "two words"}, {"b", ""}, {"c", "x=y"}, {"d", "say \"hi\""}}),
      "2026-01-02T03:04:05.678Z info e a=\"two words\" b=\"\" c=\"x=y\" d=\"say \\\"hi\\\"\"\n");
}

TEST(Log, NothingForgesALine) {
  const std::string line = text("e\nforged", {{"k\n", "a\nb\r\x1b[31m\x7f"}, {"c1", "\xC2\x9B"}});
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_THAT(line, HasSubstr("e\\nforged k\\n=\"a\\nb\\r\\x1b[31m\\x7f\" c1=\"\\x9b\""));
}

TEST(Log, TextKeepsUtf8AndEscapesOtherBytes) {
  EXPECT_THAT(text("e", {{"a", "gr\xC3\xBC\xC3\x9F"}, {"b", "\xFF\xC3"}}),
              HasSubstr("a=\"gr\xC3\xBC\xC3\x9F\" b=\"\\xff\\xc3\""));
}

TEST(Log, JsonLineIsAnObject) {
  EXPECT_EQ(json("rejected", {{"error", "a \"b\"\n\x01\\"}, {"bad", "\xFF"}}),
            "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"event\":\"rejected\","
            "\"error\":\"a \\\"b\\\"\\n\\u0001\\\\\",\"bad\":\"\\ufffd\"}\n");
}

TEST(Log, ColoursOnlyTheLevel) {
  EXPECT_THAT(format_line(Format::text, Colours::yes, kTime, Level::error, "e", {}),
              HasSubstr("\x1b[31merror\x1b[0m e\n"));
  EXPECT_THAT(text("e", {}), Not(HasSubstr("\x1b")));
}

// Sends stderr into a pipe for as long as it lives.
class CapturedStderr {
 public:
  explicit CapturedStderr(int flags = 0) {
    EXPECT_EQ(::pipe2(pipe_.data(), flags), 0);
    saved_ = ::dup(STDERR_FILENO);
    ::dup2(pipe_[1], STDERR_FILENO);
    ::close(pipe_[1]);
  }
  ~CapturedStderr() {
    restore();
    ::close(pipe_[0]);
  }
  std::string read_all() {
    restore();
    std::string all;
    std::array<char, 65536> buffer{};
    for (ssize_t n = 0; (n = ::read(pipe_[0], buffer.data(), buffer.size())) > 0;) {
      all.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return all;
  }

 private:
  void restore() {
    if (saved_ < 0) return;
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    saved_ = -1;
  }
  std::array<int, 2> pipe_{};
  int saved_ = -1;
};

// A line as a terminal gets it.
std::string line_on_terminal() {
  int terminal = -1;
  int end = -1;
  EXPECT_EQ(::openpty(&terminal, &end, nullptr, nullptr, nullptr), 0);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(end, STDERR_FILENO);
  configure(Level::info, Format::text);
  info("e");
  ::dup2(saved, STDERR_FILENO);
  configure(Level::info, Format::text);
  std::array<char, 256> buffer{};
  const ssize_t count = ::read(terminal, buffer.data(), buffer.size());
  for (const int fd : {terminal, end, saved}) ::close(fd);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

TEST(Log, ColoursAreForATerminalWhoseUserWantsThem) {
  ::setenv("NO_COLOR", "", 1);
  EXPECT_THAT(line_on_terminal(), HasSubstr("[32minfo[0m e"));
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_THAT(line_on_terminal(), HasSubstr("Z info e"));
  ::unsetenv("NO_COLOR");
  EXPECT_THAT(line_on_terminal(), HasSubstr("[32minfo[0m e"));
  const CapturedStderr captured;
  EXPECT_EQ(colours_of(STDERR_FILENO), Colours::no);
}

TEST(Log, LevelsBelowTheConfiguredOneAreSilent) {
  configure(Level::warn, Format::text);
  EXPECT_FALSE(is_enabled(Level::info));
  EXPECT_TRUE(is_enabled(Level::error));
  CapturedStderr captured;
  info("quiet");
  warn("loud");
  const std::string all = captured.read_all();
  EXPECT_THAT(all, HasSubstr("warn loud\n"));
  EXPECT_THAT(all, Not(HasSubstr("quiet")));
  configure(Level::info, Format::text);
}

TEST(Log, LinesOfThreadsDoNotMix) {
  configure(Level::info, Format::text);
  CapturedStderr captured;
  std::string all;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        const std::string value(200, 'v');
        for (int i = 0; i < 50; ++i) info("line", {{"value", value}});
      });
    }
  }
  std::istringstream lines(captured.read_all());
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_THAT(line, ::testing::EndsWith("info line value=" + std::string(200, 'v')));
  }
  EXPECT_EQ(count, 200);
}

TEST(Log, AFullNonBlockingStderrDropsInsteadOfHanging) {
  configure(Level::info, Format::text);
  CapturedStderr captured(O_NONBLOCK);
  const std::string value(60'000, 'v');
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) info("line", {{"value", value}});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10 * kStallMax);
  EXPECT_THAT(captured.read_all(), HasSubstr("info line value=v"));
}

}  // namespace
}  // namespace funcd::log
