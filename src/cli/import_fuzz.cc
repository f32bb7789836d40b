// Projects of other servers, whose manifests hold any bytes: there is an error, or a plan whose
// files come from within the project and go to within the functions folder. Input: a byte that
// chooses the kind of project, then the manifest.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cli/import_plan.h"
#include "cli/import_project.h"
#include "testing/temp_folder.h"

namespace funcd::cli {
namespace {

struct Kind {
  std::string_view folder;
  std::string_view manifest;
  bool is_folder;  // what is named is the folder, not the manifest
  Result<ImportPlan> (*read)(const ImportProject&);
};
constexpr std::array<Kind, 3> kKinds = {{{"spin", "spin.toml", false, &plan_spin},
                                         {"wagi", "modules.toml", false, &plan_wagi},
                                         {"wws", "a.toml", true, &plan_wws}}};

std::string in(const Kind& kind, std::string_view name) {
  return std::string(kind.folder) + "/" + std::string(name);
}

const TempFolder& projects() {
  static const TempFolder folder;
  static const bool is_filled = [] {
    using namespace std::literals;
    for (const Kind& kind : kKinds) {
      folder.write(in(kind, "a.wasm"), "\0asm\1\0\0\0"sv);
      folder.write(in(kind, "b/c.wasm"), "\0asm\x0d\0\1\0"sv);
      folder.write(in(kind, "public/page.html"), "page");
    }
    return true;
  }();
  CHECK(is_filled);
  return folder;
}

void import(const Kind& kind, std::string_view manifest) {
  const TempFolder& folder = projects();
  folder.write(in(kind, kind.manifest), manifest);
  const std::string root = folder / kind.folder;
  const std::string path = kind.is_folder ? root : folder / in(kind, kind.manifest);
  auto plan = kind.read({.path = path, .base = root, .root = root, .excluded = {}});
  if (!plan || !complete(*plan)) return;
  for (const ImportFile& file : plan->files) {
    CHECK(file.source.empty() || file.source.starts_with(root + "/"), "{}", file.source);
    CHECK(!file.path.starts_with('/') && ("/" + file.path + "/").find("/../") == std::string::npos,
          "{}", file.path);
  }
}

}  // namespace
}  // namespace funcd::cli

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace funcd::cli;  // NOLINT: one function
  if (size == 0) return 0;
  import(kKinds[data[0] % kKinds.size()], {reinterpret_cast<const char*>(data + 1), size - 1});
  return 0;
}
