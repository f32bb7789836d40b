#include "base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace funcd {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class File : public ::testing::Test {
 protected:
  File() {
    std::string pattern = (fs::temp_directory_path() / "funcd-file-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~File() override { fs::remove_all(folder_); }

  std::string path(std::string_view name) const { return folder_ + "/" + std::string(name); }
  void write(const std::string& file, std::string_view text) {
    std::ofstream(file, std::ios::binary) << text;
  }
  std::size_t count_files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  std::string folder_;
};

std::vector<std::uint8_t> bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

TEST_F(File, ReadsWhatWasWritten) {
  write(path("a"), "some bytes");
  EXPECT_EQ(read_text_file(path("a"), 100).value(), "some bytes");
  EXPECT_EQ(read_file(path("a"), 100).value(), bytes_of("some bytes"));
}

TEST_F(File, ReadsAnEmptyFile) {
  write(path("a"), "");
  EXPECT_EQ(read_text_file(path("a"), 0).value(), "");
}

TEST_F(File, ReadsAtMostItsLimit) {
  write(path("a"), "12345");
  EXPECT_TRUE(read_text_file(path("a"), 5));
  const auto result = read_text_file(path("a"), 4);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, path("a") + ": is longer than 4 bytes, the most that is read");
}

// /proc files say that they are empty.
TEST_F(File, ReadsMoreThanTheSizeThatWasTold) {
  EXPECT_THAT(read_text_file("/proc/self/status", 1 << 20).value(), HasSubstr("Name:"));
}

TEST_F(File, NamesPathAndReasonOfWhatIsMissing) {
  const auto result = read_text_file(path("none"), 10);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, path("none") + ": cannot be opened: no such file or directory");
}

TEST_F(File, NeverWaitsForAPipe) {
  ASSERT_EQ(::mkfifo(path("p").c_str(), 0600), 0);
  const auto result = read_text_file(path("p"), 10);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("is a pipe, not a file"));
}

TEST_F(File, RefusesAFolder) {
  const auto result = read_file(folder_, 10);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("is a folder, not a file"));
}

TEST_F(File, WriteReplacesWhole) {
  ASSERT_TRUE(write_file(path("a"), bytes_of("first, long")));
  ASSERT_TRUE(write_file(path("a"), bytes_of("second")));
  EXPECT_EQ(read_text_file(path("a"), 100).value(), "second");
  EXPECT_EQ(count_files(), 1U);
}

TEST_F(File, WriteNamesWhatCannotBeMade) {
  const auto result = write_file(path("none/a"), bytes_of("x"));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("no such file or directory"));
}

TEST_F(File, AFullDiskLeavesTheOldContentAndNoTemporary) {
  ASSERT_TRUE(write_file(path("a"), bytes_of("old")));
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto result = write_file(path("a"), std::vector<std::uint8_t>(5000, 'x'));
    const bool is_told =
        !result && result.error().message.find("cannot be written") != std::string::npos;
    ::_exit(is_told ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_text_file(path("a"), 10).value(), "old");
  EXPECT_EQ(count_files(), 1U);
}

TEST_F(File, RemovesWhateverHasTheName) {
  fs::create_directories(path("kept"));
  write(path("kept/file"), "x");
  write(path("file"), "x");
  fs::create_symlink(path("kept"), path("link"));
  fs::create_directories(path("empty"));
  fs::create_directories(path("full/deep/deeper"));
  write(path("full/file"), "x");
  write(path("full/deep/file"), "x");
  fs::create_symlink(path("kept"), path("full/deep/link"));
  ASSERT_EQ(::mkfifo(path("full/pipe").c_str(), 0600), 0);
  for (const char* name : {"none", "file", "link", "empty", "full"}) {
    const auto removed = remove_whole(AT_FDCWD, path(name));
    EXPECT_TRUE(removed) << removed.error().message;
  }
  EXPECT_EQ(count_files(), 1U);
  EXPECT_EQ(read_text_file(path("kept/file"), 10).value(), "x");
}

TEST_F(File, RemovesNoMoreAtOnceThanItsLimits) {
  std::string deep = path("deep");
  for (int depth = 0; depth <= kRemovedDepthMax; ++depth) deep += "/d";
  fs::create_directories(deep);
  const auto too_deep = remove_whole(AT_FDCWD, path("deep"));
  ASSERT_FALSE(too_deep);
  EXPECT_THAT(too_deep.error().message, HasSubstr("it holds too much"));

  fs::create_directories(path("many"));
  for (int i = 0; i < kRemovedItemsMax; ++i) write(path(fmt::format("many/{}", i)), "");
  EXPECT_FALSE(remove_whole(AT_FDCWD, path("many")));
  EXPECT_TRUE(remove_whole(AT_FDCWD, path("many")));
  EXPECT_FALSE(fs::exists(path("many")));
}

// FIPS 180-2, appendix B.
TEST(Sha256, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, PiecesMakeTheWhole) {
  Sha256 digest;
  digest.add(bytes_of("a"));
  digest.add({});
  digest.add(bytes_of("bc"));
  EXPECT_EQ(digest.hex(), sha256_hex("abc"));
}

TEST(ErrnoText, IsLowerCase) {
  EXPECT_EQ(errno_text(ENOENT), "no such file or directory");
  EXPECT_EQ(errno_text(ENOSPC), "no space left on device");
}

}  // namespace
}  // namespace funcd
