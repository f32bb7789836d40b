#include "storage/code_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/clock.h"
#include "base/file.h"
#include "storage/cache_folder.h"
#include "storage/entry_file.h"

namespace funcd::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::uint64_t kMax = 1U << 20;
constexpr uid_t kNobody = 65534;

std::vector<std::uint8_t> code_of(std::size_t bytes, std::uint8_t fill) {
  return std::vector<std::uint8_t>(bytes, fill);
}

// Runs the test in a process of its own; true when it says so.
bool in_child(const std::function<bool()>& test) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(test() ? 0 : 1);
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

class CodeCacheTest : public ::testing::Test {
 protected:
  CodeCacheTest() {
    std::string pattern = (fs::temp_directory_path() / "funcd-cache-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    folder_ = root_ + "/cache";
  }
  ~CodeCacheTest() override { fs::remove_all(root_); }

  std::unique_ptr<CodeCache> open(std::uint64_t bytes_max = kMax) const {
    auto cache = CodeCache::open(folder_, bytes_max);
    EXPECT_TRUE(cache) << (cache ? "" : cache.error().message);
    return cache ? std::move(*cache) : nullptr;
  }
  static std::string key(int number) {
    return CodeCache::key_of(fmt::format("artifact-{}", number), "engine");
  }
  std::string sum_path(int number) const { return folder_ + "/" + sum_name(key(number)); }
  // Says that an entry was last used so many hours ago.
  void age(int number, int hours) const { age(sum_path(number), hours); }
  static void age(const std::string& path, int hours) {
    const timespec time{.tv_sec = ::time(nullptr) - hours * 3600L, .tv_nsec = 0};
    const timespec times[] = {time, time};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& item : fs::directory_iterator(folder_))
      found.push_back(item.path().filename());
    return found;
  }
  std::uint64_t code_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& item : fs::directory_iterator(folder_)) {
      if (item.path().extension() == ".cwasm") bytes += item.file_size();
    }
    return bytes;
  }

  std::string root_;
  std::string folder_;
};

TEST_F(CodeCacheTest, FindsWhatWasPut) {
  const auto cache = open();
  EXPECT_EQ(cache->find(key(1)), std::nullopt);
  const auto path = cache->put(key(1), code_of(1000, 7));
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(cache->find(key(1)), *path);
  EXPECT_EQ(read_file(*path, kMax).value(), code_of(1000, 7));
  EXPECT_EQ(cache->find(key(2)), std::nullopt);
}

TEST_F(CodeCacheTest, KeepsEntriesForTheNextProcess) {
  ASSERT_TRUE(in_child([&] { return open()->put(key(1), code_of(1000, 7)).has_value(); }));
  const auto path = open()->find(key(1));
  ASSERT_TRUE(path);
  EXPECT_EQ(read_file(*path, kMax).value(), code_of(1000, 7));
}

TEST_F(CodeCacheTest, KeyDependsOnArtifactAndEngine) {
  EXPECT_NE(CodeCache::key_of("a", "e1"), CodeCache::key_of("a", "e2"));
  EXPECT_NE(CodeCache::key_of("a", "e"), CodeCache::key_of("b", "e"));
  EXPECT_NE(CodeCache::key_of("ab", "c"), CodeCache::key_of("a", "bc"));
  EXPECT_TRUE(is_digest(CodeCache::key_of("a", "e/f ..")));
}

TEST_F(CodeCacheTest, PutReplaces) {
  const auto cache = open();
  ASSERT_TRUE(cache->put(key(1), code_of(1000, 1)));
  ASSERT_TRUE(cache->put(key(1), code_of(900, 2)));
  EXPECT_EQ(read_file(cache->find(key(1)).value(), kMax).value(), code_of(900, 2));
  EXPECT_EQ(code_bytes(), 900U);
}

TEST_F(CodeCacheTest, FolderAndFilesAreOursAlone) {
  const auto path = open()->put(key(1), code_of(10, 1));
  EXPECT_EQ(fs::status(folder_).permissions(), fs::perms::owner_all);
  for (const std::string& name : names()) {
    EXPECT_EQ(fs::status(folder_ + "/" + name).permissions(),
              fs::perms::owner_read | fs::perms::owner_write)
        << name;
  }
}

TEST_F(CodeCacheTest, RefusesAFolderThatOthersMayEnter) {
  for (const mode_t mode : {0755, 0770, 0701, 0720}) {
    ::mkdir(folder_.c_str(), 0700);
    ASSERT_EQ(::chmod(folder_.c_str(), mode), 0);
    const auto cache = CodeCache::open(folder_, kMax);
    ASSERT_FALSE(cache) << mode;
    EXPECT_THAT(cache.error().message,
                AllOf(HasSubstr("others may enter"), HasSubstr("run: chmod 700 " + folder_)));
  }
}

