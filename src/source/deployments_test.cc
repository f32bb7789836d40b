#include "source/deployments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/file.h"

namespace funcd::source {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Bytes = ObjectStore::Bytes;

Bytes bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

// A source in memory.
class FakeStore final : public ObjectStore {
 public:
  Result<std::optional<Stored>> get(const std::string& path, std::uint64_t /*max*/) override {
    const auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return Stored{.bytes = bytes_of(found->second), .version = sha256_hex(found->second)};
  }
  Result<bool> put_if(const std::string& path, std::span<const std::uint8_t> bytes,
                      const std::string& version) override {
    if (before_put) std::exchange(before_put, nullptr)();
    const auto found = files.find(path);
    if ((found == files.end() ? "" : sha256_hex(found->second)) != version) return false;
    files[path] = std::string(bytes.begin(), bytes.end());
    return true;
  }
  Result<> put_once(const std::string& path, std::span<const std::uint8_t> bytes,
                    const OnProgress& /*on_progress*/) override {
    files[path] = std::string(bytes.begin(), bytes.end());
    return {};
  }
  Result<> publish(std::span<const File> published) override {
    for (const File& file : published) {
      if (dies_before == file.path) return fail("killed");
      files[file.path] = std::string(file.bytes.begin(), file.bytes.end());
      order.push_back(file.path);
    }
    return {};
  }
  Result<std::vector<std::string>> list(const std::string& prefix) override {
    std::vector<std::string> paths;
    for (const auto& [path, text] : files) {
      if (path.starts_with(prefix)) paths.push_back(path);
    }
    return paths;
  }
  Result<> remove(const std::string& path) override {
    if (dies_before == "-" + path) return fail("killed");
    if (files.erase(path) > 0) order.push_back("-" + path);
    return {};
  }

  // What lies there to be served.
  [[nodiscard]] std::vector<std::string> served() const {
    std::vector<std::string> paths;
    for (const auto& [path, text] : files) {
      if (path.front() != '.') paths.push_back(path);
    }
    return paths;
  }

  std::map<std::string, std::string> files;
  std::vector<std::string> order;
  std::function<void()> before_put;  // once
  std::string dies_before;
};

class DeploymentsTest : public ::testing::Test {
 protected:
  static Deployments::Files files(const std::string& module, const std::string& sidecar = "") {
    Deployments::Files made;
    if (!sidecar.empty()) made.push_back({"hello.toml", bytes_of(sidecar)});
    made.push_back({"hello.wasm", bytes_of(module)});
    return made;
  }
  Result<Deployments::Change> deploy(const std::string& module,
                                     const std::optional<CanaryShare>& share = {}) {
    return deployments_.deploy("hello", files(module), share, nullptr);
  }

