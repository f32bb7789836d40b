#include "server/inspection.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/log.h"
#include "engine/engine.h"
#include "registry/registry.h"
#include "storage/code_cache.h"

namespace funcd::server {
namespace {

std::unique_ptr<storage::CodeCache> open_cache(const Config& config) {
  auto cache = storage::CodeCache::open(config.cache_dir, config.cache_bytes_max);
  if (cache) return std::move(*cache);
  log::warn("code cache not used", {{"reason", cache.error().message}});
  return nullptr;
}

}  // namespace

Result<> check_source(const Config& config) {
  struct stat status {};
  if (::stat(config.source.c_str(), &status) != 0) {
    const int code = errno;
    if (code == ENOENT) {
      return fail("{}: no such folder; create it, or name the folder that holds your .wasm files",
                  config.source);
    }
    return fail("{}: {}", config.source, errno_text(code));
  }
  if (!S_ISDIR(status.st_mode)) {
    return fail("{}: this is no folder; name the folder that holds your .wasm files",
                config.source);
  }
  if (::access(config.source.c_str(), R_OK | X_OK) != 0) {
    return fail("{}: cannot be read: {}; give this user access with chmod u+rx", config.source,
                errno_text(errno));
  }
  return {};
}

Result<Inspection> inspect(const Config& config) {
  TRY(check_source(config));
  engine::EngineOptions engine_options;
  // Functions are instantiated one at a time, once.
  engine_options.instances_max = 4;
  const auto engine = TRY(engine::Engine::create(engine_options));
  const auto cache = open_cache(config);
  registry::RegistryOptions options;
  options.folder = config.source;
  options.limits = config.limits;
  options.ceilings = config.ceilings;
  registry::Registry registry(*engine, cache.get(), options, [](const auto& /*catalog*/) {});
  TRY(registry.build_once());
  return Inspection{registry.status(), registry.catalog()};
}

}  // namespace funcd::server
