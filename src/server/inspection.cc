#include "server/inspection.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/log.h"
#include "engine/snapshot.h"
#include "registry/inside.h"
#include "registry/mounted_folders.h"
#include "registry/names.h"
#include "registry/registry.h"
#include "registry/route.h"
#include "server/bucket.h"
#include "server/smoke.h"

namespace funcd::server {
namespace {

constexpr std::string_view kModuleSuffix = ".wasm";
// Functions are instantiated one at a time, once.
constexpr std::uint32_t kInstancesMax = 4;

// Where a module lies and what it is called there.
struct Place {
  std::string real_folder;  // of functions
  std::string name;         // "api/users"
  bool is_assumed = false;  // the folder is not the configured source
};

// Before its name is judged: a path with a typo in it has no fitting name either.
Result<> check_is_there(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return {};
  const int code = errno;
  return code == ENOENT ? fail("no such file or folder") : fail("{}", errno_text(code));
}

// In the source, if it lies there; else its own folder is taken for one.
Result<Place> place_of(const std::string& path, const std::string& source) {
  if (!path.ends_with(kModuleSuffix)) return fail("its name does not end in .wasm");
  const auto slash = path.rfind('/');
  const auto parent = slash == std::string::npos ? std::string(".") : path.substr(0, slash + 1);
  Place place;
  place.real_folder = TRY(registry::real_path_of(parent));
  const auto file_begin = slash == std::string::npos ? 0 : slash + 1;
  place.name = path.substr(file_begin, path.size() - kModuleSuffix.size() - file_begin);
  const auto real_source = registry::real_path_of(source);
  place.is_assumed = !real_source || !registry::is_inside(place.real_folder, *real_source);
  if (!place.is_assumed) {
    const auto subfolder = place.real_folder.substr(real_source->size());
    if (!subfolder.empty()) place.name = fmt::format("{}/{}", subfolder.substr(1), place.name);
    place.real_folder = *real_source;
  }
  if (const auto problem = registry::name_problem(place.name)) return fail("{}", *problem);
  return place;
}

// Whether a server passes the place by, and why.
Result<> check_is_for_functions(const Place& place, const std::string& real_path) {
  const std::string_view in_public = registry::kPublicFolder;
  if (!place.is_assumed && place.name.starts_with(fmt::format("{}/", in_public))) {
    return fail("lies in {}/, whose files are served as they are", in_public);
  }
  if (place.is_assumed && place.real_folder.ends_with(fmt::format("/{}", in_public))) {
    return fail(
        "lies in {}/, whose files are served as they are; if that is the folder of "
        "functions, name it with --source",
        in_public);
  }
  if (place.is_assumed || place.name.find('/') == std::string::npos) return {};
  const auto scan = TRY(registry::scan_folder(place.real_folder, {}));
  for (const auto& candidate : scan.candidates) {
    if (!candidate.sidecar) continue;
    const auto text = read_text_file(candidate.sidecar->path, registry::kSidecarBytesMax);
    if (!text) continue;
    for (const auto& host : registry::mount_hosts_of(*text)) {
      const auto mounted = registry::resolve_mount(host, candidate, scan.real_folder);
      if (mounted && registry::is_inside(real_path, *mounted)) {
        return fail("lies in {}, which {}.toml mounts: what is there is data", host,
                    candidate.name);
      }
    }
  }
  return {};
}

std::optional<registry::SourceFile> file_at(const std::string& path) {
  const auto stamp = stamp_of(path);
  const auto real = registry::real_path_of(path);
  if (!stamp || !real) return std::nullopt;
  return registry::SourceFile{path, *real, *stamp};
}

// Whether a function that starts plainly could do otherwise, which its author may not know.
bool could_snapshot(const registry::Revision& revision, const std::string& path) {
  const registry::Manifest& manifest = revision.manifest;
  if (revision.snapshot.is_wanted || manifest.snapshot.starts || !manifest.mounts.empty()) {
    return false;
  }
  const auto wasm = read_file(path, registry::RegistryOptions().artifact_bytes_max);
  return wasm && engine::may_snapshot(*wasm);
}

// What a function under inspection keeps in a store is not the server's business.
Result<> try_smoke(const registry::Revision& revision, const std::stop_token& stop) {
  return run_smoke(revision, nullptr, stop);
}

}  // namespace

Result<> check_source(const std::string& folder) {
  if (source::is_s3_url(folder)) return {};  // known when it is looked at
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) {
    const int code = errno;
    if (code == ENOENT) {
      return fail("{}: no such folder; create it, or name the folder that holds your .wasm files",
                  folder);
    }
    return fail("{}: {}", folder, errno_text(code));
  }
  if (!S_ISDIR(status.st_mode)) {
    return fail("{}: this is no folder; name the folder that holds your .wasm files", folder);
  }
  if (::access(folder.c_str(), R_OK | X_OK) != 0) {
    return fail("{}: cannot be read: {}; give this user access with chmod u+rx", folder,
                errno_text(errno));
  }
  return {};
}

Result<std::unique_ptr<Inspector>> Inspector::create(const Config& config,
                                                     SmokeRequests smoke_requests) {
  std::unique_ptr<Inspector> inspector(new Inspector(config, smoke_requests));
  engine::EngineOptions options;
  options.instances_max = kInstancesMax;
  options.memory_bytes_ceiling = config.ceilings.memory_bytes;
  inspector->engine_ = TRY(engine::Engine::create(options));
  auto cache = storage::CodeCache::open(config.cache_dir, config.cache_bytes_max);
  if (cache) {
    inspector->cache_ = std::move(*cache);
  } else {
    log::warn("cache.unavailable", {{"error", cache.error().message}});
  }
  inspector->ticker_ = std::jthread([engine = inspector->engine_.get()](
                                        const std::stop_token& stop) { engine->run_ticker(stop); });
  return inspector;
}

