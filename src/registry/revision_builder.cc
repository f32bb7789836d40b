#include "registry/revision_builder.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "registry/artifact.h"
#include "registry/inside.h"
#include "registry/mounted_folders.h"
#include "registry/snapshot_maker.h"

namespace funcd::registry {
namespace {

constexpr std::uint64_t kSchemaBytesMax = 1ULL << 20;
// A file that changes while it is read is read again, that often.
constexpr int kReadsMax = 3;
constexpr std::size_t kExportsTold = 12;
// What the baseline compiler is through with in about half a second, which is how long others wait.
constexpr std::uint64_t kBaselineBytesMax = 4ULL << 20;

std::string_view folder_of(std::string_view path) {
  return path.substr(0, path.rfind('/'));
}

// auto becomes data where a response schema implies it.
Result<ContractKind> resolve_contract(const Manifest& manifest) {
  switch (manifest.contract) {
    case ContractKind::automatic:
      return manifest.response_schema ? ContractKind::data : ContractKind::automatic;
    case ContractKind::data:
      return ContractKind::data;
    case ContractKind::cgi:
    case ContractKind::wws:
    case ContractKind::wasi_http:
      if (manifest.response_schema) {
        return fail("[response] schema belongs to the data contract, not to {}",
                    name_of(manifest.contract));
      }
      return manifest.contract;
    case ContractKind::reactor:
      return ContractKind::reactor;
    default:
      return fail(
          "contract '{}' is not served by this version; auto, data, cgi, wws, reactor and "
          "wasi-http "
          "are",
          name_of(manifest.contract));
  }
}

// A component has the contract that its exports say, whatever else is asked for is an error.
Result<ContractKind> contract_of(const engine::Program& program, ContractKind wanted) {
  const bool is_for_components = wanted == ContractKind::wasi_http;
  switch (program.kind()) {
    case engine::ProgramKind::module:
      if (is_for_components) {
        return fail("is a module, and contract 'wasi-http' is for components; leave contract out");
      }
      return wanted;
    case engine::ProgramKind::http_component:
      if (wanted != ContractKind::automatic && !is_for_components) {
        return fail("is a component, and contract '{}' is for modules; leave contract out",
                    name_of(wanted));
      }
      return ContractKind::wasi_http;
    default:
      return fail("is a component, but {}", program.why_no_http());
  }
}

std::string exports_of(const engine::Program& program) {
  std::vector<std::string_view> names;
  for (const engine::Extern& item : program.exports()) {
    if (names.size() == kExportsTold) {
      names.emplace_back("...");
      break;
    }
    names.push_back(item.name);
  }
  return names.empty() ? "it exports nothing"
                       : fmt::format("it exports {}", fmt::join(names, ", "));
}

Result<> check_entry_point(const engine::Program& program, std::string_view name) {
  const auto& exports = program.exports();
  const auto entry = std::find_if(exports.begin(), exports.end(),
                                  [&](const engine::Extern& item) { return item.name == name; });
  if (entry == exports.end()) {
    const bool is_reactor = program.has_export("_initialize");
    return fail("has no {}; {}; build a command with a main function{}", name, exports_of(program),
                is_reactor ? ", or export a function 'handle' from this reactor" : "");
  }
  if (entry->type != "func ()") {
    return fail("its {} is no function without parameters and results, but {}", name, entry->type);
  }
  return {};
}

// Whether an instance is to start from a snapshot; reactors do, unless they are told not to.
bool wants_snapshot(const Manifest& manifest, bool is_reactor) {
  return manifest.snapshot.starts.value_or(is_reactor || manifest.snapshot.is_warm);
}

std::shared_ptr<const engine::Surroundings> surroundings_for(
    const engine::Program& program, const Manifest& manifest,
    const std::vector<engine::Mount>& mounts) {
  if (program.kind() == engine::ProgramKind::module) return nullptr;
  return std::make_shared<const engine::Surroundings>(
      engine::Surroundings::Spec{.env = manifest.env,
                                 .mounts = mounts,
                                 .outbound = manifest.outbound.allow,
                                 .outbound_limits = manifest.outbound.limits});
}

}  // namespace

struct RevisionBuilder::Parts {
  ContractKind contract = ContractKind::automatic;
  std::shared_ptr<const JsonSchema> request_schema;
  std::shared_ptr<const JsonSchema> response_schema;
  std::string schema_texts;
  std::vector<engine::Mount> mounts;
  std::vector<std::uint8_t> artifact;
  std::string digest;
  bool is_reactor = false;

