#include "testing/registry_fixture.h"

namespace funcd::registry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST_F(RegistryTest, OfTwoWithOneRouteTheFirstByNameWins) {
  folder_.write("b.wasm", command(1));
  folder_.write("b.toml", "route = \"/x/{id}\"");
  folder_.write("a.wasm", command(2) + wasm_of("(module)").substr(8));
  folder_.write("a.toml", "route = \"/x/{name}\"");
  build();
  EXPECT_EQ(state_of("a"), "live");
  EXPECT_EQ(state_of("b"),
            "failed: b.wasm: route /x/{id} is that of a.wasm; name another route in "
            "b.toml or a.toml");
}

TEST_F(RegistryTest, OfTwoWithOneRouteTheSecondWinsIfTheFirstIsNoGood) {
  folder_.write("a.wasm", "not wasm");
  folder_.write("a.toml", "route = \"/x\"");
  folder_.write("b.wasm", command(1));
  folder_.write("b.toml", "route = \"/x\"");
  build();
  EXPECT_EQ(state_of("b"), "live");
  EXPECT_THAT(state_of("a"), HasSubstr("failed: "));
}

TEST_F(RegistryTest, TheLiveOneKeepsItsRouteUntilItGoes) {
  folder_.write("b.wasm", command(1));
  folder_.write("b.toml", "route = \"/x\"");
  start_and_wait();
  folder_.write("a.toml", "route = \"/x\"");
  folder_.write("a.wasm", command(2));
  ASSERT_TRUE(eventually(
      [&] { return state_of("a").starts_with("failed: a.wasm: route /x is that of b.wasm"); }));
  EXPECT_TRUE(serves("/x", command(1)));
  folder_.write("b.toml", "route = \"/y\"");
  ASSERT_TRUE(eventually([&] { return state_of("a") == "live"; }));
  EXPECT_TRUE(serves("/x", command(2)));
  EXPECT_TRUE(serves("/y", command(1)));
  folder_.write("b.toml", "route = \"/x\"");
  ASSERT_TRUE(eventually([&] { return state_of("b").starts_with("stale: b.wasm: route /x"); }));
  EXPECT_TRUE(serves("/y", command(1)));
  folder_.remove("a.wasm");
  ASSERT_TRUE(eventually([&] { return serves("/x", command(1)); }));
  EXPECT_EQ(digest_at("/y"), "");
}

TEST_F(RegistryTest, TwoThatSwapTheirRoutesMayDoSoInSteps) {
  folder_.write("a.wasm", command(1));
  folder_.write("b.wasm", command(2));
  start_and_wait();
  folder_.write("a.toml", "route = \"/b\"");
  ASSERT_TRUE(eventually([&] { return state_of("a").starts_with("stale: "); }));
  folder_.write("b.toml", "route = \"/c\"");
  ASSERT_TRUE(eventually([&] { return serves("/b", command(1)) && serves("/c", command(2)); }));
  folder_.write("b.toml", "route = \"/a\"");
  ASSERT_TRUE(eventually([&] { return serves("/b", command(1)) && serves("/a", command(2)); }));
}

TEST_F(RegistryTest, MountedFoldersHoldDataOnly) {
  folder_.write("hello.wasm", command(1));
  folder_.write("data/evil.wasm", command(2));
  folder_.write("data/evil.toml", "[[mounts]]\nhost = \"api\"\nguest = \"/x\"\n");
  folder_.write("api/fine.wasm", command(3));
  folder_.write("hello.toml", "[[mounts]]\nhost = \"data\"\nguest = \"/data\"\n");
  start_and_wait();
  EXPECT_EQ(state_of("data/evil"), "");
  EXPECT_EQ(state_of("api/fine"), "live");
  const auto revision = *registry_->catalog()->match("GET", "/hello").revision;
  ASSERT_EQ(revision->mounts.size(), 1U);
  EXPECT_EQ(revision->mounts[0].host, folder_ / "data");
  EXPECT_EQ(revision->mounts[0].guest, "/data");

  // A sidecar that is broken later does not open the folder; the live revision still mounts it.
  folder_.write("hello.toml", "oops");
  ASSERT_TRUE(eventually([&] { return state_of("hello").starts_with("stale: "); }));
  folder_.write("data/more.wasm", command(2));
  folder_.write("api/more.wasm", command(2));
  ASSERT_TRUE(eventually([&] { return serves("/api/more", command(2)); }));
  EXPECT_EQ(state_of("data/more"), "");
  EXPECT_EQ(state_of("data/evil"), "");
}

TEST_F(RegistryTest, MountsStayInside) {
  const TempFolder elsewhere;
  folder_.link("out", elsewhere.path());
  folder_.write("file", "");
  const std::pair<const char*, const char*> mounts[] = {
      {"../", "leads out of the functions folder"}, {"out", "leads out of the functions folder"},
      {"none", "no such file or directory"},        {"file", "is not a folder"},
      {".", "is the functions folder itself"},      {"api", "holds api/f.wasm itself"}};
  folder_.write("api/f.wasm", command(1));
  for (const auto& [host, error] : mounts) {
    folder_.write("api/f.toml", fmt::format("[[mounts]]\nhost = \"{}\"\nguest = \"/x\"\n", host));
    build();
    EXPECT_THAT(state_of("api/f"),
                AllOf(HasSubstr("failed: api/f.toml:2: mount of "), HasSubstr(error)));
  }
}

TEST_F(RegistryTest, ARouteThatAFilesNameMakesIsToldWithTheFile) {
  folder_.write("[a]/[a].wasm", command(1));
  build();
  EXPECT_EQ(state_of("[a]/[a]"),
            "failed: [a]/[a].wasm: route /{a}/{a}: parameter 'a' appears twice; rename the file, "
            "or give it a route in [a]/[a].toml");
}

TEST_F(RegistryTest, AMissingMountIsTriedAgainWhenItIsMade) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello.toml", "[[mounts]]\nhost = \"data\"\nguest = \"/data\"\n");
  start_and_wait();
  EXPECT_THAT(state_of("hello"), HasSubstr("mount of data: no such file or directory"));
  folder_.make_folder("data");
  EXPECT_TRUE(eventually([&] { return state_of("hello") == "live"; }));
}

}  // namespace
}  // namespace funcd::registry