  const CanaryShare share_{.weight = "5%", .sticky = "cookie"};
  FakeStore store_;
  // As if each sidecar named this one.
  Deployments deployments_{store_, [](const std::string&, const Bytes&) {
                             return std::vector<std::string>{"item.schema.json"};
                           }};
};

TEST_F(DeploymentsTest, ACanaryLiesBesideItsFunction) {
  ASSERT_TRUE(deploy("one"));
  const auto change =
      deployments_.deploy("hello", files("two", "[env]\nA = \"b\""), share_, nullptr);
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_EQ(change->revision.number, 2U);
  EXPECT_THAT(store_.served(), ElementsAre("hello.wasm", "hello@2.toml", "hello@2.wasm"));
  EXPECT_EQ(store_.files["hello.wasm"], "one");
  EXPECT_EQ(store_.files["hello@2.wasm"], "two");
  EXPECT_EQ(store_.files["hello@2.toml"],
            "[env]\nA = \"b\"\n[canary]\nweight = \"5%\"\nsticky = \"cookie\"\n");
  EXPECT_EQ(change->sidecar_digest, sha256_hex(store_.files["hello@2.toml"]));
  const auto record = deployments_.read("hello");
  ASSERT_TRUE(record && *record);
  EXPECT_EQ((*record)->live, 1U);
  EXPECT_EQ((*record)->canary->number, 2U);
}

TEST_F(DeploymentsTest, ANewWeightIsAllThatChanges) {
  ASSERT_TRUE(deploy("one") && deploy("two", share_));
  store_.order.clear();
  const auto change =
      deployments_.set_canary("hello", {.number = {}, .weight = "20%", .sticky = {}});
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_EQ(store_.files["hello@2.toml"], "[canary]\nweight = \"20%\"\nsticky = \"cookie\"\n");
  EXPECT_THAT(store_.order, ElementsAre("hello@2.toml", "hello@2.wasm"))
      << "the function itself is left alone";
}

TEST_F(DeploymentsTest, PromotingReplacesFirstAndRemovesThen) {
  ASSERT_TRUE(deploy("one") && deploy("two", share_));
  store_.order.clear();
  const auto change = deployments_.promote("hello");
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_FALSE(change->dropped);
  EXPECT_THAT(store_.order, ElementsAre("hello.wasm", "-hello@2.wasm", "-hello@2.toml"));
  EXPECT_EQ(store_.files["hello.wasm"], "two");
  EXPECT_THAT(deployments_.promote("hello").error().message, HasSubstr("nothing to promote"));
}

TEST_F(DeploymentsTest, RollingBackDropsTheCanaryFirst) {
  ASSERT_TRUE(deploy("one") && deploy("two") && deploy("three", share_));
  auto change = deployments_.roll_back("hello", {});
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_EQ(change->dropped, 3U);
  EXPECT_EQ(change->revision.number, 2U);
  EXPECT_THAT(store_.served(), ElementsAre("hello.wasm"));
  EXPECT_EQ(store_.files["hello.wasm"], "two");
  change = deployments_.roll_back("hello", {});
  EXPECT_EQ(change->revision.number, 1U);
  EXPECT_EQ(store_.files["hello.wasm"], "one");
}

// What has been live, not what has the next lower number.
TEST_F(DeploymentsTest, RollingBackSkipsWhatWasNeverLive) {
  ASSERT_TRUE(deploy("one") && deploy("bad", share_) && deployments_.roll_back("hello", {}));
  ASSERT_TRUE(deploy("three") && deploy("four", share_) && deploy("five"));
  const auto roll_back = [this] {
    const auto change = deployments_.roll_back("hello", {});
    return change ? store_.files["hello.wasm"] : change.error().message;
  };
  EXPECT_EQ(roll_back(), "three");
  EXPECT_EQ(roll_back(), "one");
  EXPECT_THAT(roll_back(), HasSubstr("there is no revision before 1"));
}

TEST_F(DeploymentsTest, RollingBackGoesBackFromWhereAJumpHasLed) {
  ASSERT_TRUE(deploy("one") && deploy("two") && deploy("three") && deploy("four"));
  ASSERT_TRUE(deployments_.roll_back("hello", 2));
  ASSERT_TRUE(deploy("five"));
  ASSERT_TRUE(deployments_.roll_back("hello", {}));
  EXPECT_EQ(store_.files["hello.wasm"], "two");
  // One that was left is promoted: the way back leads to what it replaced.
  ASSERT_TRUE(deployments_.set_canary("hello", {.number = 4, .weight = "1%", .sticky = {}}));
  ASSERT_TRUE(deployments_.promote("hello"));
  ASSERT_TRUE(deployments_.roll_back("hello", {}));
  EXPECT_EQ(store_.files["hello.wasm"], "two");
  ASSERT_TRUE(deployments_.roll_back("hello", {}));
  EXPECT_EQ(store_.files["hello.wasm"], "one");
}

TEST_F(DeploymentsTest, WhatWasChangedByHandIsKeptAndLeft) {
  ASSERT_TRUE(deploy("one") && deploy("two"));
  store_.files["hello.wasm"] = "by hand";
  const auto change = deployments_.roll_back("hello", {});
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_EQ(change->revision.number, 2U);
  EXPECT_EQ(store_.files["hello.wasm"], "two");
  ASSERT_TRUE(deployments_.roll_back("hello", 3));
  EXPECT_EQ(store_.files["hello.wasm"], "by hand");
}

TEST_F(DeploymentsTest, WhatIsGoneIsPutThereAgain) {
  ASSERT_TRUE(deploy("one") && deploy("two", share_));
  store_.files.erase("hello.wasm");
  ASSERT_TRUE(deployments_.roll_back("hello", {}));
  EXPECT_THAT(store_.served(), ElementsAre("hello.wasm"));
}

TEST_F(DeploymentsTest, ARollbackThatWasCutShortDoesNotGoFartherWhenRepeated) {
  for (const std::string at : {"hello.wasm", "-hello@3.wasm", "-hello@3.toml"}) {
    store_.files.clear();
    ASSERT_TRUE(deploy("one") && deploy("two"));
    const bool has_canary = at.front() == '-';
    if (has_canary) ASSERT_TRUE(deploy("three", share_));
    store_.dies_before = at;
    EXPECT_FALSE(deployments_.roll_back("hello", {}));
    store_.dies_before.clear();
    if (at != "-hello@3.toml") ASSERT_TRUE(deployments_.roll_back("hello", {})) << at;
    EXPECT_EQ(store_.files["hello.wasm"], has_canary ? "two" : "one") << at;
    EXPECT_FALSE(store_.files.contains("hello@3.wasm"));
  }
}

// Its sidecar is there already.
TEST_F(DeploymentsTest, HalfADeploymentIsNoVersion) {
  ASSERT_TRUE(deployments_.deploy("hello", files("one", "x = 1\n"), {}, nullptr));
  store_.dies_before = "hello.wasm";
  EXPECT_FALSE(deployments_.deploy("hello", files("two", "x = 2\n"), {}, nullptr));
  store_.dies_before.clear();
  ASSERT_TRUE(deployments_.roll_back("hello", {}));
  EXPECT_EQ(store_.files["hello.wasm"] + store_.files["hello.toml"], "onex = 1\n");
  EXPECT_EQ((*deployments_.read("hello"))->revisions.size(), 2U);
}

// Nor half a way back to one without a sidecar, whose place an empty one takes.
TEST_F(DeploymentsTest, HalfARollbackIsNoVersionEither) {
  ASSERT_TRUE(deploy("one"));
  ASSERT_TRUE(deployments_.deploy("hello", files("two", "x = 2\n"), {}, nullptr));
  store_.dies_before = "hello.wasm";
  EXPECT_FALSE(deployments_.roll_back("hello", {}));
  store_.dies_before.clear();
  EXPECT_EQ(store_.files["hello.wasm"] + store_.files["hello.toml"], "two");
  ASSERT_TRUE(deployments_.roll_back("hello", 1));
  EXPECT_EQ(store_.files["hello.wasm"], "one");
  EXPECT_EQ((*deployments_.read("hello"))->revisions.size(), 2U);
}

TEST_F(DeploymentsTest, AnotherFunctionsSchemaIsNotReplaced) {
  store_.files["item.schema.json"] = "{}";
  Deployments::Files both = files("one", "x = 1\n");
  both.insert(both.begin(), {"item.schema.json", bytes_of("{\"a\":1}")});
  const auto refused = deployments_.deploy("hello", both, {}, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              HasSubstr("item.schema.json: another one lies in the source"));
  EXPECT_EQ(store_.files.size(), 1U) << "nothing is left of it";
  both[0].bytes = bytes_of("{}");
  ASSERT_TRUE(deployments_.deploy("hello", both, {}, nullptr)) << "the same may be shared";
  both[0].bytes = bytes_of("{\"a\":1}");
  ASSERT_TRUE(deployments_.deploy("hello", both, {}, nullptr)) << "it is its own by now";
  ASSERT_TRUE(deployments_.roll_back("hello", {}));
  EXPECT_EQ(store_.files["item.schema.json"], "{}");
}

TEST_F(DeploymentsTest, AChangedSchemaIsAChange) {
  Deployments::Files both = files("one", "x = 1\n");
  both.insert(both.begin(), {"item.schema.json", bytes_of("{}")});
  ASSERT_TRUE(deployments_.deploy("hello", both, {}, nullptr));
  store_.files["item.schema.json"] = "{\"by\":\"hand\"}";
  EXPECT_EQ(*deployments_.find_live(**deployments_.read("hello")), std::nullopt);
  ASSERT_TRUE(deployments_.roll_back("hello", {}));
  EXPECT_EQ(store_.files["item.schema.json"], "{}");
}

TEST_F(DeploymentsTest, ADeploymentForAllDropsTheCanary) {
  ASSERT_TRUE(deploy("one") && deploy("two", share_));
  const auto change = deploy("three");
  ASSERT_TRUE(change);
  EXPECT_EQ(change->dropped, 2U);
  EXPECT_THAT(store_.served(), ElementsAre("hello.wasm"));
  EXPECT_EQ(store_.files["hello.wasm"], "three");
}

TEST_F(DeploymentsTest, AnotherCanaryTakesThePlaceOfTheFirst) {
  ASSERT_TRUE(deploy("one") && deploy("two", share_));
  const auto change = deploy("three", share_);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->dropped, 2U);
  EXPECT_THAT(store_.served(), ElementsAre("hello.wasm", "hello@3.toml", "hello@3.wasm"));
  // One that is kept can be it again.
  ASSERT_TRUE(deployments_.set_canary("hello", {.number = 2, .weight = "1%", .sticky = "none"}));
  EXPECT_THAT(store_.served(), ElementsAre("hello.wasm", "hello@2.toml", "hello@2.wasm"));
  EXPECT_EQ(store_.files["hello@2.wasm"], "two");
}

