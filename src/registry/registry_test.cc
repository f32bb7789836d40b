#include "testing/registry_fixture.h"

namespace funcd::registry {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(RegistryTest, ServesWhatLiesInTheFolder) {
  folder_.write("hello.wasm", command(1));
  folder_.write("api/users.wasm", command(2));
  folder_.write("api/users.toml", "route = \"/users/{id}\"\n[env]\nA = \"b\"\n");
  const Status status = build();
  EXPECT_TRUE(status.is_first_scan_done);
  EXPECT_THAT(status.problems, IsEmpty());
  ASSERT_EQ(status.functions.size(), 2U);
  EXPECT_EQ(status.functions[0].name, "api/users");
  EXPECT_EQ(status.functions[0].route, "/users/{id}");
  EXPECT_EQ(status.functions[0].state, FunctionState::live);
  EXPECT_EQ(status.functions[1].digest, sha256_hex(command(1)));
  EXPECT_EQ(status.functions[1].contract, "auto");
  EXPECT_EQ(status.functions[1].artifact_bytes, command(1).size());
  EXPECT_GT(status.functions[1].build_elapsed.count(), 0);
  EXPECT_TRUE(serves("/hello", command(1)));
  EXPECT_TRUE(serves("/users/7", command(2)));
  EXPECT_EQ(digest_at("/api/users"), "");
  EXPECT_EQ(digest_at("/none"), "");
}

TEST_F(RegistryTest, AFolderThatCannotBeOpenedIsAnError) {
  options_.folder = folder_ / "none";
  Registry registry(the_engine(), nullptr, options_, [](const auto&) {});
  const auto built = registry.build_once();
  ASSERT_FALSE(built);
  EXPECT_THAT(built.error().message, HasSubstr("none: no such file or directory"));
  EXPECT_FALSE(registry.run(std::stop_token()));
}

TEST_F(RegistryTest, AnEmptyFolderIsAnEmptyCatalog) {
  start_and_wait();
  EXPECT_THAT(registry_->status().functions, IsEmpty());
  ASSERT_EQ(catalogs_.size(), 1U);
  EXPECT_THAT(catalogs_[0]->revisions(), IsEmpty());
}

TEST_F(RegistryTest, SchemasBelongToTheRevision) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello.toml", "[response]\nschema = \"item.schema.json\"\n");
  start_and_wait();
  EXPECT_THAT(state_of("hello"), AllOf(HasSubstr("failed: hello.toml:2: schema item.schema.json"),
                                       HasSubstr("no such file or directory")));
  folder_.write("item.schema.json", R"({"type":"object","properties":{"age":{"type":"integer"}}})");
  ASSERT_TRUE(eventually([&] { return state_of("hello") == "live"; }));
  auto revision = *registry_->catalog()->match("GET", "/hello").revision;
  EXPECT_EQ(revision->contract, ContractKind::data);
  ASSERT_TRUE(revision->response_schema);
  EXPECT_EQ(revision->response_schema->type_of("age"), "integer");
  folder_.write("item.schema.json", R"({"type":"object","properties":{"age":{"type":"string"}}})");
  ASSERT_TRUE(eventually([&] {
    const auto catalog = registry_->catalog();
    return (*catalog->match("GET", "/hello").revision)->response_schema->type_of("age") == "string";
  }));
  folder_.write("item.schema.json", "not json");
  ASSERT_TRUE(eventually([&] { return state_of("hello").starts_with("stale: hello.toml:2: "); }));
}

