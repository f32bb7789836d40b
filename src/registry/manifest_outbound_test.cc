#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/manifest.h"

namespace funcd::registry {
namespace {

using testing::HasSubstr;

Result<Manifest> parse(std::string_view toml) {
  return parse_manifest(toml, "hello.toml", Limits{}, Limits{});
}

TEST(ManifestOutbound, NobodyUnlessNamed) {
  const auto manifest = parse("");
  ASSERT_TRUE(manifest);
  EXPECT_TRUE(manifest->outbound.allow.empty());
}

TEST(ManifestOutbound, ReadsEveryKey) {
  const auto manifest = parse(R"(
[outbound]
allow = ["https://api.example.com", "http://127.0.0.1:9000"]
request_body = "1MiB"
response_body = "2MiB"
connect_timeout = "3s"
)");
  ASSERT_TRUE(manifest) << manifest.error().message;
  const Outbound& outbound = manifest->outbound;
  ASSERT_EQ(outbound.allow.size(), 2U);
  EXPECT_EQ(engine::text_of(outbound.allow[0]), "https://api.example.com:443");
  EXPECT_EQ(engine::text_of(outbound.allow[1]), "http://127.0.0.1:9000");
  EXPECT_EQ(outbound.limits.request_bytes_max, 1U << 20);
  EXPECT_EQ(outbound.limits.response_bytes_max, 2U << 20);
  EXPECT_EQ(outbound.limits.connect_timeout, std::chrono::seconds(3));
}

TEST(ManifestOutbound, ErrorsNameFileLineAndKey) {
  for (const auto& [toml, error] : {
           std::pair("[outbound]\nallow = [\"example.com\"]", "hello.toml:2: "),
           std::pair("[outbound]\nallow = [\"example.com\"]", "has no scheme"),
           std::pair("[outbound]\nallow = [\"http://a\", \"http://a:80\"]", "appears twice"),
           std::pair("[outbound]\nallow = \"http://a\"", "expected an array"),
           std::pair("[outbound]\nconnect_timeout = \"0ms\"", "no time to connect in"),
           std::pair("[outbound]\nalow = []", "did you mean 'allow'"),
       }) {
    const auto manifest = parse(toml);
    ASSERT_FALSE(manifest) << toml;
    EXPECT_THAT(manifest.error().message, HasSubstr(error)) << toml;
  }
}

}  // namespace
}  // namespace funcd::registry