TEST_F(DeploymentsTest, WhatCannotBeACanaryIsRefused) {
  EXPECT_THAT(deploy("one", share_).error().message, HasSubstr("nothing to be a canary of"));
  ASSERT_TRUE(deploy("one"));
  const auto error_of = [this](std::optional<std::uint64_t> number) {
    return deployments_.set_canary("hello", {.number = number, .weight = "1%", .sticky = {}})
        .error()
        .message;
  };
  EXPECT_THAT(error_of({}), HasSubstr("hello: has no canary"));
  EXPECT_THAT(error_of(1), HasSubstr("revision 1 is live, and cannot be its own canary"));
  EXPECT_THAT(error_of(9), HasSubstr("there is no revision 9"));
}

TEST_F(DeploymentsTest, WhoComesLastBringsTheFilesToTheRecord) {
  ASSERT_TRUE(deploy("one") && deploy("two", share_));
  // While the weight is changed, somebody promotes.
  store_.before_put = [this] { ASSERT_TRUE(deployments_.promote("hello")); };
  const auto change =
      deployments_.set_canary("hello", {.number = {}, .weight = "20%", .sticky = {}});
  EXPECT_THAT(change.error().message, HasSubstr("hello: has no canary"));
  EXPECT_THAT(store_.served(), ElementsAre("hello.wasm"));
  EXPECT_EQ(store_.files["hello.wasm"], "two");
}