  [[nodiscard]] engine::FileAccess files() const {
    return mounts.empty() ? engine::FileAccess::none : engine::FileAccess::mounts;
  }
  // Names all that a revision depends on, so that two with one key are the same.
  [[nodiscard]] std::string key(const Sidecar& sidecar) const {
    std::string text = digest + "\n" + sha256_hex(sidecar.text) + "\n" + sha256_hex(schema_texts);
    for (const engine::Mount& mount : mounts) text += "\n" + mount.host;
    return sha256_hex(text);
  }
};

namespace {

Result<std::shared_ptr<const JsonSchema>> read_schema(const std::string& path,
                                                      const RevisionBuilder::Order& order,
                                                      std::string& texts,
                                                      RevisionBuilder::Outcome& outcome) {
  const std::string folder(folder_of(order.candidate.wasm.path));
  std::string full = fmt::format("{}/{}", folder, path);
  // A canary may have one of its own beside that of its function.
  if (const auto canary = canary_name_of(order.candidate.name)) {
    const std::string own = fmt::format("{}/{}", folder, canary_path(path, canary->number));
    outcome.dependencies.push_back({own, stamp_of(own)});
    if (outcome.dependencies.back().stamp) full = own;
  }
  if (outcome.dependencies.empty() || outcome.dependencies.back().path != full) {
    outcome.dependencies.push_back({full, stamp_of(full)});
  }
  const auto real = resolve_inside(full, order.real_folder);
  if (!real) return fail("schema {}: {}", path, real.error().message);
  auto text = read_text_file(*real, kSchemaBytesMax);
  if (!text) {
    outcome.is_transient = true;
    return fail("schema {}", text.error().message);
  }
  texts += *text;
  texts += '\0';
  return JsonSchema::parse(*text, path);
}

}  // namespace

RevisionBuilder::Outcome RevisionBuilder::build(const Order& order) {
  Outcome outcome;
  Parts parts;
  const auto failed = [&outcome](const Error& error) {
    outcome.kind = Outcome::Kind::failed;
    outcome.error = error.message;
    return outcome;
  };
  if (const auto read = read_manifest_parts(order, parts, outcome); !read) {
    return failed(read.error());
  }
  if (const auto read = read_artifact(order, parts, outcome); !read) return failed(read.error());
  outcome.digest = parts.digest;
  outcome.key = parts.key(order.sidecar);
  if (order.live && outcome.key == order.live_key) {
    outcome.kind = Outcome::Kind::same_as_live;
    return outcome;
  }
  if (outcome.key == order.failed_key) {
    outcome.kind = Outcome::Kind::same_as_failed;
    return outcome;
  }
  auto found = find_program(order, parts, outcome);
  if (!found) {
    return failed(Error{fmt::format("{}.wasm: {}", order.candidate.name, found.error().message)});
  }
  const auto& program = found->program;
  if (program == nullptr) {
    outcome.kind = Outcome::Kind::must_compile;
    return outcome;
  }
  const auto contract = check_program(order, parts, *program);
  if (!contract) {
    return failed(
        Error{fmt::format("{}.wasm: {}", order.candidate.name, contract.error().message)});
  }
  auto surroundings = surroundings_for(*program, *order.sidecar.manifest, parts.mounts);
  outcome.kind = Outcome::Kind::built;
  outcome.revision = std::make_shared<const Revision>(Revision{
      .function = order.function,
      .digest = std::move(parts.digest),
      .sidecar_digest = order.sidecar.text.empty() ? std::string() : sha256_hex(order.sidecar.text),
      .manifest = *order.sidecar.manifest,
      .contract = *contract,
      .is_reactor = parts.is_reactor,
      .snapshot = std::move(found->snapshot),
      .route = order.sidecar.route,
      .program = program,
      .request_schema = std::move(parts.request_schema),
      .response_schema = std::move(parts.response_schema),
      .mounts = std::move(parts.mounts),
      .surroundings = std::move(surroundings),
      .published_at = std::chrono::system_clock::now()});
  return outcome;
}

// All but the artifact. Errors name the sidecar.
Result<> RevisionBuilder::read_manifest_parts(const Order& order, Parts& parts, Outcome& outcome) {
  if (!order.sidecar.manifest) {
    outcome.is_transient = order.sidecar.is_unread;
    return fail(order.sidecar.manifest.error());
  }
  const Manifest& manifest = *order.sidecar.manifest;
  const auto in_sidecar = [&order](const Error& error) {
    return fail("{}.toml: {}", order.candidate.name, error.message);
  };
  const auto contract = resolve_contract(manifest);
  if (!contract) return in_sidecar(contract.error());
  parts.contract = *contract;
  for (const auto& [path, schema] :
       {std::pair(&manifest.request_schema, &parts.request_schema),
        std::pair(&manifest.response_schema, &parts.response_schema)}) {
    if (!*path) continue;
    auto read = read_schema(**path, order, parts.schema_texts, outcome);
    if (!read) return in_sidecar(read.error());
    *schema = std::move(*read);
  }
  for (const MountSpec& mount : manifest.mounts) {
    const std::string host = fmt::format("{}/{}", order.real_folder, mount.host);
    // Its content is the guest's business; what counts is whether it is there.
    auto stamp = stamp_of(host);
    if (stamp) stamp = FileStamp{.device = stamp->device, .inode = stamp->inode};
    outcome.dependencies.push_back({host, stamp, true});
  }
  auto mounts = resolve_mounts(manifest, order.candidate, order.real_folder);
  if (!mounts) return in_sidecar(mounts.error());
  parts.mounts = std::move(*mounts);
  return {};
}

Result<> RevisionBuilder::read_artifact(const Order& order, Parts& parts, Outcome& outcome) {
  const std::string& path = order.candidate.wasm.path;
  for (int reads = 0; reads < kReadsMax; ++reads) {
    const auto before = stamp_of(path);
    if (before && before->bytes > artifact_bytes_max_) {
      return fail("{}.wasm: has {} bytes, more than the {} that an artifact may have",
                  order.candidate.name, before->bytes, artifact_bytes_max_);
    }
    auto bytes = read_file(path, artifact_bytes_max_);
    if (!bytes) {
      outcome.is_transient = true;
      return fail(bytes.error());
    }
    if (stamp_of(path) != before) continue;
    parts.digest = sha256_hex(*bytes);
    parts.artifact = std::move(*bytes);
    parts.is_reactor = engine::is_reactor(parts.artifact);
    if (parts.is_reactor && parts.contract == ContractKind::automatic) {
      parts.contract = ContractKind::reactor;
    }
    outcome.artifact_bytes = parts.artifact.size();
    return {};
  }
  outcome.is_transient = true;
  return fail("{}.wasm: changes while it is read", order.candidate.name);
}

Result<RevisionBuilder::Found> RevisionBuilder::find_program(const Order& order, const Parts& parts,
                                                             Outcome& outcome) {
  TRY(check_artifact(parts.artifact));
  outcome.is_from_cache = true;
  if (wants_snapshot(*order.sidecar.manifest, parts.is_reactor)) {
    return find_snapshot(order, parts, outcome);
  }
  return Found{TRY(find_plain(order, parts, outcome)), {}};
}

// One that starts from a snapshot, or a plain one with the reason.
Result<RevisionBuilder::Found> RevisionBuilder::find_snapshot(const Order& order,
                                                              const Parts& parts,
                                                              Outcome& outcome) {
  const SnapshotMaker::Order wanted{.function = order.function->name,
                                    .artifact = parts.artifact,
                                    .digest = parts.digest,
                                    .manifest = *order.sidecar.manifest,
                                    .is_reactor = parts.is_reactor,
                                    .compile_elsewhere = order.compile_elsewhere,
                                    .stop = order.stop};
  SnapshotMaker::Made made;
  if (parts.files() == engine::FileAccess::none) {
    made.program = loader_.load_cached(SnapshotMaker::digest_of(wanted), parts.files());
    const bool may_compile = order.if_missing != IfMissing::tell || order.code.has_value();
    if (made.program == nullptr && !may_compile) return Found{};
    if (made.program == nullptr) {
      outcome.is_from_cache = false;
      made = TRY(SnapshotMaker(loader_).make(wanted));
    }
  } else {
    made.reason = "folders that are mounted are opened at the start; remove [[mounts]]";
  }
  const std::uint64_t limit = order.sidecar.manifest->limits.memory_bytes;
  if (made.program != nullptr && made.program->memory_bytes_min() > limit) {
    made = {nullptr, "it leaves no room below the limit of memory; raise limits.memory"};
  }
  if (made.program != nullptr)
    return Found{made.program, {.is_wanted = true, .is_used = true, .reason = {}}};
  auto program = TRY(find_plain(order, parts, outcome));
  if (program != nullptr) {
    log::warn("snapshot.unused",
              {{"function", order.function->name},
               {"reason", made.reason},
               {"consequence", "it starts plainly, as it would without [snapshot]"}});
  }
  return Found{std::move(program),
               {.is_wanted = true, .is_used = false, .reason = std::move(made.reason)}};
}

// Null when it has to be compiled and must not.
Result<std::shared_ptr<const engine::Program>> RevisionBuilder::find_plain(const Order& order,
                                                                           const Parts& parts,
                                                                           Outcome& outcome) {
  const auto serves_as_well = [&parts](const std::shared_ptr<const Revision>& revision) {
    return revision && revision->digest == parts.digest && !revision->snapshot.is_used &&
           revision->mounts.empty() == parts.mounts.empty();
  };
  if (serves_as_well(order.live)) return order.live->program;
  const auto sibling = std::ranges::find_if(order.siblings, serves_as_well);
  if (sibling != order.siblings.end()) return (*sibling)->program;
  if (auto program = loader_.load_cached(parts.digest, parts.files())) return program;
  outcome.is_from_cache = false;
  if (order.code && order.code->digest == parts.digest) {
    return loader_.take_code(order.code->bytes, parts.digest, parts.files(), order.code->tier);
  }
  switch (order.if_missing) {
    case IfMissing::tell:
      return nullptr;
    case IfMissing::compile:
      return loader_.compile(parts.artifact, parts.digest, parts.files());
    case IfMissing::compile_baseline:
      break;
  }
  if (parts.artifact.size() > kBaselineBytesMax) return nullptr;
  auto program = loader_.compile_baseline(parts.artifact, parts.files());
  // Why it was refused, the optimizing compiler tells, if it refuses it too.
  if (program) return program;
  outcome.is_refused_by_baseline = true;
  return nullptr;
}

Result<std::shared_ptr<const Revision>> RevisionBuilder::with_code(const Revision& revision,
                                                                   const Code& code) {
  const engine::FileAccess files =
      revision.mounts.empty() ? engine::FileAccess::none : engine::FileAccess::mounts;
  auto changed = std::make_shared<Revision>(revision);
  changed->program = TRY(loader_.take_code(code.bytes, revision.digest, files, code.tier));
  return changed;
}

Result<ContractKind> RevisionBuilder::check_program(const Order& order, const Parts& parts,
                                                    const engine::Program& program) const {
  const ContractKind contract = TRY(contract_of(program, parts.contract));
  if (contract == ContractKind::reactor && !parts.is_reactor) {
    return fail("is no reactor, which exports _initialize and handle and no _start; {}",
                exports_of(program));
  }
  if (contract == ContractKind::wasi_http && (parts.request_schema || parts.response_schema)) {
    return fail("is a component, which gets and gives bodies as they are; remove {} from {}.toml",
                parts.request_schema ? "[request] schema" : "[response] schema",
                order.candidate.name);
  }
  if (program.kind() == engine::ProgramKind::module) {
    TRY(check_entry_point(program,
                          parts.is_reactor ? engine::kReactorEntry : engine::kCommandEntry));
    if (!order.sidecar.manifest->outbound.allow.empty()) {
      return fail("is a module, which can send no requests; remove [outbound] from {}.toml",
                  order.candidate.name);
    }
  }
  const std::uint64_t limit = order.sidecar.manifest->limits.memory_bytes;
  if (program.memory_bytes_min() > limit) {
    return fail(
        "declares {} of memory at its start, more than its limit of {}; raise "
        "limits.memory in {}.toml",
        format_size(program.memory_bytes_min()), format_size(limit), order.candidate.name);
  }
  const auto probed = loader_.engine().probe(program, limit);
  if (!probed) return fail("no instance of it can be made: {}", probed.error().message);
  return contract;
}

}  // namespace funcd::registry
