#include "server/inspection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/inspection_report.h"
#include "testing/temp_folder.h"

namespace funcd::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string wasm_of(std::string_view wat) {
  const auto wasm = engine::Engine::wasm_from_text(wat);
  EXPECT_TRUE(wasm) << wasm.error().message;
  return wasm ? std::string(wasm->begin(), wasm->end()) : std::string();
}

// A command that prints nothing, with the import that most have.
std::string command() {
  return wasm_of(R"((module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 2 4)
    (func (export "_start") (call $exit (i32.const 0)))))");
}

// A source with two functions and a broken one, and an inspector of it.
class InspectionTest : public ::testing::Test {
 protected:
  InspectionTest() {
    folder_.write("functions/hello.wasm", command());
    folder_.write("functions/hello.toml",
                  "contract = \"data\"\nroute = \"/hi/{name}\"\nmethods = [\"GET\"]\n"
                  "[limits]\nmemory = \"16MiB\"\n[env]\nTOKEN = \"hush\"\n");
    folder_.write("functions/api/users.wasm", command());
    folder_.write("functions/broken.wasm", command().substr(0, 20));
    folder_.write("functions/Bad Name.wasm", command());
    config_.source = folder_ / "functions";
    config_.cache_dir = folder_ / "cache";
    auto created = Inspector::create(config_, SmokeRequests::made);
    EXPECT_TRUE(created) << created.error().message;
    inspector_ = std::move(*created);
  }

  TempFolder folder_;
  Config config_;
  std::unique_ptr<Inspector> inspector_;
};

