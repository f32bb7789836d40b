#include "source/staging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "source/object_store.h"
#include "testing/temp_folder.h"

namespace funcd::source {
namespace {

namespace fs = std::filesystem;
using ::testing::UnorderedElementsAre;

class StagingTest : public ::testing::Test {
 protected:
  void put(const std::string& path) { folder_.write(path, ""); }
  // A deployment, to its end.
  void deploy() {
    const auto store = open_folder_store(folder_.path());
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->put_once(".funcd/api/h/content", {}, nullptr));
    const std::vector<ObjectStore::File> files{{"api/h.wasm", {'x'}}};
    const auto done = (*store)->publish(files);
    ASSERT_TRUE(done) << done.error().message;
  }
  [[nodiscard]] std::vector<std::string> names_in(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / folder)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  TempFolder folder_;
};

TEST_F(StagingTest, WhatTheDeadHaveLeftGoesWithTheNextDeployment) {
  put("api/.h.wasm.4194300.deploy");
  put("api/.h.toml.1.deploy");  // its number is that of a process that lives
  put("api/..h.wasm.4194300.deploy.4194300-2.tmp");
  put(".funcd/api/h/.revisions.json.4194300-12.tmp");
  deploy();
  EXPECT_THAT(names_in("api"), UnorderedElementsAre("h.wasm"));
  EXPECT_THAT(names_in(".funcd/api/h"), UnorderedElementsAre("content"));
}

TEST_F(StagingTest, WhatTheLivingWriteStays) {
  {
    const auto other = Staging::begin(folder_.path());
    ASSERT_TRUE(other);
    put("api/.h.wasm.4194300.deploy");
    deploy();
    EXPECT_THAT(names_in("api"), UnorderedElementsAre("h.wasm", ".h.wasm.4194300.deploy"));
  }
  deploy();
  EXPECT_THAT(names_in("api"), UnorderedElementsAre("h.wasm"));
}

TEST_F(StagingTest, WhatIsCalledOtherwiseIsNotItsOwn) {
  const std::vector<std::string> others{
      "h.wasm.12.deploy", ".h.wasm.deploy",   ".h.wasm.1x.deploy",
      ".h.wasm..deploy",  ".h.wasm.12-3.tmp", ".12.deploy.12-3.tmp",
      ".12.deploy",       ".h.12.deploy.tmp", ".deploy"};
  for (const auto& name : others) put("api/" + name);
  deploy();
  EXPECT_EQ(names_in("api").size(), others.size() + 1);
}

TEST_F(StagingTest, TheNameLiesBesideTheFile) {
  EXPECT_EQ(Staging::path_for("f/api/h.wasm"), fmt::format("f/api/.h.wasm.{}.deploy", ::getpid()));
}

}  // namespace
}  // namespace funcd::source
