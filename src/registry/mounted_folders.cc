#include "registry/mounted_folders.h"

#include <sys/stat.h>

#include "registry/inside.h"

namespace funcd::registry {

Result<std::string> resolve_mount(std::string_view host, const Candidate& candidate,
                                  const std::string& real_folder) {
  auto real = resolve_inside(fmt::format("{}/{}", real_folder, host), real_folder);
  if (!real) return fail("mount of {}: {}", host, real.error().message);
  struct stat status {};
  if (::stat(real->c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return fail("mount of {}: is not a folder", host);
  }
  if (*real == real_folder) {
    return fail("mount of {}: is the functions folder itself; name a folder in it", host);
  }
  if (is_inside(candidate.wasm.real_path, *real)) {
    return fail("mount of {}: holds {}.wasm itself; move one of them", host, candidate.name);
  }
  return *real;
}

Result<std::vector<engine::Mount>> resolve_mounts(const Manifest& manifest,
                                                  const Candidate& candidate,
                                                  const std::string& real_folder) {
  std::vector<engine::Mount> mounts;
  for (const MountSpec& spec : manifest.mounts) {
    auto host = resolve_mount(spec.host, candidate, real_folder);
    if (!host) return fail("{}.toml:{}: {}", candidate.name, spec.line, host.error().message);
    mounts.push_back(
        {.host = std::move(*host), .guest = spec.guest, .is_writable = spec.is_writable});
  }
  return mounts;
}

}  // namespace funcd::registry
