// Runs the JSON Schema Test Suite (draft 7) as Debian's package json-schema-test-suite installs it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "registry/json_document.h"
#include "registry/json_schema.h"

namespace funcd::registry {
namespace {

constexpr const char* kFolder = "/usr/share/json-schema-test-suite/tests/draft7";

std::string folder() {
  const char* other = std::getenv("FUNCD_JSON_SCHEMA_SUITE");
  return other == nullptr ? kFolder : other;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string text_of(const JsonNode* node) {
  std::string text;
  append_json(text, *node);
  return text;
}

// What is out of scope: documents elsewhere, ids that change the base of references, `format`.
bool is_skipped(std::string_view description) {
  constexpr std::string_view kSkipped[] = {
      "remote ref, containing refs itself",
      "Recursive references between schemas",
      "refs with relative uris and defs",
      "relative refs with absolute uris and defs",
      "valid definition",
      "invalid definition",
      "ECMA 262 regex non-compliance",
  };
  return std::find(std::begin(kSkipped), std::end(kSkipped), description) != std::end(kSkipped);
}

struct Count {
  int passed = 0;
  int skipped = 0;
};

void run_group(const std::string& where, const JsonNode& group, Count& count) {
  const std::string_view description = group.find("description")->text();
  const JsonNode* tests = group.find("tests");
  if (is_skipped(description)) {
    count.skipped += static_cast<int>(tests->size);
    return;
  }
  const auto schema = JsonSchema::parse(text_of(group.find("schema")), where);
  ASSERT_TRUE(schema) << where << " " << description << ": " << schema.error().message;
  for (const JsonNode* test = tests->begin(); test != tests->end(); test = test->after()) {
    const std::string data = text_of(test->find("data"));
    const Result<> result = (*schema)->validate(data);
    EXPECT_EQ(result.has_value(), test->find("valid")->boolean)
        << where << ": " << description << ": " << test->find("description")->text() << "\n"
        << text_of(group.find("schema")) << "\n"
        << data << "\n"
        << (result ? "" : result.error().message);
    ++count.passed;
    // What fits to the letter can always be written as the schema wants it.
    if (result) {
      const Result<std::string> kept = (*schema)->conform(data, Unnamed::keep);
      EXPECT_TRUE(kept) << where << ": " << description << ": " << data << ": "
                        << kept.error().message;
      const Result<std::string> dropped = (*schema)->conform(data);
      EXPECT_TRUE(dropped) << where << ": " << description << ": " << data;
    }
  }
}

void run_file(const std::filesystem::path& path, Count& count) {
  const std::string text = text_of(path);
  JsonDocument document;
  ASSERT_TRUE(document.parse(text)) << path;
  const JsonNode& groups = document.root();
  for (const JsonNode* group = groups.begin(); group != groups.end(); group = group->after()) {
    run_group(path.filename().string(), *group, count);
  }
}

TEST(JsonSchemaSuite, Draft7) {
  if (!std::filesystem::is_directory(folder())) {
    GTEST_SKIP() << "json-schema-test-suite is not installed: apt-get install it to run this";
  }
  Count count;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() || name == "refRemote.json") continue;
    run_file(entry.path(), count);
  }
  for (const char* name : {"bignum.json", "ecmascript-regex.json"}) {
    run_file(std::filesystem::path(folder()) / "optional" / name, count);
  }
  EXPECT_GT(count.passed, 400);
  EXPECT_LT(count.skipped, 20);
}

}  // namespace
}  // namespace funcd::registry