Result<Inspection> Inspector::inspect_folder(const std::string& source) const {
  TRY(check_source(source));
  std::unique_ptr<source::BucketSource> bucket;
  if (source::is_s3_url(source)) {
    bucket = TRY(open_bucket(config_));
    TRY(bucket->look_once());
  }
  registry::RegistryOptions options;
  options.folder = bucket ? bucket->folder() : source;
  if (bucket) options.writable_mounts = registry::WritableMounts::refused;
  options.limits = config_.limits;
  options.ceilings = config_.ceilings;
  if (smoke_requests_ == SmokeRequests::made) options.smoke = try_smoke;
  registry::Registry registry(*engine_, cache_.get(), options, [](const auto& /*catalog*/) {});
  TRY(registry.build_once());
  Inspection inspection{registry.status(), registry.catalog()};
  if (bucket) add_bucket(inspection.status, bucket->status());
  return inspection;
}

Result<registry::RevisionBuilder::Outcome> Inspector::build(const std::string& path,
                                                            FileInspection& inspection) const {
  TRY(check_is_there(path));
  const auto place = TRY(place_of(path, config_.source));
  inspection.functions_folder = place.real_folder;
  inspection.is_folder_assumed = place.is_assumed;
  registry::Candidate candidate;
  candidate.name = place.name;
  const auto wasm = file_at(path);
  if (!wasm) return fail("{}: cannot be looked at, or is no file", path);
  candidate.wasm = *wasm;
  TRY(check_is_for_functions(place, wasm->real_path));
  const auto stem = path.substr(0, path.size() - kModuleSuffix.size());
  candidate.sidecar = file_at(stem + ".toml");
  if (candidate.sidecar && !registry::is_inside(candidate.sidecar->real_path, place.real_folder)) {
    candidate.sidecar_error = fmt::format("{}.toml: leads out of the functions folder", place.name);
  }
  const auto sidecar = registry::read_sidecar(candidate, config_.limits, config_.ceilings);
  const auto canary = registry::canary_name_of(candidate.name);
  const auto function = canary ? std::make_shared<registry::Function>(std::string(canary->function),
                                                                      1, canary->number)
                               : std::make_shared<registry::Function>(candidate.name, 1);
  registry::RevisionBuilder builder(*engine_, cache_.get(),
                                    registry::RegistryOptions().artifact_bytes_max);
  return builder.build({.candidate = candidate,
                        .sidecar = sidecar,
                        .real_folder = place.real_folder,
                        .function = function,
                        .live = nullptr,
                        .live_key = {},
                        .failed_key = {}});
}

std::vector<FileInspection> files_of(const Inspection& inspection, const std::string& folder) {
  const auto path_of = [&folder](const std::string& file) {
    return folder.ends_with('/') ? folder + file : fmt::format("{}/{}", folder, file);
  };
  std::vector<FileInspection> files;
  for (const auto& function : inspection.status.functions) {
    FileInspection file;
    file.path = path_of(function.name) + std::string(kModuleSuffix);
    file.reason = function.error;
    file.artifact_bytes = function.artifact_bytes;
    if (inspection.catalog != nullptr) {
      file.revision = inspection.catalog->find_title(function.name);
    }
    files.push_back(std::move(file));
  }
  for (const auto& problem : inspection.status.problems) {
    FileInspection file;
    file.path = path_of(problem.path);
    file.reason = problem.message;
    files.push_back(std::move(file));
  }
  return files;
}

void tell_conflict(FileInspection& file, std::span<const FileInspection> earlier) {
  const auto shape_of = [](const registry::Revision& revision) {
    return revision.manifest.host + registry::shape_of(*registry::parse_route(revision.route));
  };
  const auto is_served = [](const FileInspection& each) {
    return each.revision != nullptr && each.reason.empty() && !each.functions_folder.empty();
  };
  if (!is_served(file)) return;
  for (const FileInspection& other : earlier) {
    if (!is_served(other) || other.functions_folder != file.functions_folder) continue;
    const registry::Revision& taken = *other.revision;
    // A canary has its function's.
    if (taken.function->name == file.revision->function->name) continue;
    if (shape_of(taken) != shape_of(*file.revision)) continue;
    file.reason = fmt::format(
        "route {}{}: is that of both '{}' and '{}'; give one of them another route",
        taken.manifest.host, taken.route, taken.function->name, file.revision->function->name);
    return;
  }
}

FileInspection Inspector::inspect_file(const std::string& path) const {
  FileInspection inspection;
  inspection.path = path;
  auto outcome = build(path, inspection);
  if (outcome) {
    inspection.revision = outcome->revision;
    inspection.reason = outcome->error;
    inspection.artifact_bytes = outcome->artifact_bytes;
    inspection.could_snapshot = inspection.revision && could_snapshot(*inspection.revision, path);
    const bool has_smoke = inspection.revision && inspection.revision->manifest.smoke;
    if (has_smoke && smoke_requests_ == SmokeRequests::made) {
      const auto answer = try_smoke(*inspection.revision, {});
      if (!answer) inspection.reason = answer.error().message;
    }
  } else {
    inspection.reason = outcome.error().message;
  }
  return inspection;
}

}  // namespace funcd::server
