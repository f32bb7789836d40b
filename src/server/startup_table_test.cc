#include "server/startup_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/admin_json.h"

namespace funcd::server {
namespace {

using registry::FunctionState;
using ::testing::HasSubstr;
using ::testing::Not;

// A status with `live` functions that all answer, and their catalog.
struct Served {
  explicit Served(const std::vector<std::string>& live) {
    std::vector<std::shared_ptr<const registry::Revision>> revisions;
    for (const auto& name : live) {
      auto revision = std::make_shared<registry::Revision>();
      revision->function = std::make_shared<registry::Function>(name, 1);
      revision->route = "/" + name;
      revisions.push_back(revision);
      registry::FunctionStatus function;
      function.name = name;
      function.state = FunctionState::live;
      function.contract = "data";
      function.route = revision->route;
      function.digest = "d";
      status.functions.push_back(function);
    }
    catalog = *registry::Catalog::build(revisions);
  }

  void add_failed(const std::string& name, const std::string& error) {
    registry::FunctionStatus function;
    function.name = name;
    function.state = FunctionState::failed;
    function.error = error;
    status.functions.push_back(function);
  }

  [[nodiscard]] std::string table(const TableOptions& options = {}) const {
    return functions_table(functions_json(status, catalog.get(), "http://h:1"), options);
  }

  registry::Status status;
  std::shared_ptr<const registry::Catalog> catalog;
};

TEST(StartupTable, ColumnsAreAligned) {
  Served served({"api/users", "hello"});
  EXPECT_EQ(served.table(),
            "FUNCTION   CONTRACT  URL                   METHODS  TIMEOUT  MEMORY  STATE\n"
            "api/users  data      http://h:1/api/users  all      10s      128MiB  live\n"
            "hello      data      http://h:1/hello      all      10s      128MiB  live\n"
            "2 functions: 2 live\n");
}

TEST(StartupTable, AHostStandsBeforeTheRoute) {
  Served served({"hello"});
  auto revision = std::make_shared<registry::Revision>(*served.catalog->revisions().front());
  revision->manifest.host = "a.example.com";
  served.catalog = *registry::Catalog::build({revision});
  EXPECT_THAT(served.table(), HasSubstr("a.example.com/hello  all"));
}

TEST(StartupTable, NoFunctionsIsOneLine) {
  EXPECT_EQ(Served({}).table(), "0 functions\n");
}

TEST(StartupTable, FindingsFollow) {
  Served served({"hello"});
  served.add_failed("broken", "broken.wasm: truncated");
  served.status.problems = {{.path = "Bad Name.wasm", .message = "bad name"}};
  const auto table = served.table();
  EXPECT_THAT(table, HasSubstr("2 functions: 1 live, 1 failed\n"
                               "failed  broken: broken.wasm: truncated\n"
                               "not served  Bad Name.wasm: bad name\n"));
}

TEST(StartupTable, LongListsAreCutWithACount) {
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) names.push_back("f" + std::to_string(i));
  const auto table = Served(names).table({.rows_max = 40});
  EXPECT_THAT(table, HasSubstr("... and 10 more\n50 functions: 50 live\n"));
  EXPECT_THAT(table, HasSubstr("f39"));
  EXPECT_THAT(table, Not(HasSubstr("f40")));
}

TEST(StartupTable, ColoursAreAskedFor) {
  Served served({"hello"});
  EXPECT_THAT(served.table(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(served.table({.colours = Colours::yes}), HasSubstr("\x1b[32mlive\x1b[0m"));
}

TEST(StartupTable, NamesOfFilesCannotMoveTheCursor) {
  Served served({});
  served.status.problems = {{.path = "a\x1b[2J\n\xff.wasm", .message = "bad name"}};
  EXPECT_THAT(served.table(), HasSubstr("a\\x1b[2J\\x0a\\xff.wasm: bad name"));
}

TEST(StartupTable, FindingsAreKnownWithoutReadingThem) {
  Served served({"hello"});
  EXPECT_FALSE(has_findings(functions_json(served.status, served.catalog.get(), "")));
  served.status.problems = {{.path = "x", .message = "y"}};
  EXPECT_TRUE(has_findings(functions_json(served.status, served.catalog.get(), "")));
}

}  // namespace
}  // namespace funcd::server
