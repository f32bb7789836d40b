#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/file.h"
#include "cli/canary.h"
#include "cli/deployment.h"
#include "cli/verbs.h"
#include "registry/artifact.h"
#include "registry/folder_scan.h"
#include "registry/names.h"

namespace funcd::cli {
namespace {

namespace fs = std::filesystem;
using Bytes = source::ObjectStore::Bytes;

constexpr const char* kFooter =
    "Takes the sidecar beside the file along, and the schemas that it names. Where none lies\n"
    "there the function keeps the one that it has; an empty one takes it away. Each deployment is\n"
    "kept as a revision: funcd revisions lists them, funcd rollback goes back.\n"
    "With --canary the live revision stays, and the new one gets a share of the requests beside\n"
    "it: funcd canary changes the share, funcd promote gives it all, funcd rollback drops it.\n"
    "Exit code: 0 when it is done (with --wait: live), else 1.\n"
    "\n"
    "Examples:\n"
    "  funcd deploy hello.wasm                          to the server that runs here\n"
    "  funcd deploy hello.wasm --to ./functions\n"
    "  funcd deploy hello.wasm --canary 5% --sticky cookie\n"
    "  funcd deploy build/users.wasm --name api/users --to s3://functions/prod --wait";

constexpr std::uint64_t kArtifactBytesMax = 256ULL << 20;
constexpr std::uint64_t kSchemaBytesMax = 1ULL << 20;
constexpr std::string_view kModuleSuffix = ".wasm";
constexpr std::string_view kSidecarSuffix = ".toml";
constexpr int kBarCells = 24;

struct Deploy {
  explicit Deploy(CLI::App& verb) : source(verb, SourceFlags::Waiting::possible) {}