TEST_F(RegistryTest, WhatIsNoGoodIsToldAndHarmsNobody) {
  folder_.write("good.wasm", command(1));
  folder_.write("elf.wasm",
                "\x7f"
                "ELF....");
  folder_.write("empty.wasm", "");
  folder_.write("cut.wasm", command(1).substr(0, 25));
  folder_.write("nostart.wasm",
                wasm_of(R"((module (memory (export "memory") 1) (func (export "add"))))"));
  folder_.write("nothing.wasm", wasm_of("(module)"));
  folder_.write("reactor.wasm",
                wasm_of(R"((module (func (export "_initialize")) (func (export "hello"))))"));
  folder_.write("wrongstart.wasm", wasm_of(R"((module (func (export "_start") (param i32))))"));
  folder_.write("import.wasm",
                wasm_of(R"((module (import "env" "nope" (func)) (func (export "_start"))))"));
  folder_.write("big.wasm", command_with_memory(2049));
  folder_.write("badname/x y.wasm", command(1));
  folder_.write("wws.wasm", command(2));
  folder_.write("wws.toml", "contract = \"wws\"\n[response]\nschema = \"x.json\"\n");
  folder_.write("cgi.wasm", command(2));
  folder_.write("cgi.toml", "contract = \"cgi\"\n[response]\nschema = \"x.json\"\n");
  folder_.write("lonely.toml", "");
  const Status status = build();
  EXPECT_EQ(state_of("good"), "live");
  EXPECT_THAT(state_of("elf"), HasSubstr("failed: elf.wasm: not a WebAssembly module: begins with "
                                         "7f 45 4c 46 (an ELF file"));
  EXPECT_THAT(state_of("empty"), HasSubstr("failed: empty.wasm: is empty"));
  EXPECT_THAT(state_of("cut"), HasSubstr("failed: cut.wasm: "));
  EXPECT_THAT(
      state_of("nostart"),
      HasSubstr("failed: nostart.wasm: has no _start; it exports memory, add; build a command"));
  EXPECT_THAT(state_of("nothing"), HasSubstr("it exports nothing"));
  EXPECT_THAT(
      state_of("reactor"),
      HasSubstr("it exports _initialize, hello; build a command with a main function, or export a "
                "function 'handle' from this reactor"));
  EXPECT_THAT(state_of("wrongstart"), HasSubstr("but func (i32)"));
  EXPECT_THAT(state_of("import"),
              AllOf(HasSubstr("failed: import.wasm: "), HasSubstr("env"), HasSubstr("nope")));
  EXPECT_EQ(state_of("big"),
            "failed: big.wasm: declares 131136KiB of memory at its start, more than its "
            "limit of 128MiB; raise limits.memory in big.toml");
  EXPECT_THAT(
      state_of("wws"),
      HasSubstr("failed: wws.toml:3: [response] schema belongs to the data contract, not to wws"));
  EXPECT_THAT(state_of("cgi"),
              HasSubstr("failed: cgi.toml:3: [response] schema belongs to the data contract"));
  ASSERT_EQ(status.problems.size(), 2U);
  EXPECT_EQ(status.problems[0].path, "badname/x y.wasm");
  EXPECT_EQ(status.problems[1].path, "lonely.toml");
  EXPECT_EQ(registry_->catalog()->revisions().size(), 1U);
}

TEST_F(RegistryTest, AStartFunctionThatTrapsIsToldAtTheBuild) {
  folder_.write("trap.wasm",
                wasm_of(R"((module (func $s unreachable) (start $s) (func (export "_start"))))"));
  build();
  EXPECT_THAT(state_of("trap"), HasSubstr("failed: trap.wasm: no instance of it can be made: "));
}

TEST_F(RegistryTest, AnArtifactThatIsTooLargeIsNotRead) {
  options_.artifact_bytes_max = 50;
  folder_.write("hello.wasm", command(1));
  build();
  EXPECT_THAT(state_of("hello"), HasSubstr("more than the 50 that an artifact may have"));
}

TEST_F(RegistryTest, CompiledCodeComesFromTheCache) {
  cache_ = storage::CodeCache::open(cache_folder_ / "code", 1ULL << 30).value();
  folder_.write("hello.wasm", command(1));
  build();
  EXPECT_FALSE(status_of("hello").is_from_cache);
  build();
  EXPECT_TRUE(status_of("hello").is_from_cache);
  EXPECT_EQ(state_of("hello"), "live");
}

