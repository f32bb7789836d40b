#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "cli/import_plan.h"
#include "cli/import_project.h"
#include "cli/import_spin_manifest.h"
#include "cli/import_staging.h"
#include "cli/import_write.h"
#include "registry/manifest.h"
#include "testing/temp_folder.h"

namespace funcd::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

TEST(ImportName, IsServable) {
  EXPECT_EQ(servable_name("api/users"), "api/users");
  EXPECT_EQ(servable_name("my app/v1.2"), "my-app/v1-2");
  EXPECT_EQ(servable_name("//"), "function");
  EXPECT_EQ(servable_name("..."), "function");
  EXPECT_EQ(servable_name("funcd"), "function-funcd");
  EXPECT_EQ(servable_name("public/x"), "function-public/x");
}

TEST(ImportPattern, FitsSegmentBySegment) {
  EXPECT_TRUE(fits_pattern("a/b.txt", "a/*.txt"));
  EXPECT_FALSE(fits_pattern("a/b/c.txt", "a/*.txt"));
  EXPECT_TRUE(fits_pattern("a/b/c.txt", "a/**/*.txt"));
  EXPECT_TRUE(fits_pattern("a/c.txt", "a/**/*.txt"));
  EXPECT_TRUE(fits_pattern("a/b/c", "a/**"));
  EXPECT_FALSE(fits_pattern("a", "a/b"));
  EXPECT_FALSE(fits_pattern("a/b", "a"));
}

TEST(ImportSidecar, SurvivesWhateverValuesHold) {
  ImportFunction function;
  function.name = "a";
  function.route = "/b";
  function.contract = "cgi";
  function.env = {{"A.B", "\"\\\n\t\x7f'"}};
  const auto read = registry::parse_manifest(sidecar_of(function), "a.toml", {}, {});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->env, function.env);
  EXPECT_EQ(read->route, "/b");
}

TEST(ImportPlan, WildcardsGetAFunctionAtTheirRoot) {
  ImportPlan plan;
  for (const char* route : {"/a/*", "/b/*", "/b", "/*"}) {
    plan.functions.emplace_back();
    plan.functions.back().name = "f";
    plan.functions.back().route = route;
  }
  ASSERT_TRUE(complete(plan));
  std::vector<std::string> routes;
  for (const auto& function : plan.functions) routes.push_back(function.name + function.route);
  EXPECT_THAT(routes, ElementsAre("f/a/*", "f-2/b/*", "f-3/b", "f-4/*", "f-5/a"));
}

TEST(ImportVariables, AreExpandedOrNamed) {
  SpinVariables variables;
  variables.variables = {{.name = "a", .value = "1"}, {.name = "b", .value = std::nullopt}};
  EXPECT_EQ(*variables.expand("x{{ a }}y{{a}}"), "x1y1");
  EXPECT_THAT(variables.expand("{{ b }}").error().message, HasSubstr("SPIN_VARIABLE_B"));
  EXPECT_THAT(variables.expand("{{ c }}").error().message, HasSubstr("no variable 'c'"));
  EXPECT_FALSE(variables.expand("{{ a"));
}

TEST(ImportWrite, LeavesTheFolderAsItWasWhenASourceIsGone) {
  const TempFolder folder;
  folder.write("a.toml", "old");
  const std::vector<ImportFile> files = {{.path = "a.toml", .source = {}, .text = "new"},
                                         {.path = "a.wasm", .source = folder / "gone", .text = {}}};
  EXPECT_FALSE(write_files(files, folder.path(), {.replaces = true, .is_dry = false}));
  EXPECT_EQ(*read_text_file(folder / "a.toml", 100), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(ImportWrite, MovesFilesBackWhenOneCannotBePlaced) {
  const TempFolder folder;
  folder.write("a.toml", "old");
  // The second of one path finds nothing left to move into place.
  const ImportFile module{.path = "d/a.wasm", .source = {}, .text = "x"};
  const auto written =
      write_files({{.path = "a.toml", .source = {}, .text = "new"}, module, module}, folder.path(),
                  {.replaces = true, .is_dry = false});
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("d/a.wasm"));
  EXPECT_EQ(*read_text_file(folder / "a.toml", 100), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

// What is left of an import that was killed, what only looks like it, and what is in use.
TEST(ImportWrite, RemovesWhatAnImportThatWasKilledHasLeft) {
  namespace fs = std::filesystem;
  const TempFolder above;
  const std::string folder = above / "functions";
  const auto names_in = [](const std::string& path) {
    std::vector<std::string> names;
    for (const auto& item : fs::directory_iterator(path)) names.push_back(item.path().filename());
    std::ranges::sort(names);
    return names;
  };
  const std::vector<ImportFile> files = {{.path = "a.toml", .source = {}, .text = "x"}};
  above.write("functions.import-Ab12cd/a.toml", "left");
  above.write("functions.import-notes/a.toml", "of the user's: one letter less");
  ASSERT_TRUE(write_files(files, folder, {}));
  EXPECT_THAT(names_in(above.path()), ElementsAre("functions", "functions.import-notes"));

  above.write("functions/.import-Ab12cd/d/.backup-0", "left");
  above.write("functions/.import-file12", "no folder");
  above.write("elsewhere/kept", "kept");
  above.link("functions/.import-link12", "../elsewhere");
  const auto used = ImportStaging::create(folder + "/");
  ASSERT_TRUE(used);
  ASSERT_TRUE(write_files({{.path = "b.toml", .source = {}, .text = "x"}}, folder, {}));
  EXPECT_THAT(names_in(folder),
              UnorderedElementsAre(fs::path(used->path()).filename().string(), ".import-file12",
                                   ".import-link12", "a.toml", "b.toml"));
  EXPECT_EQ(*read_text_file(above / "elsewhere/kept", 100), "kept");
}

}  // namespace
}  // namespace funcd::cli
