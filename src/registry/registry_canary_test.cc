#include "testing/registry_fixture.h"

namespace funcd::registry {
namespace {

using ::testing::HasSubstr;

class RegistryCanaryTest : public RegistryTest {
 protected:
  // The digest of what is beside the function of a path; "" without.
  std::string canary_at(std::string_view path) {
    const auto catalog = registry_->catalog();
    const Match match = catalog->match("GET", path);
    return match.canary == nullptr ? "" : (*match.canary)->digest;
  }
  bool has_canary(std::string_view path, const std::string& artifact) {
    return canary_at(path) == sha256_hex(artifact);
  }
};

TEST_F(RegistryCanaryTest, StandsBesideItsFunction) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello@2.wasm", command(2));
  folder_.write("hello@2.toml", "[canary]\nweight = \"5%\"\n");
  build();
  EXPECT_TRUE(serves("/hello", command(1)));
  EXPECT_TRUE(has_canary("/hello", command(2)));
  EXPECT_TRUE(eventually([&] { return state_of("hello@2") == "live"; }));
  const auto catalog = registry_->catalog();
  const Revision& canary = **catalog->match("GET", "/hello").canary;
  EXPECT_EQ(canary.manifest.canary->weight, 500U);
  EXPECT_EQ(canary.function->name, "hello");
  EXPECT_EQ(canary.function->title, "hello@2");
  EXPECT_EQ(canary.kv_namespace(), "hello") << "it has its function's store";
  EXPECT_EQ(catalog->find_title("hello@2")->digest, canary.digest);
  EXPECT_EQ(digest_at("/hello@2"), "");
}

TEST_F(RegistryCanaryTest, ASilentOneGetsNothing) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello@2.wasm", command(2));
  build();
  const auto catalog = registry_->catalog();
  EXPECT_EQ((*catalog->match("GET", "/hello").canary)->manifest.canary->weight, 0U);
}

TEST_F(RegistryCanaryTest, OnlyACanaryHasTheSection) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello.toml", "[canary]\nweight = \"5%\"\n");
  build();
  EXPECT_EQ(state_of("hello"),
            "failed: hello.toml:1: [canary] belongs into the sidecar of a canary: hello@2.toml");
}

TEST_F(RegistryCanaryTest, AnswersWhereItsFunctionDoes) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello.toml", "route = \"/x/{id}\"\n");
  folder_.write("hello@2.wasm", command(2));
  folder_.write("hello@2.toml", "route = \"/x/{name}\"\n[canary]\nweight = \"5%\"\n");
  start_and_wait();
  EXPECT_EQ(canary_at("/x/1"), "");
  EXPECT_EQ(state_of("hello@2"),
            "failed: hello@2.wasm: its route is /x/{name}, and that of hello.wasm is /x/{id}; a "
            "canary answers where its function does: give hello@2.toml and hello.toml one route");
  folder_.write("hello@2.toml", "route = \"/x/{id}\"\n[canary]\nweight = \"5%\"\n");
  ASSERT_TRUE(eventually([&] { return has_canary("/x/1", command(2)); }));
  EXPECT_TRUE(eventually([&] { return state_of("hello@2") == "live"; }));
  // What its function does later counts as well.
  folder_.write("hello.toml", "route = \"/y\"\n");
  ASSERT_TRUE(eventually([&] { return serves("/y", command(1)); }));
  EXPECT_EQ(canary_at("/y"), "");
  EXPECT_THAT(state_of("hello@2"), HasSubstr("that of hello.wasm is /y"));
  folder_.write("hello.toml", "route = \"/x/{id}\"\n");
  EXPECT_TRUE(eventually([&] { return has_canary("/x/1", command(2)); }));
  EXPECT_TRUE(eventually([&] { return state_of("hello@2") == "live"; }));
}

TEST_F(RegistryCanaryTest, ABrokenOneChangesNothing) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello@2.wasm", command(2).substr(0, 30));
  folder_.write("hello@2.toml", "[canary]\nweight = \"100%\"\n");
  start_and_wait();
  EXPECT_TRUE(serves("/hello", command(1)));
  EXPECT_EQ(canary_at("/hello"), "");
  EXPECT_THAT(state_of("hello@2"), HasSubstr("failed: hello@2.wasm: "));
  folder_.write("hello@2.wasm", command(2));
  EXPECT_TRUE(eventually([&] { return has_canary("/hello", command(2)); }));
}

