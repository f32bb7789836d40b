#include "registry/sidecar.h"

#include "base/file.h"
#include "registry/names.h"

namespace funcd::registry {
namespace {

Result<Manifest> without_sidecar(const Limits& defaults) {
  Manifest manifest;
  manifest.limits = defaults;
  return manifest;
}

// [canary] is a canary's, and a canary always has one.
void settle_canary(Sidecar& sidecar, const std::string& name, bool is_canary) {
  if (!sidecar.manifest) return;
  if (is_canary) {
    if (!sidecar.manifest->canary) sidecar.manifest->canary.emplace();
  } else if (sidecar.manifest->canary) {
    sidecar.manifest =
        fail("{0}.toml:{1}: [canary] belongs into the sidecar of a canary: {0}@2.toml", name,
             sidecar.manifest->lines.canary);
  }
}

}  // namespace

Sidecar read_sidecar(const Candidate& candidate, const Limits& defaults, const Limits& ceilings) {
  Sidecar sidecar{.text = {},
                  .manifest = without_sidecar(defaults),
                  .route = {},
                  .segments = {},
                  .shape = {},
                  .mount_hosts = {}};
  if (!candidate.sidecar_error.empty()) {
    sidecar.manifest = fail("{}", candidate.sidecar_error);
  } else if (candidate.sidecar) {
    auto text = read_text_file(candidate.sidecar->path, kSidecarBytesMax);
    if (text) {
      sidecar.text = std::move(*text);
      sidecar.manifest = parse_manifest(sidecar.text, candidate.name + ".toml", defaults, ceilings);
      sidecar.mount_hosts = mount_hosts_of(sidecar.text);
    } else {
      sidecar.manifest = fail(text.error());
      sidecar.is_unread = true;
    }
  }
  const auto canary = canary_name_of(candidate.name);
  settle_canary(sidecar, candidate.name, canary.has_value());
  sidecar.route = route_of_name(canary ? canary->function : std::string_view(candidate.name));
  if (sidecar.manifest && sidecar.manifest->route) sidecar.route = *sidecar.manifest->route;
  auto segments = parse_route(sidecar.route);
  if (segments) {
    sidecar.segments = std::move(*segments);
    sidecar.shape = (sidecar.manifest ? sidecar.manifest->host : "") + shape_of(sidecar.segments);
  } else if (sidecar.manifest) {
    // A sidecar's own route was read already, so this one is that of the file's name.
    sidecar.manifest = fail("{0}.wasm: {1}; rename the file, or give it a route in {0}.toml",
                            candidate.name, segments.error().message);
  }
  return sidecar;
}

}  // namespace funcd::registry