TEST_F(CodeCacheTest, RefusesAFolderThatOthersMayReplace) {
  ASSERT_EQ(::chmod(root_.c_str(), 0777), 0);
  const auto cache = CodeCache::open(folder_, kMax);
  ASSERT_FALSE(cache);
  EXPECT_THAT(cache.error().message, HasSubstr("run: chmod o-w " + root_));
  ASSERT_EQ(::chmod(root_.c_str(), 01777), 0);
  EXPECT_TRUE(CodeCache::open(folder_, kMax));
}

TEST_F(CodeCacheTest, RefusesAFolderOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  ASSERT_EQ(::mkdir(folder_.c_str(), 0700), 0);
  ASSERT_EQ(::chown(folder_.c_str(), kNobody, kNobody), 0);
  const auto cache = CodeCache::open(folder_, kMax);
  ASSERT_FALSE(cache);
  EXPECT_THAT(cache.error().message, HasSubstr("belongs to user 65534"));
}

TEST_F(CodeCacheTest, RefusesAFolderThatCannotBeWritten) {
  const bool is_root = ::geteuid() == 0;
  ASSERT_EQ(::chmod(root_.c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(folder_.c_str(), 0500), 0);
  if (is_root) {
    ASSERT_EQ(::chown(folder_.c_str(), kNobody, kNobody), 0);
  }
  EXPECT_TRUE(in_child([&] {
    if (is_root && ::setuid(kNobody) != 0) return false;
    const auto cache = CodeCache::open(folder_, kMax);
    return !cache && cache.error().message.find(
                         "cannot be written: permission denied; make it "
                         "writable") != std::string::npos;
  }));
  ::chmod(folder_.c_str(), 0700);
}

TEST_F(CodeCacheTest, RefusesAFileInTheFoldersPlace) {
  std::ofstream(folder_) << "x";
  EXPECT_FALSE(CodeCache::open(folder_, kMax));
  EXPECT_FALSE(CodeCache::open(folder_ + "/below", kMax));
  EXPECT_FALSE(CodeCache::open("", kMax));
}

TEST_F(CodeCacheTest, ADamagedEntryIsRemoved) {
  const auto cache = open();
  const std::string path = cache->put(key(1), code_of(1000, 1)).value();
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(500).put('!');
  EXPECT_EQ(cache->find(key(1)), std::nullopt);
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(sum_path(1)));
  EXPECT_TRUE(cache->put(key(1), code_of(1000, 1)));
  EXPECT_TRUE(cache->find(key(1)));
}

TEST_F(CodeCacheTest, ATruncatedEntryIsRemoved) {
  const auto cache = open();
  const std::string path = cache->put(key(1), code_of(1000, 1)).value();
  fs::resize_file(path, 999);
  EXPECT_EQ(cache->find(key(1)), std::nullopt);
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(CodeCacheTest, ASumThatNamesNoHashIsRemoved) {
  const auto cache = open();
  for (const std::string& text :
       {std::string(), std::string(64, 'X'), std::string(65, 'a'), "../" + std::string(61, 'a')}) {
    ASSERT_TRUE(cache->put(key(1), code_of(1000, 1)));
    std::ofstream(sum_path(1), std::ios::trunc) << text;
    EXPECT_EQ(cache->find(key(1)), std::nullopt) << text;
    EXPECT_FALSE(fs::exists(sum_path(1)));
  }
}

TEST_F(CodeCacheTest, ALinkIsNotFollowed) {
  const auto cache = open();
  const std::string path = cache->put(key(1), code_of(1000, 1)).value();
  const std::string elsewhere = root_ + "/elsewhere";
  fs::rename(path, elsewhere);
  fs::create_symlink(elsewhere, path);
  EXPECT_EQ(cache->find(key(1)), std::nullopt);
  EXPECT_FALSE(fs::is_symlink(path));
  EXPECT_TRUE(fs::exists(elsewhere));

  ASSERT_TRUE(cache->put(key(2), code_of(1000, 2)));
  fs::rename(sum_path(2), elsewhere);
  fs::create_symlink(elsewhere, sum_path(2));
  EXPECT_EQ(cache->find(key(2)), std::nullopt);
}

TEST_F(CodeCacheTest, AFolderInThePlaceOfAFileIsRemoved) {
  const auto cache = open();
  const std::string path = cache->put(key(1), code_of(1000, 1)).value();
  for (const std::string& file : {path, sum_path(1)}) {
    for (const bool is_full : {false, true}) {
      fs::remove(file);
      fs::create_directories(is_full ? file + "/d" : file);
      if (is_full) std::ofstream(file + "/d/x") << "x";
      testing::internal::CaptureStderr();
      EXPECT_EQ(cache->find(key(1)), std::nullopt);
      EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("removed; the function is"));
      EXPECT_FALSE(fs::exists(file));
      ASSERT_TRUE(cache->put(key(1), code_of(1000, 1)));
      EXPECT_EQ(cache->find(key(1)), path);
    }
  }
}

