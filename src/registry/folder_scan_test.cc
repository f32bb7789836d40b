#include "registry/folder_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testing/temp_folder.h"

namespace funcd::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names_in(const FolderScan& scan) {
  std::vector<std::string> names;
  for (const Candidate& candidate : scan.candidates) names.push_back(candidate.name);
  return names;
}

std::vector<std::string> problems_in(const FolderScan& scan) {
  std::vector<std::string> lines;
  for (const Problem& problem : scan.problems)
    lines.push_back(problem.path + ": " + problem.message);
  return lines;
}

class FolderScanTest : public ::testing::Test {
 protected:
  FolderScan scan(ScanOptions options = {}) const {
    auto found = scan_folder(folder_.path(), options);
    EXPECT_TRUE(found) << found.error().message;
    return found ? std::move(*found) : FolderScan{};
  }
  TempFolder folder_;
};

TEST_F(FolderScanTest, FindsModulesAndTheirSidecars) {
  folder_.write("b.wasm", "1234");
  folder_.write("api/users.wasm", "");
  folder_.write("api/users.toml", "");
  folder_.write("item.schema.json", "");
  folder_.write("README.md", "");
  const FolderScan found = scan();
  EXPECT_THAT(names_in(found), ElementsAre("api/users", "b"));
  EXPECT_THAT(found.problems, IsEmpty());
  ASSERT_TRUE(found.candidates[0].sidecar);
  EXPECT_EQ(found.candidates[0].sidecar->path, folder_ / "api/users.toml");
  EXPECT_FALSE(found.candidates[1].sidecar);
  EXPECT_EQ(found.candidates[1].wasm.path, folder_ / "b.wasm");
  EXPECT_EQ(found.candidates[1].wasm.stamp.bytes, 4U);
  EXPECT_EQ(found.candidates[1].wasm.stamp, stamp_of(folder_ / "b.wasm"));
}

TEST_F(FolderScanTest, WhatEditorsLeaveIsIgnored) {
  for (const char* name : {"a.wasm~", ".a.wasm.swp", "a.wasm.tmp", "a.wasm.part", ".a.wasm.x7Yz2Q",
                           "#a.wasm#", ".a.toml", "a.toml~"}) {
    folder_.write(name, "");
  }
  const FolderScan found = scan();
  EXPECT_THAT(names_in(found), IsEmpty());
  EXPECT_THAT(problems_in(found), IsEmpty());
}

TEST_F(FolderScanTest, NamesThatCannotBeServedAreProblems) {
  folder_.write("Bad Name.wasm", "");
  folder_.write("Bad Name.toml", "");
  folder_.write(".hidden.wasm", "");
  folder_.write(".secret/x.wasm", "");
  folder_.write(".secret/note.txt", "");
  folder_.write("my dir/x.wasm", "");
  folder_.write("lonely.toml", "");
  folder_.write("funcd.toml", "");
  const FolderScan found = scan();
  EXPECT_THAT(names_in(found), IsEmpty());
  EXPECT_THAT(
      problems_in(found),
      ElementsAre(".hidden.wasm: '.hidden' is hidden: it begins with '.'; not served",
                  ".secret/x.wasm: '.secret' is hidden: it begins with '.'; not served",
                  "Bad Name.wasm: 'Bad Name' is no name for a function; use letters, digits, '-', "
                  "'_', or [name]; not served",
                  "lonely.toml: is a sidecar without its module lonely.wasm",
                  "my dir/x.wasm: 'my dir' is no name for a function; use letters, digits, '-', "
                  "'_', or [name]; not served"));
}

TEST_F(FolderScanTest, LinksInsideOfTheFolderAreFollowed) {
  folder_.write("real.wasm", "");
  folder_.write("api/users.wasm", "");
  folder_.link("alias.wasm", "real.wasm");
  folder_.link("v1", "api");
  const FolderScan found = scan();
  EXPECT_THAT(names_in(found), ElementsAre("alias", "api/users", "real", "v1/users"));
  EXPECT_THAT(found.problems, IsEmpty());
  EXPECT_EQ(found.candidates[0].wasm.real_path, folder_ / "real.wasm");
  EXPECT_EQ(found.candidates[3].wasm.real_path, folder_ / "api/users.wasm");
}

TEST_F(FolderScanTest, VersionsAsKubernetesKeepsThemAreFollowed) {
  folder_.write("..2026_01/hello.wasm", "");
  folder_.link("..data", "..2026_01");
  folder_.link("hello.wasm", "..data/hello.wasm");
  const FolderScan found = scan();
  EXPECT_THAT(names_in(found), ElementsAre("hello"));
  EXPECT_THAT(problems_in(found), IsEmpty());
}