TEST_F(DeploymentsTest, WhatWasCutShortIsMadeGoodByTheNext) {
  for (const std::string at : {"hello.wasm", "-hello@2.wasm", "-hello@2.toml"}) {
    store_.files.clear();
    ASSERT_TRUE(deploy("one") && deploy("two", share_));
    store_.dies_before = at;
    EXPECT_FALSE(deployments_.promote("hello"));
    store_.dies_before.clear();
    ASSERT_TRUE(deployments_.roll_back("hello", 2));
    EXPECT_THAT(store_.served(), ElementsAre("hello.wasm")) << at;
  }
}

TEST_F(DeploymentsTest, WhatSomebodyPutThereByHandStays) {
  ASSERT_TRUE(deploy("one") && deploy("two"));
  store_.files["hello@7.wasm"] = "seven";
  store_.files["hello@1.wasm"] = "another one";
  store_.files["hello@x.wasm"] = "no number";
  ASSERT_TRUE(deploy("three", share_) && deployments_.promote("hello"));
  EXPECT_THAT(store_.served(),
              ElementsAre("hello.wasm", "hello@1.wasm", "hello@7.wasm", "hello@x.wasm"));
}

TEST_F(DeploymentsTest, WhatIsLiveIsWhatLiesThere) {
  ASSERT_TRUE(deploy("one"));
  ASSERT_TRUE(deployments_.deploy("hello", files("two", "x = 1\n"), {}, nullptr));
  ASSERT_TRUE(deployments_.deploy("hello", files("two", "x = 1\n"), {}, nullptr));
  const auto live = [this] {
    const auto record = deployments_.read("hello");
    EXPECT_TRUE(record && *record);
    const auto found = deployments_.find_live(**record);
    EXPECT_TRUE(found);
    return *found;
  };
  EXPECT_EQ(live(), 3U);
  ASSERT_TRUE(deployments_.roll_back("hello", 2));
  EXPECT_EQ(live(), 2U) << "of two that are the same it is the one that is recorded";
  store_.files["hello.wasm"] = "one";
  EXPECT_EQ(live(), std::nullopt) << "that one had no sidecar";
  store_.files["hello.toml"] = "";
  EXPECT_EQ(live(), 1U);
  store_.files["hello.wasm"] = "another one";
  EXPECT_EQ(live(), std::nullopt);
  store_.files.erase("hello.wasm");
  EXPECT_EQ(live(), std::nullopt);
}