TEST_F(InspectionTest, AFunctionIsShownWithItsSidecar) {
  const auto file = inspector_->inspect_file(folder_ / "functions/hello.wasm");
  ASSERT_NE(file.revision, nullptr) << file.reason;
  EXPECT_EQ(file.reason, "");
  const auto text = inspection_text(file);
  EXPECT_THAT(text, HasSubstr("functions/hello.wasm: served at /hi/{name}\n"));
  for (const auto* line :
       {"  function  hello\n", "  contract  data\n", "  methods   GET\n",
        "  imports   wasi_snapshot_preview1: proc_exit\n", "  exports   memory, _start\n",
        "  memory    128KiB at the start, 256KiB at the most\n", "memory 16MiB",
        "  env       TOKEN\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_EQ(text.find("hush"), std::string::npos);
}

TEST_F(InspectionTest, NamesAreThoseOfTheSource) {
  const auto file = inspector_->inspect_file(folder_ / "functions/api/users.wasm");
  ASSERT_NE(file.revision, nullptr) << file.reason;
  EXPECT_EQ(file.revision->function->name, "api/users");
  EXPECT_EQ(file.revision->route, "/api/users");
}

TEST_F(InspectionTest, ElsewhereTheFileNamesTheFunction) {
  folder_.write("other/a/one.wasm", command());
  const auto file = inspector_->inspect_file(folder_ / "other/a/one.wasm");
  ASSERT_NE(file.revision, nullptr) << file.reason;
  EXPECT_EQ(file.revision->function->name, "one");
}

TEST_F(InspectionTest, AFolderThatWasTakenForThatOfFunctionsIsTold) {
  folder_.write("other/a/one.wasm", command());
  EXPECT_THAT(inspection_text(inspector_->inspect_file(folder_ / "other/a/one.wasm")),
              HasSubstr("other/a, where the file lies, taken for that of functions; --source"));
  EXPECT_THAT(inspection_text(inspector_->inspect_file(folder_ / "functions/api/users.wasm")),
              Not(HasSubstr("--source")));
}

TEST_F(InspectionTest, PublicFilesAreNoFunctions) {
  folder_.write("functions/public/q.wasm", command());
  EXPECT_EQ(inspector_->inspect_file(folder_ / "functions/public/q.wasm").reason,
            "lies in public/, whose files are served as they are");
  folder_.write("other/public/q.wasm", command());
  EXPECT_THAT(inspector_->inspect_file(folder_ / "other/public/q.wasm").reason,
              HasSubstr("name it with --source"));
}

TEST_F(InspectionTest, AMountedFolderHoldsNoFunctions) {
  folder_.write("functions/store/x.wasm", command());
  const auto path = folder_ / "functions/store/x.wasm";
  EXPECT_EQ(inspector_->inspect_file(path).reason, "");
  folder_.write("functions/reader.wasm", command());
  folder_.write("functions/reader.toml", "[[mounts]]\nhost = \"store\"\nguest = \"/s\"\n");
  EXPECT_EQ(inspector_->inspect_file(path).reason,
            "lies in store, which reader.toml mounts: what is there is data");
}

TEST_F(InspectionTest, TwoOfOneRouteAreAConflict) {
  const auto inspect = [this](std::string_view name, std::string_view sidecar) {
    folder_.write(fmt::format("{}.wasm", name), command());
    folder_.write(fmt::format("{}.toml", name), sidecar);
    return inspector_->inspect_file(folder_ / fmt::format("{}.wasm", name));
  };
  constexpr std::string_view kSame = "route = \"/x/{id}\"\n";
  const std::vector<FileInspection> earlier = {inspect("functions/a", kSame)};
  auto other = inspect("functions/b", "route = \"/x/{name}\"\n");
  tell_conflict(other, earlier);
  EXPECT_EQ(other.reason,
            "route /x/{id}: is that of both 'a' and 'b'; give one of them another route");
  auto elsewhere = inspect("other/b", kSame);
  auto on_a_host = inspect("functions/c", "route = \"/x/{id}\"\nhost = \"a.example.com\"\n");
  auto canary = inspect("functions/a@2", kSame);
  for (FileInspection* file : {&elsewhere, &on_a_host, &canary}) {
    tell_conflict(*file, earlier);
    EXPECT_EQ(file->reason, "") << file->path;
  }
}

TEST_F(InspectionTest, WhatWouldNotGoLiveHasAReason) {
  const auto reason_of = [this](std::string_view name) {
    const auto file = inspector_->inspect_file(folder_ / name);
    EXPECT_EQ(file.revision, nullptr);
    EXPECT_THAT(verdict_of(file), HasSubstr(std::string(name) + ": not served: "));
    return file.reason;
  };
  EXPECT_THAT(reason_of("functions/broken.wasm"), HasSubstr("broken.wasm"));
  EXPECT_NE(reason_of("functions/Bad Name.wasm"), "");
  EXPECT_THAT(reason_of("functions/none.wasm"), HasSubstr("no such file"));
  folder_.write("functions/text.txt", "x");
  EXPECT_EQ(reason_of("functions/text.txt"), "its name does not end in .wasm");
  folder_.write("functions/big.wasm", wasm_of("(module (memory (export \"memory\") 1024) "
                                              "(func (export \"_start\")))"));
  folder_.write("functions/big.toml", "[limits]\nmemory = \"1MiB\"\n");
  EXPECT_THAT(reason_of("functions/big.wasm"), HasSubstr("64MiB"));
}

TEST_F(InspectionTest, AModuleWhoseStartNeverEndsIsEnded) {
  folder_.write("functions/loop.wasm",
                wasm_of("(module (memory (export \"memory\") 1) (func $loop (loop (br 0))) "
                        "(start $loop) (func (export \"_start\")))"));
  const auto file = inspector_->inspect_file(folder_ / "functions/loop.wasm");
  EXPECT_EQ(file.revision, nullptr);
  EXPECT_NE(file.reason, "");
}

TEST_F(InspectionTest, ASidecarThatLeadsOutIsNotRead) {
  folder_.write("secret.toml", "[env]\nA = \"1\"\n");
  folder_.link("functions/api/users.toml", "../../secret.toml");
  const auto file = inspector_->inspect_file(folder_ / "functions/api/users.wasm");
  EXPECT_EQ(file.revision, nullptr);
  EXPECT_THAT(file.reason, HasSubstr("leads out"));
}

TEST_F(InspectionTest, AFolderIsAllItsFiles) {
  const auto folder = folder_ / "functions";
  const auto inspection = inspector_->inspect_folder(folder);
  ASSERT_TRUE(inspection) << inspection.error().message;
  std::map<std::string, bool> served;
  for (const auto& file : files_of(*inspection, folder)) {
    served[file.path] = file.revision != nullptr && file.reason.empty();
  }
  const std::map<std::string, bool> expected = {{folder + "/hello.wasm", true},
                                                {folder + "/api/users.wasm", true},
                                                {folder + "/broken.wasm", false},
                                                {folder + "/Bad Name.wasm", false}};
  EXPECT_EQ(served, expected);
}

TEST_F(InspectionTest, ASmokeRequestIsMade) {
  const auto api = folder_ / "functions/api/users.wasm";
  folder_.write("functions/api/users.toml",
                "[smoke]\npath = \"/api/users\"\nexpect_status = 204\n");
  const auto file = inspector_->inspect_file(api);
  constexpr const char* kReason = "its smoke request GET /api/users was answered with 502";
  EXPECT_THAT(file.reason, HasSubstr(kReason));
  EXPECT_THAT(verdict_of(file), HasSubstr("not served: its smoke request"));
  const auto inspection = inspector_->inspect_folder(folder_ / "functions");
  ASSERT_TRUE(inspection) << inspection.error().message;
  for (const auto& function : inspection->status.functions) {
    if (function.name != "api/users") continue;
    EXPECT_THAT(function.error, HasSubstr(kReason));
  }
  folder_.write("functions/api/users.toml",
                "[smoke]\npath = \"/api/users\"\nexpect_status = 502\n");
  EXPECT_THAT(inspection_text(inspector_->inspect_file(api)),
              HasSubstr("  smoke     GET /api/users: status 502\n"));
}

TEST_F(InspectionTest, ListingRunsNothing) {
  folder_.write("functions/api/users.toml",
                "[smoke]\npath = \"/api/users\"\nexpect_status = 204\n");
  inspector_ = Inspector::create(config_, SmokeRequests::skipped).value();
  EXPECT_EQ(inspector_->inspect_file(folder_ / "functions/api/users.wasm").reason, "");
}

TEST_F(InspectionTest, JsonHasWhatTheTextHas) {
  const auto json = inspection_json({inspector_->inspect_file(folder_ / "functions/hello.wasm"),
                                     inspector_->inspect_file(folder_ / "functions/broken.wasm")});
  const auto& hello = json.at("files").at(0);
  EXPECT_EQ(hello.at("is_served"), true);
  EXPECT_EQ(hello.at("route"), "/hi/{name}");
  EXPECT_EQ(hello.at("imports").at(0).at("name"), "proc_exit");
  EXPECT_EQ(hello.at("memory_bytes_max"), 256 * 1024);
  EXPECT_EQ(json.at("files").at(1).at("is_served"), false);
}

TEST(CheckSource, NamesTheFolderAndTheRemedy) {
  const TempFolder folder;
  folder.write("file", "x");
  EXPECT_TRUE(check_source(folder.path()));
  EXPECT_THAT(check_source(folder / "none").error().message, HasSubstr("none: no such folder"));
  EXPECT_THAT(check_source(folder / "file").error().message, HasSubstr("file: this is no folder"));
  EXPECT_THAT(check_source(folder / "file/x").error().message, EndsWith("not a directory"));
}

}  // namespace
}  // namespace funcd::server