TEST_F(FolderScanTest, LinksThatLeadOutOrNowhereAreProblems) {
  const TempFolder elsewhere;
  elsewhere.write("x.wasm", "");
  folder_.link("out.wasm", elsewhere / "x.wasm");
  folder_.link("outdir", elsewhere.path());
  folder_.link("gone.wasm", "nothing");
  folder_.link("self.wasm", "self.wasm");
  folder_.make_folder("sub");
  folder_.link("sub/up", "..");
  folder_.link("dir.wasm", "/dev/null");
  const FolderScan found = scan();
  EXPECT_THAT(names_in(found), IsEmpty());
  EXPECT_THAT(
      problems_in(found),
      ElementsAre(
          "dir.wasm: leads out of the functions folder, to /dev/null; not served",
          "gone.wasm: is a link to what cannot be reached: no such file or directory; not served",
          "out.wasm: leads out of the functions folder, to " + (elsewhere / "x.wasm") +
              "; not served",
          "outdir: leads out of the functions folder, to " + elsewhere.path(),
          "self.wasm: is a loop of links; not served",
          "sub/up: is a link to a folder that it lies in: a loop"));
}

TEST_F(FolderScanTest, CrossingLinksEnd) {
  folder_.write("a/f.wasm", "");
  folder_.write("b/g.wasm", "");
  folder_.link("a/b", "../b");
  folder_.link("b/a", "../a");
  const FolderScan found = scan();
  EXPECT_THAT(names_in(found), ElementsAre("a/b/g", "a/f", "b/a/f", "b/g"));
  EXPECT_THAT(problems_in(found), ElementsAre(HasSubstr("a/b/a: is a link to a folder"),
                                              HasSubstr("b/a/b: is a link to a folder")));
}

// Else its function would be served with the defaults: other limits, another route.
TEST_F(FolderScanTest, ASidecarThatCannotBeUsedIsNotOverlooked) {
  folder_.write("hello.wasm", "");
  folder_.link("hello.toml", "/etc/passwd");
  FolderScan found = scan();
  ASSERT_THAT(names_in(found), ElementsAre("hello"));
  EXPECT_FALSE(found.candidates[0].sidecar);
  EXPECT_EQ(found.candidates[0].sidecar_error,
            "hello.toml: leads out of the functions folder, to /etc/passwd");
  folder_.remove("hello.toml");
  folder_.link("hello.toml", "nothing");
  EXPECT_THAT(scan().candidates[0].sidecar_error,
              HasSubstr("hello.toml: is a link to what cannot"));
}

TEST_F(FolderScanTest, WhatIsNoFileIsNotServed) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe.wasm").c_str(), 0600), 0);
  folder_.make_folder("folder.wasm");
  EXPECT_THAT(problems_in(scan()), ElementsAre("pipe.wasm: is not a file; not served"));
}

TEST_F(FolderScanTest, ExcludedFoldersHoldData) {
  folder_.write("a.wasm", "");
  folder_.write("data/evil.wasm", "");
  folder_.write("data/evil.toml", "");
  folder_.write("database/fine.wasm", "");
  folder_.link("alias", "data");
  folder_.link("one.wasm", "data/evil.wasm");
  std::vector<std::string> seen;
  const FolderScan found =
      scan({.excluded = {folder_ / "data"},
            .on_folder = [&](const std::string& path) { seen.push_back(path); }});
  EXPECT_THAT(names_in(found), ElementsAre("a", "database/fine"));
  EXPECT_THAT(problems_in(found),
              ElementsAre("one.wasm: is a link into a folder that is mounted; not served"));
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(folder_.path(), folder_ / "database"));
}

TEST_F(FolderScanTest, DeepFoldersEnd) {
  std::string deep = "d";
  for (int i = 0; i < kFolderDepthMax; ++i) deep += "/d";
  folder_.write(deep + "/x.wasm", "");
  folder_.write(deep.substr(2) + "/y.wasm", "");
  const FolderScan found = scan();
  EXPECT_EQ(found.candidates.size(), 1U);
  EXPECT_THAT(problems_in(found), ElementsAre(HasSubstr("lies deeper than 16 folders")));
}

TEST_F(FolderScanTest, AFolderThatCannotBeReadIsAnError) {
  EXPECT_THAT(scan_folder(folder_ / "none", {}).error().message,
              HasSubstr("none: no such file or directory"));
  folder_.write("file", "");
  EXPECT_THAT(scan_folder(folder_ / "file", {}).error().message,
              HasSubstr("file: is not a folder"));
}

TEST_F(FolderScanTest, ASubfolderThatCannotBeReadIsNotEmpty) {
  folder_.write("api/x.wasm", "");
  folder_.write("b.wasm", "");
  ASSERT_EQ(::chmod((folder_ / "api").c_str(), 0), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  const bool is_root = ::geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const FolderScan found = scan();
  if (is_root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  ::chmod((folder_ / "api").c_str(), 0700);
  EXPECT_THAT(names_in(found), ElementsAre("b"));
  EXPECT_THAT(found.unreadable, ElementsAre("api/"));
  EXPECT_THAT(problems_in(found), ElementsAre("api: cannot be read: permission denied"));
}

}  // namespace
}  // namespace funcd::registry
