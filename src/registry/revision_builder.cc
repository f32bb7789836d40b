#include "registry/revision_builder.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "registry/artifact.h"
#include "registry/inside.h"
#include "registry/mounted_folders.h"
#include "registry/program_check.h"

namespace funcd::registry {
namespace {

constexpr std::uint64_t kSchemaBytesMax = 1ULL << 20;
// The dead are removed whenever the living may have doubled.
constexpr std::size_t kSchemasSweptMin = 64;
// A file that changes while it is read is read again, that often.
constexpr int kReadsMax = 3;
// What the baseline compiler is through with in about half a second, which is how long others wait.
constexpr std::uint64_t kBaselineBytesMax = 4ULL << 20;

std::string_view folder_of(std::string_view path) {
  return path.substr(0, path.rfind('/'));
}

// auto becomes data where a response schema implies it.
Result<ContractKind> resolve_contract(const Manifest& manifest) {
  if (!manifest.response_schema || manifest.contract == ContractKind::reactor) {
    return manifest.contract;
  }
  if (manifest.contract == ContractKind::automatic || manifest.contract == ContractKind::data) {
    return ContractKind::data;
  }
  return fail("[response] schema belongs to the data contract, not to {}",
              name_of(manifest.contract));
}

// Whether an instance is to start from a snapshot; reactors do, unless they are told not to.
bool wants_snapshot(const Manifest& manifest, bool is_reactor) {
  return manifest.snapshot.starts.value_or(is_reactor || manifest.snapshot.is_warm);
}

std::shared_ptr<const engine::Surroundings> surroundings_for(
    engine::ProgramKind kind, const Manifest& manifest, const std::vector<engine::Mount>& mounts) {
  if (kind == engine::ProgramKind::module) return nullptr;
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
  std::map<std::string, std::string> schema_digests;  // by path
  std::vector<engine::Mount> mounts;
  std::vector<std::uint8_t> artifact;
  std::string digest;
  bool is_reactor = false;

  [[nodiscard]] engine::FileAccess files() const {
    return mounts.empty() ? engine::FileAccess::none : engine::FileAccess::mounts;
  }
  // Of what starts plainly.
  [[nodiscard]] CodeName code() const { return {.digest = digest, .files = files()}; }
  // Of an artifact that is one, or not.
  void take_kind(bool is_reactor_in) {
    is_reactor = is_reactor_in;
    if (is_reactor && contract == ContractKind::automatic) contract = ContractKind::reactor;
  }
  // Names all that a revision depends on, so that two with one key are the same.
  [[nodiscard]] std::string key(const Sidecar& sidecar) const {
    std::string text = digest + "\n" + sha256_hex(sidecar.text);
    for (const auto& [path, schema] : schema_digests) text += "\n" + schema;
    for (const engine::Mount& mount : mounts) text += "\n" + mount.host;
    return sha256_hex(text);
  }
};

Result<std::shared_ptr<const JsonSchema>> RevisionBuilder::read_schema(const std::string& path,
                                                                       const Order& order,
                                                                       std::string& digest,
                                                                       Outcome& outcome) {
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
  digest = sha256_hex(*text);
  auto& shared = schemas_[{path, digest}];
  if (auto schema = shared.lock()) return schema;
  auto schema = TRY(JsonSchema::parse(*text, path));
  shared = schema;
  if (schemas_.size() >= 2 * std::max(schemas_swept_, kSchemasSweptMin)) {
    std::erase_if(schemas_, [](const auto& entry) { return entry.second.expired(); });
    schemas_swept_ = schemas_.size();
  }
  return schema;
}

RevisionBuilder::Outcome RevisionBuilder::build(const Order& order) {
  Outcome outcome;
  Parts parts;
  const auto failed = [&outcome](const Error& error) {
    outcome.error = error.message;
    return outcome;
  };
  if (const auto read = read_manifest_parts(order, parts, outcome); !read) {
    return failed(read.error());
  }
  const bool is_read = !take_proven_artifact(order, parts, outcome);
  if (is_read) {
    if (const auto read = read_artifact(order, parts, outcome); !read) return failed(read.error());
  }
  outcome.digest = parts.digest;
  outcome.key = outcome.proof.key = parts.key(order.sidecar);
  if (order.live && outcome.key == order.live_key) {
    outcome.kind = Outcome::Kind::same_as_live;
    return outcome;
  }
  if (outcome.key == order.failed_key) {
    outcome.kind = Outcome::Kind::same_as_failed;
    return outcome;
  }
  if (is_proven(order, outcome)) {
    take_proof(order, parts, outcome);
    return outcome;
  }
  if (!is_read) {
    Order unproven = order;
    unproven.proof = nullptr;
    return build(unproven);
  }
  auto found = find_program(order, parts, outcome);
  if (!found) {
    return failed(Error{fmt::format("{}.wasm: {}", order.candidate.name, found.error().message)});
  }
  if (found->program == nullptr) {
    outcome.kind =
        found->must_snapshot ? Outcome::Kind::must_snapshot : Outcome::Kind::must_compile;
    return outcome;
  }
  const auto contract = check_program(loader_.engine(), *found->program,
                                      {.function = order.candidate.name,
                                       .manifest = *order.sidecar.manifest,
                                       .contract = parts.contract,
                                       .is_reactor = parts.is_reactor});
  if (!contract) {
    return failed(
        Error{fmt::format("{}.wasm: {}", order.candidate.name, contract.error().message)});
  }
  outcome.proof.memory_bytes_max = order.sidecar.manifest->limits.memory_bytes;
  outcome.proof.contract = *contract;
  outcome.proof.snapshot = found->snapshot;
  outcome.proof.code = found->code;
  outcome.proof.facts = ProgramFacts::of(*found->program);
  make_revision(order, parts, outcome, loader_.lazy(found->code, found->program));
  return outcome;
}

// Of an earlier time: nothing is tried again.
void RevisionBuilder::take_proof(const Order& order, Parts& parts, Outcome& outcome) {
  Proof proof = *order.proof;
  proof.artifact = std::move(outcome.proof.artifact);
  outcome.proof = std::move(proof);
  outcome.is_proven = outcome.is_from_cache = true;
  make_revision(order, parts, outcome, loader_.lazy(order.proof->code, order.proof->facts));
}

// Of what the outcome's proof says.
void RevisionBuilder::make_revision(const Order& order, Parts& parts, Outcome& outcome,
                                    std::shared_ptr<LazyProgram> program) {
  const Proof& proof = outcome.proof;
  auto surroundings = surroundings_for(proof.facts.kind, *order.sidecar.manifest, parts.mounts);
  outcome.kind = Outcome::Kind::built;
  outcome.revision = std::make_shared<const Revision>(Revision{
      .function = order.function,
      .digest = std::move(parts.digest),
      .sidecar_digest = order.sidecar.text.empty() ? std::string() : sha256_hex(order.sidecar.text),
      .schema_digests = std::move(parts.schema_digests),
      .manifest = *order.sidecar.manifest,
      .contract = proof.contract,
      .is_reactor = parts.is_reactor,
      .snapshot = proof.snapshot,
      .route = order.sidecar.route,
      .program = std::move(program),
      .request_schema = std::move(parts.request_schema),
      .response_schema = std::move(parts.response_schema),
      .mounts = std::move(parts.mounts),
      .surroundings = std::move(surroundings),
      .published_at = std::chrono::system_clock::now()});
}

// Whether the same artifact went live before under the same sidecar and limit, and its code is
// still there.
bool RevisionBuilder::is_proven(const Order& order, const Outcome& outcome) const {
  return order.proof != nullptr && order.proof->key == outcome.key &&
         order.proof->memory_bytes_max == order.sidecar.manifest->limits.memory_bytes &&
         order.proof->facts.tier == engine::Tier::optimized &&
         loader_.has_cached(order.proof->code.digest);
}

bool RevisionBuilder::take_proven_artifact(const Order& order, Parts& parts, Outcome& outcome) {
  if (order.proof == nullptr) return false;
  const Proof::Artifact& known = order.proof->artifact;
  if (!known.covers(order.candidate.wasm.stamp)) return false;
  parts.digest = known.digest;
  parts.take_kind(known.is_reactor);
  outcome.artifact_bytes = known.bytes;
  outcome.proof.artifact = known;
  return true;
}

// All but the artifact. Errors name the sidecar and the line.
Result<> RevisionBuilder::read_manifest_parts(const Order& order, Parts& parts, Outcome& outcome) {
  if (!order.sidecar.manifest) {
    outcome.is_transient = order.sidecar.is_unread;
    return fail(order.sidecar.manifest.error());
  }
  const Manifest& manifest = *order.sidecar.manifest;
  const auto in_sidecar = [&order](std::uint32_t line, const Error& error) {
    return fail("{}.toml:{}: {}", order.candidate.name, line, error.message);
  };
  const auto contract = resolve_contract(manifest);
  if (!contract) return in_sidecar(manifest.lines.response_schema, contract.error());
  parts.contract = *contract;
  const Manifest::Lines& lines = manifest.lines;
  for (const auto& [path, line, schema] :
       {std::tuple(&manifest.request_schema, lines.request_schema, &parts.request_schema),
        std::tuple(&manifest.response_schema, lines.response_schema, &parts.response_schema)}) {
    if (!*path) continue;
    auto read = read_schema(**path, order, parts.schema_digests[**path], outcome);
    if (!read) return in_sidecar(line, read.error());
    *schema = std::move(*read);
  }
  for (const MountSpec& mount : manifest.mounts) {
    const std::string host = fmt::format("{}/{}", order.real_folder, mount.host);
    // Its content is the guest's business; what counts is whether it is there.
    auto stamp = stamp_of(host);
    if (stamp) stamp = FileStamp{.device = stamp->device, .inode = stamp->inode};
    outcome.dependencies.push_back({host, stamp, true});
  }
  parts.mounts = TRY(resolve_mounts(manifest, order.candidate, order.real_folder));
  return {};
}

Result<> RevisionBuilder::read_artifact(const Order& order, Parts& parts, Outcome& outcome) {
  const std::string& path = order.candidate.wasm.path;
  for (int reads = 0; reads < kReadsMax; ++reads) {
    const auto read_at = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    const auto before = stamp_of(path);
    // What lies beside it may be newer, too.
    if (before && *before != order.candidate.wasm.stamp) {
      outcome.kind = Outcome::Kind::outdated;
      return fail("{}.wasm: has changed since it was found; try again", order.candidate.name);
    }
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
    parts.take_kind(engine::is_reactor(parts.artifact));
    outcome.artifact_bytes = parts.artifact.size();
    outcome.proof.artifact = {.stamp = before.value_or(FileStamp()),
                              .read_at_ns = read_at.count(),
                              .digest = parts.digest,
                              .bytes = parts.artifact.size(),
                              .is_reactor = parts.is_reactor};
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
  return Found{TRY(find_plain(order, parts, outcome)), parts.code(), {}};
}

// What has come of the snapshot; nothing when it has to be made and must not be here.
Result<std::optional<SnapshotMaker::Made>> RevisionBuilder::find_made(
    const Order& order, const SnapshotMaker::Order& wanted, const CodeName& code,
    Outcome& outcome) {
  using Made = SnapshotMaker::Made;
  if (code.files != engine::FileAccess::none) {
    return Made{nullptr, "folders that are mounted are opened at the start; remove [[mounts]]"};
  }
  if (order.snapshot != nullptr && order.snapshot->key == outcome.key) {
    outcome.is_from_cache = false;
    if (!order.snapshot->made) return fail(order.snapshot->made.error());
    return *order.snapshot->made;
  }
  if (auto program = loader_.load_cached(code)) return Made{std::move(program), {}};
  if (order.snapshots_by != Order::SnapshotsBy::this_thread) return std::nullopt;
  outcome.is_from_cache = false;
  return TRY(SnapshotMaker(loader_).make(wanted));
}

// One that starts from a snapshot, or a plain one with the reason.
Result<RevisionBuilder::Found> RevisionBuilder::find_snapshot(const Order& order,
                                                              const Parts& parts,
                                                              Outcome& outcome) {
  const SnapshotMaker::Order wanted{.function = order.function->name,
                                    .artifact = parts.artifact,
                                    .digest = parts.digest,
                                    .manifest = *order.sidecar.manifest,
                                    .is_reactor = parts.is_reactor};
  CodeName code{.digest = SnapshotMaker::digest_of(wanted), .files = parts.files()};
  auto found = TRY(find_made(order, wanted, code, outcome));
  if (!found) {
    Found nothing;
    nothing.must_snapshot = order.snapshots_by == Order::SnapshotsBy::others;
    return nothing;
  }
  SnapshotMaker::Made made = std::move(*found);
  const std::uint64_t limit = order.sidecar.manifest->limits.memory_bytes;
  if (made.program != nullptr && made.program->memory_bytes_min() > limit) {
    made = {nullptr, "it leaves no room below the limit of memory; raise limits.memory"};
  }
  if (made.program != nullptr) {
    return Found{made.program, std::move(code), {.is_wanted = true, .is_used = true, .reason = {}}};
  }
  auto program = TRY(find_plain(order, parts, outcome));
  if (program != nullptr) {
    log::warn("snapshot.unused",
              {{"function", order.function->name},
               {"reason", made.reason},
               {"consequence", "it starts plainly, as it would without [snapshot]"}});
  }
  return Found{std::move(program),
               parts.code(),
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
  if (serves_as_well(order.live)) {
    if (auto program = order.live->program->share()) return program;
  }
  const auto sibling = std::ranges::find_if(order.siblings, serves_as_well);
  if (sibling != order.siblings.end()) {
    if (auto program = (*sibling)->program->share()) return program;
  }
  if (auto program = loader_.load_cached(parts.code())) return program;
  outcome.is_from_cache = false;
  if (order.code && order.code->digest == parts.digest) {
    return loader_.take_code(order.code->bytes, parts.code(), order.code->tier);
  }
  switch (order.if_missing) {
    case IfMissing::tell:
      return nullptr;
    case IfMissing::compile:
      return loader_.compile(parts.artifact, parts.code());
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
  const CodeName name{.digest = revision.digest, .files = files};
  auto program = code.tier == engine::Tier::optimized ? loader_.table().find(name) : nullptr;
  if (program == nullptr) program = TRY(loader_.take_code(code.bytes, name, code.tier));
  changed->program = loader_.lazy(name, std::move(program));
  return changed;
}

}  // namespace funcd::registry