TEST_F(CodeCacheTest, AFolderIsNotInTheWayOfWhatIsKept) {
  const auto cache = open();
  const std::string path = cache->put(key(1), code_of(1000, 1)).value();
  for (const std::string& file : {path, sum_path(1), folder_ + "/note"}) {
    fs::remove(file);
    fs::create_directories(file + "/d");
  }
  EXPECT_TRUE(cache->put(key(1), code_of(1000, 1)));
  EXPECT_EQ(cache->find(key(1)), path);
  EXPECT_TRUE(cache->keep_note("note", "text"));
  EXPECT_EQ(cache->note("note"), "text");
}

TEST_F(CodeCacheTest, OpenRemovesAFolderThatIsCodeOfNoEntry) {
  { const auto cache = open(); }
  fs::create_directories(folder_ + "/" + code_name(key(1), key(2)) + "/d");
  open();
  EXPECT_EQ(names(), std::vector<std::string>{"lock"});
}

TEST_F(CodeCacheTest, AFileThatOthersMayWriteIsNotUsed) {
  const auto cache = open();
  const std::string path = cache->put(key(1), code_of(1000, 1)).value();
  ASSERT_EQ(::chmod(path.c_str(), 0622), 0);
  EXPECT_EQ(cache->find(key(1)), std::nullopt);
}

