#include "registry/artifact.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace funcd::registry {
namespace {

// WebAssembly core specification 5.5.16: magic and version; component-model/design/mvp/Binary.md:
// a component has the same magic, version 0xd and layer 1.
constexpr std::string_view kMagic("\0asm", 4);
constexpr std::string_view kModuleVersion("\1\0\0\0", 4);
constexpr std::string_view kComponentVersion("\x0d\0\1\0", 4);

struct Foreign {
  std::string_view begin;
  std::string_view what;
  std::string_view remedy;
};

constexpr std::string_view kBuild = "build it with --target wasm32-wasip1";
constexpr std::array<Foreign, 10> kForeign = {{
    {"\x7f"
     "ELF",
     "an ELF file: native code, or compiled already", kBuild},
    {"MZ", "a Windows program", kBuild},
    {"\xcf\xfa\xed\xfe", "a macOS program", kBuild},
    {"BC\xc0\xde", "LLVM bitcode", "link it to WebAssembly"},
    {"!<arch>", "an archive of object files", "link it to WebAssembly"},
    {"(module", "WebAssembly text", "convert it with wat2wasm"},
    {"(component", "WebAssembly text", "convert it with wasm-tools parse"},
    {"\x1f\x8b", "gzip", "unpack it"},
    {"PK", "a zip file", "unpack it"},
    {"#!", "a script", kBuild},
}};

}  // namespace

Result<> check_artifact(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.empty()) return fail("is empty; copy it again, or wait until it is written");
  if (text.starts_with(kMagic)) {
    const std::string_view version = text.substr(kMagic.size(), kModuleVersion.size());
    if (version == kModuleVersion || version == kComponentVersion) return {};
    if (version.size() < kModuleVersion.size()) {
      return fail("is cut off after {} bytes; copy it again", text.size());
    }
    return fail("is WebAssembly of a version that is not known: {:02x}",
                fmt::join(bytes.subspan(4, 4), " "));
  }
  const auto begin =
      fmt::format("{:02x}", fmt::join(bytes.first(std::min<std::size_t>(bytes.size(), 4)), " "));
  for (const Foreign& foreign : kForeign) {
    if (!text.starts_with(foreign.begin)) continue;
    return fail("not a WebAssembly module: begins with {} ({}); {}", begin, foreign.what,
                foreign.remedy);
  }
  return fail("not a WebAssembly module: begins with {}, not 00 61 73 6d; {}", begin, kBuild);
}

}  // namespace funcd::registry