  SourceFlags source;
  std::string file;
  std::string name;
  CanaryFlags canary;
};

// A sidecar, and where the schemas lie that it names.
struct FoundSidecar {
  using ReadSchema = std::function<Result<Bytes>(const std::string& path)>;
  std::string title;
  Bytes text;
  ReadSchema read_schema;
  bool is_kept = false;  // none lies beside the file, so it is that which the function has
};
struct Collected {
  source::Deployments::Files files;
  std::string kept;  // the sidecar's path when it is kept; else ""
};

// Nothing where there is none to go with the revision.
Result<std::optional<FoundSidecar>> find_sidecar(const Deploy& request, const std::string& name,
                                                 source::ObjectStore& store) {
  const fs::path beside = fs::path(request.file).replace_extension(kSidecarSuffix);
  std::error_code ignored;
  if (fs::exists(beside, ignored)) {
    const auto read_schema = [folder = beside.parent_path()](const std::string& path) {
      return read_file(folder / path, kSchemaBytesMax);
    };
    return FoundSidecar{.title = beside,
                        .text = TRY(read_file(beside, registry::kSidecarBytesMax)),
                        .read_schema = read_schema};
  }
  const std::string path = name + std::string(kSidecarSuffix);
  auto stored = TRY(store.get(path, registry::kSidecarBytesMax));
  if (!stored || stored->bytes.empty()) return std::nullopt;
  const auto read_schema = [&store, &name](const std::string& schema) -> Result<Bytes> {
    const std::string lies_at = schema_path(name, schema);
    auto found = TRY(store.get(lies_at, kSchemaBytesMax));
    if (!found) return fail("{}: is not there", lies_at);
    return std::move(found->bytes);
  };
  return FoundSidecar{
      .title = path, .text = std::move(stored->bytes), .read_schema = read_schema, .is_kept = true};
}

Result<> add_sidecar(const FoundSidecar& sidecar, const std::string& name,
                     const server::Config& config, source::Deployments::Files& files) {
  const auto manifest = TRY(registry::parse_manifest(
      {reinterpret_cast<const char*>(sidecar.text.data()), sidecar.text.size()}, sidecar.title,
      config.limits, config.ceilings));
  if (manifest.canary) {
    return fail("{}: [canary] is written by funcd deploy --canary; remove it", sidecar.title);
  }
  for (const NamedSchema& schema : schemas_of(name, manifest)) {
    if (schema.path.starts_with("..")) {
      return fail("{}: schema {}: leads out of the source", sidecar.title, schema.name);
    }
    files.push_back({schema.path, TRY(sidecar.read_schema(schema.name))});
  }
  files.push_back({name + std::string(kSidecarSuffix), sidecar.text});
  return {};
}

// The files of the function, under the paths that they get in the source. Checked as far as they
// can be without a compiler.
Result<Collected> collect(const Deploy& request, const std::string& name,
                          const server::Config& config, source::ObjectStore& store) {
  Collected collected;
  auto module = TRY(read_file(request.file, kArtifactBytesMax));
  if (auto checked = registry::check_artifact(module); !checked) {
    return fail("{}: {}", request.file, checked.error().message);
  }
  if (const auto sidecar = TRY(find_sidecar(request, name, store))) {
    auto& files = collected.files;
    if (auto added = add_sidecar(*sidecar, name, config, files); !added) {
      if (!sidecar->is_kept) return fail(added.error());
      return fail(
          "{}; that is the sidecar of {} in the source, as {} has none beside it: correct "
          "it, or put another beside the file, an empty one for none",
          added.error().message, name, request.file);
    }
    if (sidecar->is_kept) collected.kept = sidecar->title;
  }
  collected.files.push_back({name + std::string(kModuleSuffix), std::move(module)});
  return collected;
}

// On a terminal only, in one line that is drawn again and again.
class Progress {
 public:
  explicit Progress(std::string what) : what_(std::move(what)), is_shown_(::isatty(2) == 1) {}
  ~Progress() {
    if (is_shown_ && is_drawn_) print_error("\r\x1b[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void draw(std::uint64_t done, std::uint64_t total) {
    if (!is_shown_ || total == 0) return;
    const int cells = static_cast<int>(kBarCells * done / total);
    const int percent = static_cast<int>(100 * done / total);
    if (std::exchange(percent_, percent) == percent) return;
    is_drawn_ = true;
    print_error(fmt::format("\r{} [{:#<{}}{:-<{}}] {:3}%", what_, "", cells, "", kBarCells - cells,
                            percent));
  }

 private:
  std::string what_;
  bool is_shown_;
  bool is_drawn_ = false;
  int percent_ = -1;
};

Result<> deploy(const Deploy& request, server::Config config) {
  if (!request.file.ends_with(kModuleSuffix)) {
    return fail("{}: expected a .wasm file", request.file);
  }
  std::string name = request.name;
  if (name.empty()) name = fs::path(request.file).stem().string();
  if (const auto problem = registry::name_problem(name)) {
    return fail("{}: {}; name the function with --name", name, *problem);
  }
  if (name.starts_with(std::string(registry::kPublicFolder) + "/")) {
    return fail("{}: what lies in {} is sent as it is, and no function; name it otherwise", name,
                registry::kPublicFolder);
  }
  if (registry::canary_name_of(name)) {
    return fail("{}: is a canary's name; name the function with --name, and add --canary", name);
  }
  const auto share = request.canary.share();
  const auto opened = TRY(request.source.open(std::move(config)));
  const auto collected = TRY(collect(request, name, opened.config, *opened.store));
  const std::string before = TRY(request.source.failure_before(opened.config, name));
  Result<source::Deployments::Change> change;
  {
    Progress progress(fmt::format("uploading {}", name));
    change = opened.deployments().deploy(
        name, collected.files, share,
        [&progress](std::uint64_t sent, std::uint64_t total) { progress.draw(sent, total); });
  }
  if (!change) return fail(change.error());
  // What the function itself has failed for is no news of its canary.
  TRY(request.source.wait(opened.config, name, *change, share ? "" : before));
  request.source.tell(name, *change, opened.source, collected.kept);
  return {};
}

}  // namespace

void add_deploy(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("deploy", "Put a function into a source, as a new revision");
  const auto request = std::make_shared<Deploy>(*verb);
  verb->add_option("FILE", request->file, "the .wasm file")->required();
  verb->add_option("--name", request->name, "the function's name (default: that of the file)")
      ->check([](const std::string& name) { return name.empty() ? "expected a name" : ""; })
      ->type_name("NAME");
  request->canary.add_to(*verb);
  verb->footer(kFooter);
  verb->callback([request, &action] { action = action_of(request, deploy); });
}

}  // namespace funcd::cli
