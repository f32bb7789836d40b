// Sidecars of any bytes: there is an error that names the file, or a manifest whose values keep
// their promises.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "registry/json_document.h"
#include "registry/manifest.h"
#include "registry/route.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace funcd::registry;  // NOLINT: the whole program is about it
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = parse_manifest(text, "f.toml", Limits{}, Limits{});
  (void)mount_hosts_of(text);
  if (!manifest) {
    CHECK(manifest.error().message.starts_with("f.toml:"), "{}", manifest.error().message);
    return 0;
  }
  CHECK(!manifest->route || parse_route(*manifest->route).has_value());
  for (const auto& [key, json] : manifest->input) {
    JsonDocument document;
    CHECK(document.parse(json).has_value(), "{}: {}", key, json);
  }
  for (const auto& mount : manifest->mounts) {
    CHECK(mount.guest.front() == '/' && mount.host.front() != '/');
  }
  CHECK(manifest->limits.memory_bytes >= kLimitsMin.memory_bytes);
  return 0;
}