TEST_F(RegistryTest, ADamagedCacheIsNoHindrance) {
  cache_ = storage::CodeCache::open(cache_folder_ / "code", 1ULL << 30).value();
  folder_.write("hello.wasm", command(1));
  build();
  for (const auto& item : std::filesystem::directory_iterator(cache_folder_ / "code")) {
    if (item.path().extension() == ".cwasm") std::filesystem::resize_file(item.path(), 100);
  }
  build();
  EXPECT_EQ(state_of("hello"), "live");
  EXPECT_FALSE(status_of("hello").is_from_cache);
}

TEST_F(RegistryTest, ACacheThatTakesNothingIsNoHindrance) {
  cache_ = storage::CodeCache::open(cache_folder_ / "code", 10).value();
  folder_.write("a.wasm", command(1));
  folder_.write("b.wasm", command(2));
  testing::internal::CaptureStderr();
  build();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(state_of("a"), "live");
  EXPECT_EQ(state_of("b"), "live");
  EXPECT_EQ(log.find("cache.unavailable"), log.rfind("cache.unavailable"));
  EXPECT_THAT(log, HasSubstr("cache.unavailable"));
}

TEST_F(RegistryTest, TheFirstBuildCanBeWaitedFor) {
  folder_.write("hello.wasm", command(1));
  folder_.write("hello.toml", "route = \"/x/{id}\"");
  std::vector<std::string> seen;
  options_.publish_gap = milliseconds(0);
  registry_ = std::make_unique<Registry>(the_engine(), nullptr, options_,
                                         [](const std::shared_ptr<const Catalog>&) {});
  // Nobody has looked yet: it could be.
  EXPECT_TRUE(registry_->is_building("/x/7"));
  Registry* registry = nullptr;
  options_.on_change = [&] {
    seen.push_back(
        fmt::format("{} {}", registry->is_building("/x/7"), registry->is_building("/y")));
  };
  std::shared_ptr<const Catalog> published;
  const auto publish = [&](std::shared_ptr<const Catalog> catalog) {
    EXPECT_TRUE(registry->is_newest(*catalog)) << "before it is known to anybody";
    EXPECT_FALSE(published && registry->is_newest(*published));
    published = std::move(catalog);
  };
  registry_ = std::make_unique<Registry>(the_engine(), nullptr, options_, publish);
  registry = registry_.get();
  ASSERT_TRUE(registry_->build_once());
  ASSERT_TRUE(published);
  ASSERT_GE(seen.size(), 2U);
  EXPECT_EQ(seen.front(), "true false");
  EXPECT_EQ(seen.back(), "false false");
}

// Each look finds a change, so that another one comes before what is built is in a catalog.
TEST_F(RegistryTest, WhatIsBuiltIsWaitedForUntilACatalogHasIt) {
  constexpr int kFunctions = 8;
  constexpr int kChangesMax = 20;
  for (int i = 0; i < kFunctions; ++i) folder_.write(fmt::format("f{}.wasm", i), command(i));
  options_.publish_gap = std::chrono::hours(24 * 365 * 100);  // all at once
  options_.timing.look_gap_min = milliseconds(0);
  std::stop_source stop;
  std::vector<std::string> lost;
  int changes = 0;
  options_.on_change = [&] {
    for (int i = 0; i < kFunctions; ++i) {
      const std::string path = fmt::format("/f{}", i);
      if (!registry_->is_building(path) && digest_at(path).empty()) lost.push_back(path);
    }
    if (registry_->is_first_scan_done())
      stop.request_stop();
    else if (++changes <= kChangesMax)
      folder_.write("toggle.wasm", command(kFunctions + changes));
  };
  registry_ = std::make_unique<Registry>(the_engine(), nullptr, options_, [](const auto&) {});
  ASSERT_TRUE(registry_->run(stop.get_token()));
  EXPECT_THAT(lost, IsEmpty());
  EXPECT_TRUE(serves("/f0", command(0)));
  EXPECT_FALSE(registry_->is_building("/f0"));
}

TEST_F(RegistryTest, WhatFailedIsNotWaitedFor) {
  folder_.write("hello.wasm", "no");
  build();
  EXPECT_FALSE(registry_->is_building("/hello"));
}

}  // namespace
}  // namespace funcd::registry