TEST_F(RegistryCanaryTest, OneThatFailsItsSmokeRequestGetsNothing) {
  options_.smoke = [](const Revision& revision, const std::stop_token& /*stop*/) -> Result<> {
    if (revision.function->canary == 0) return {};
    return fail("its smoke request is not answered");
  };
  folder_.write("hello.wasm", command(1));
  folder_.write("hello@2.wasm", command(2));
  folder_.write("hello@2.toml", "[canary]\nweight = \"5%\"\n[smoke]\npath = \"/hello\"\n");
  build();
  EXPECT_EQ(canary_at("/hello"), "");
  EXPECT_EQ(state_of("hello@2"), "failed: hello@2.wasm: its smoke request is not answered");
  EXPECT_EQ(state_of("hello"), "live");
}

TEST_F(RegistryCanaryTest, NeedsAFunction) {
  folder_.write("hello@2.wasm", command(2));
  start_and_wait();
  EXPECT_EQ(state_of("hello@2"),
            "failed: hello@2.wasm: there is no hello.wasm whose canary it could be");
  EXPECT_EQ(digest_at("/hello"), "");
  folder_.write("hello.wasm", command(1));
  ASSERT_TRUE(eventually([&] { return has_canary("/hello", command(2)); }));
  folder_.remove("hello.wasm");
  ASSERT_TRUE(eventually([&] { return digest_at("/hello").empty(); }));
  EXPECT_THAT(state_of("hello@2"), HasSubstr("failed"));
}

TEST_F(RegistryCanaryTest, TheNewestOfTwoIsIt) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello@9.wasm", command(9));
  folder_.write("hello@10.wasm", command(10));
  start_and_wait();
  EXPECT_TRUE(has_canary("/hello", command(10)));
  EXPECT_EQ(state_of("hello@9"),
            "failed: hello@9.wasm: hello@10.wasm is a newer canary of hello; remove one of the "
            "two");
  folder_.remove("hello@10.wasm");
  EXPECT_TRUE(eventually([&] { return has_canary("/hello", command(9)); }));
  EXPECT_EQ(state_of("hello@9"), "live");
  folder_.remove("hello@9.wasm");
  EXPECT_TRUE(eventually([&] { return canary_at("/hello").empty(); }));
  EXPECT_TRUE(eventually([&] { return state_of("hello@9").empty(); }));
}

// Whoever met the canary meets its artifact all the way, and nothing is compiled again.
TEST_F(RegistryCanaryTest, APromotionLeavesNoGap) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello@2.wasm", command(2));
  folder_.write("hello@2.toml", "[canary]\nweight = \"5%\"\n");
  start_and_wait();
  const auto before = registry_->catalog();
  const auto program = (*before->match("GET", "/hello").canary)->program->share();
  ASSERT_TRUE(program);
  folder_.write("hello.wasm", command(2));
  folder_.remove("hello@2.wasm");
  folder_.remove("hello@2.toml");
  ASSERT_TRUE(
      eventually([&] { return serves("/hello", command(2)) && canary_at("/hello").empty(); }));
  EXPECT_EQ((*registry_->catalog()->match("GET", "/hello").revision)->program->share(), program);
  const std::lock_guard lock(mutex_);
  bool has_come = false;
  for (const auto& catalog : catalogs_) {
    const Match match = catalog->match("GET", "/hello");
    has_come |= match.canary != nullptr;
    if (!has_come) continue;  // at the start
    EXPECT_TRUE(match.canary != nullptr || (*match.revision)->program->share() == program);
  }
  EXPECT_TRUE(has_come);
}

TEST_F(RegistryCanaryTest, ItsOwnSchemaComesFirst) {
  const std::string sidecar = "[response]\nschema = \"item.schema.json\"\n";
  folder_.write("item.schema.json", R"({"title": "of both"})");
  folder_.write("hello.wasm", command(1));
  folder_.write("hello.toml", sidecar);
  folder_.write("hello@2.wasm", command(2));
  folder_.write("hello@2.toml", sidecar);
  start_and_wait();
  EXPECT_TRUE(has_canary("/hello", command(2)));
  folder_.write("item@2.schema.json", "no JSON");
  ASSERT_TRUE(eventually([&] { return state_of("hello@2").starts_with("stale: "); }));
  EXPECT_EQ(state_of("hello"), "live");
  folder_.remove("item@2.schema.json");
  EXPECT_TRUE(eventually([&] { return state_of("hello@2") == "live"; }));
}

}  // namespace
}  // namespace funcd::registry