TEST_F(DeploymentsTest, AnEmptySidecarIsNone) {
  Deployments::Files both = files("one");
  both.insert(both.begin(), {"hello.toml", {}});
  const auto change = deployments_.deploy("hello", both, {}, nullptr);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->sidecar_digest, "");
}

TEST_F(DeploymentsTest, SchemasOfACanaryAreItsOwn) {
  Deployments::Files both = files("one", "x = 1\n");
  both.insert(both.begin(), {"item.schema.json", bytes_of("{}")});
  ASSERT_TRUE(deployments_.deploy("hello", both, {}, nullptr));
  both[0].bytes = bytes_of("{\"a\":1}");
  ASSERT_TRUE(deployments_.deploy("hello", both, share_, nullptr));
  EXPECT_EQ(store_.files["item.schema.json"], "{}");
  EXPECT_EQ(store_.files["item@2.schema.json"], "{\"a\":1}");
  ASSERT_TRUE(deployments_.promote("hello"));
  EXPECT_EQ(store_.files["item.schema.json"], "{\"a\":1}");
  EXPECT_THAT(store_.served(), ElementsAre("hello.toml", "hello.wasm", "item.schema.json"));
}

TEST_F(DeploymentsTest, ARecordThatIsNoneIsTold) {
  ASSERT_TRUE(deploy("one") && deploy("two", share_));
  std::string& text = store_.files[".funcd/hello/revisions.json"];
  const std::string good = text;
  for (const auto& [from, to] :
       {std::pair("\"5%\"", "\"5%\\\"\\n[env]\""), std::pair("\"live\": 1", "\"live\": 2"),
        std::pair("\"live\": 1", "\"live\": 9"), std::pair("{", "")}) {
    text = good;
    text.replace(text.find(from), std::string_view(from).size(), to);
    EXPECT_THAT(deployments_.read("hello").error().message,
                HasSubstr(".funcd/hello/revisions.json: is no record of revisions"))
        << from;
  }
}

}  // namespace
}  // namespace funcd::source
