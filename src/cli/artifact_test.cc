#include "cli/artifact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "testing/temp_folder.h"

namespace funcd::cli {
namespace {

using ::testing::HasSubstr;

class ArtifactTest : public ::testing::Test {
 protected:
  [[nodiscard]] Result<Artifact> read(std::string_view bytes) const {
    folder_.write("a.wasm", bytes);
    return read_artifact(folder_ / "a.wasm");
  }

  TempFolder folder_;
};

constexpr std::string_view kModule("\0asm\1\0\0\0", 8);

TEST_F(ArtifactTest, ModulesAreReadAsTheyAre) {
  const auto artifact = read(kModule);
  ASSERT_TRUE(artifact) << artifact.error().message;
  EXPECT_EQ(artifact->kind, ArtifactKind::module);
  EXPECT_EQ(artifact->bytes.size(), kModule.size());
}

TEST_F(ArtifactTest, TextBecomesBinary) {
  for (const auto* text : {"(module)", "\n  ;; a comment (\n\t(module)"}) {
    const auto artifact = read(text);
    ASSERT_TRUE(artifact) << artifact.error().message;
    EXPECT_EQ(artifact->kind, ArtifactKind::text);
    EXPECT_EQ(std::string(artifact->bytes.begin(), artifact->bytes.end()), kModule);
  }
  const auto broken = read("(module");
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("a.wasm: "));
}

TEST_F(ArtifactTest, CompiledCodeIsKnownFromOtherElfFiles) {
  engine::EngineOptions options;
  options.instances_max = 1;
  const auto engine = engine::Engine::create(options);
  ASSERT_TRUE(engine) << engine.error().message;
  const std::vector<std::uint8_t> module(kModule.begin(), kModule.end());
  const auto code = (*engine)->compile(module);
  ASSERT_TRUE(code) << code.error().message;
  const auto artifact = read(std::string(code->begin(), code->end()));
  ASSERT_TRUE(artifact) << artifact.error().message;
  EXPECT_EQ(artifact->kind, ArtifactKind::compiled);

  const auto native = read_artifact("/proc/self/exe");
  ASSERT_FALSE(native);
  EXPECT_THAT(native.error().message, HasSubstr("ELF"));
}

TEST_F(ArtifactTest, OthersAreNamedWithTheirFile) {
  for (const auto* text : {"", ";; only a comment", "#!/bin/sh", "<html>"}) {
    const auto artifact = read(text);
    ASSERT_FALSE(artifact) << text;
    EXPECT_THAT(artifact.error().message, HasSubstr("a.wasm: "));
  }
  EXPECT_THAT(read_artifact(folder_ / "none.wasm").error().message, HasSubstr("none.wasm"));
}

}  // namespace
}  // namespace funcd::cli