TEST_F(CodeCacheTest, AFileOfAnotherUserIsNotUsed) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const auto cache = open();
  const std::string path = cache->put(key(1), code_of(1000, 1)).value();
  ASSERT_EQ(::chown(path.c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(cache->find(key(1)), std::nullopt);
}

TEST_F(CodeCacheTest, LeastRecentlyUsedGoFirst) {
  const auto cache = open(10'000);
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(cache->put(key(i), code_of(3000, 1)));
  age(1, 3);
  age(2, 2);
  age(3, 1);
  ASSERT_TRUE(cache->find(key(1)));  // now the youngest
  ASSERT_TRUE(cache->put(key(4), code_of(3000, 1)));
  EXPECT_FALSE(cache->find(key(2)));
  EXPECT_TRUE(cache->find(key(1)));
  EXPECT_TRUE(cache->find(key(3)));
  EXPECT_TRUE(cache->find(key(4)));
  EXPECT_LE(code_bytes(), 10'000U);
}

TEST_F(CodeCacheTest, ASmallerLimitIsKeptAtOpen) {
  {
    const auto cache = open();
    for (int i = 1; i <= 3; ++i) ASSERT_TRUE(cache->put(key(i), code_of(3000, 1)));
  }
  age(1, 3);
  age(2, 2);
  const auto cache = open(3000);
  EXPECT_TRUE(cache->find(key(3)));
  EXPECT_EQ(code_bytes(), 3000U);
}

TEST_F(CodeCacheTest, RefusesWhatIsMoreThanItsLimit) {
  const auto cache = open(1000);
  EXPECT_TRUE(cache->put(key(1), code_of(1000, 1)));
  const auto put = cache->put(key(2), code_of(1001, 1));
  ASSERT_FALSE(put);
  EXPECT_THAT(put.error().message, HasSubstr("raise its limit"));
  EXPECT_TRUE(cache->find(key(1)));
}

TEST_F(CodeCacheTest, ProcessesShareOneLimit) {
  constexpr std::uint64_t kLimit = 50'000;
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto cache = CodeCache::open(folder_, kLimit);
      bool is_good = cache.has_value();
      for (int i = 0; is_good && i < 50; ++i) {
        // Half of the keys are everybody's.
        const int number = i % 2 == 0 ? i : 1000 * (c + 1) + i;
        const auto code = code_of(1000 + static_cast<std::size_t>(number % 7), 3);
        is_good = (*cache)->put(key(number), code).has_value();
        const auto path = (*cache)->find(key(number));
        const auto bytes = path ? read_file(*path, kMax) : Result<std::vector<std::uint8_t>>(code);
        // Gone is normal when others are busy; wrong never is.
        if (bytes && *bytes != code) is_good = false;
      }
      ::_exit(is_good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_LE(code_bytes(), kLimit);
  EXPECT_GT(code_bytes(), kLimit / 2);
}

TEST_F(CodeCacheTest, AWriterKilledAtAnyMomentLeavesNoHalfEntry) {
  int found = 0;
  for (int round = 0; round < 20; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto cache = CodeCache::open(folder_, kMax);
      for (int i = 0;; ++i) {
        if (!cache || !(*cache)->put(key(i % 10), code_of(20'000, static_cast<std::uint8_t>(i))))
          ::_exit(1);
      }
    }
    // Until it is at work, then a little: the moment differs from round to round.
    while (!fs::exists(folder_ + "/lock")) ::sched_yield();
    ::usleep(static_cast<useconds_t>(500 * round));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    testing::internal::CaptureStderr();
    const auto cache = open();
    for (int i = 0; i < 10; ++i) {
      const auto path = cache->find(key(i));
      if (!path) continue;
      const auto bytes = read_file(*path, kMax).value();
      EXPECT_EQ(bytes, code_of(20'000, bytes.at(0)));
      ++found;
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  }
  EXPECT_GT(found, 0);
}

TEST_F(CodeCacheTest, AnEntryWhoseCodeIsGoneIsJustNotFound) {
  const auto cache = open();
  fs::remove(cache->put(key(1), code_of(10, 1)).value());
  EXPECT_EQ(cache->find(key(1)), std::nullopt);
  EXPECT_TRUE(cache->put(key(1), code_of(10, 1)));
  EXPECT_TRUE(cache->find(key(1)));
}

TEST_F(CodeCacheTest, OpenRemovesOldTemporariesAndOrphans) {
  { const auto cache = open(); }
  const std::string orphan = code_name(key(1), key(2));
  ASSERT_TRUE(open()->put(key(5), code_of(10, 1)));
  std::ofstream(folder_ + "/" + code_name(key(5), key(6))) << "x";  // of a writer killed in put()
  for (const char* name : {"tmp-1-1", "tmp-2-2", "README"})
    std::ofstream(folder_ + "/" + name) << "x";
  std::ofstream(folder_ + "/" + orphan) << "x";
  std::ofstream(sum_path(3)) << key(4);
  age(folder_ + "/tmp-1-1", 1);
  age(folder_ + "/README", 100);
  open();
  EXPECT_THAT(names(),
              ::testing::UnorderedElementsAre("lock", "tmp-2-2", "README", sum_name(key(5)),
                                              HasSubstr(sha256_hex(code_of(10, 1)))));
}

TEST_F(CodeCacheTest, AFullDiskIsAnErrorAndLeavesNothing) {
  { const auto cache = open(); }
  EXPECT_TRUE(in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const auto cache = open();
    if (!cache->put(key(1), code_of(1000, 1))) return false;
    const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto put = cache->put(key(2), code_of(8192, 1));
    return !put &&
           put.error().message.find("cannot be written: file too large") != std::string::npos &&
           !cache->find(key(2)) && cache->find(key(1)).has_value();
  }));
  EXPECT_EQ(names().size(), 3U);  // the lock and the first entry
}

TEST_F(CodeCacheTest, ALockThatNobodyReleasesIsWaitedForInVain) {
  const auto cache = open();
  const Descriptor holder(::open((folder_ + "/lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(holder.get(), LOCK_EX), 0);
  const TimePoint begin = Clock::now();
  const auto put = cache->put(key(1), code_of(10, 1));
  EXPECT_GE(Clock::now() - begin, kLockWaitMax);
  ASSERT_FALSE(put);
  EXPECT_THAT(put.error().message, HasSubstr("another process has kept it locked"));
  EXPECT_EQ(names(), std::vector<std::string>{"lock"});
}

TEST_F(CodeCacheTest, ALostSumOfBytesIsCountedAnew) {
  const auto cache = open(10'000);
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(cache->put(key(i), code_of(3000, 1)));
  fs::resize_file(folder_ + "/lock", 0);
  ASSERT_TRUE(cache->put(key(4), code_of(3000, 1)));
  EXPECT_LE(code_bytes(), 10'000U);
  EXPECT_GE(code_bytes(), 6000U);
}

TEST_F(CodeCacheTest, TenMegabytesAreFoundFastEnoughToStart) {
  const auto cache = open(64U << 20);
  ASSERT_TRUE(cache->put(key(1), code_of(10U << 20, 1)));
  const TimePoint begin = Clock::now();
  ASSERT_TRUE(cache->find(key(1)));
  // A start with a warm cache has 50 ms in all; an unoptimised build is within it too.
  EXPECT_LT(Clock::now() - begin, std::chrono::milliseconds(50));
  RecordProperty("find_ms", std::to_string((Clock::now() - begin).count() / 1'000'000));
}

}  // namespace
}  // namespace funcd::storage
