#include "cli/artifact.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "engine/engine.h"

namespace funcd::cli {
namespace {

constexpr std::uint64_t kArtifactBytesMax = 1ULL << 30;

constexpr std::array<std::uint8_t, 4> kWasmMagic = {0x00, 'a', 's', 'm'};
constexpr std::array<std::uint8_t, 4> kElfMagic = {0x7F, 'E', 'L', 'F'};
// Version and layer (component model, Binary.md): 1 and 0 of a module, 13 and 1 of a component.
constexpr std::array<std::uint8_t, 4> kModuleVersion = {1, 0, 0, 0};
constexpr std::array<std::uint8_t, 4> kComponentVersion = {0x0D, 0, 1, 0};
// Compiled code is an ELF file whose e_ident[EI_OSABI] is Wasmtime's own.
constexpr std::size_t kOsAbiOffset = 7;
constexpr std::uint8_t kWasmtimeOsAbi = 200;

bool has_at(std::span<const std::uint8_t> bytes, std::size_t offset,
            std::span<const std::uint8_t> expected) {
  return bytes.size() >= offset + expected.size() &&
         std::ranges::equal(bytes.subspan(offset, expected.size()), expected);
}

// Text begins with '(' after white space and comments.
bool is_text(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::size_t at = 0;
  while (at < text.size()) {
    at = text.find_first_not_of(" \t\r\n", at);
    if (at == std::string_view::npos) return false;
    if (text.substr(at, 2) != ";;") return text[at] == '(';
    at = text.find('\n', at);
  }
  return false;
}

}  // namespace

ArtifactKind kind_of(std::span<const std::uint8_t> bytes) {
  if (has_at(bytes, 0, kWasmMagic)) {
    if (has_at(bytes, 4, kModuleVersion)) return ArtifactKind::module;
    if (has_at(bytes, 4, kComponentVersion)) return ArtifactKind::component;
    return ArtifactKind::other;
  }
  if (has_at(bytes, 0, kElfMagic)) {
    const bool is_ours = bytes.size() > kOsAbiOffset && bytes[kOsAbiOffset] == kWasmtimeOsAbi;
    return is_ours ? ArtifactKind::compiled : ArtifactKind::elf;
  }
  return is_text(bytes) ? ArtifactKind::text : ArtifactKind::other;
}

std::string_view describe(ArtifactKind kind) {
  switch (kind) {
    case ArtifactKind::module:
      return "a WebAssembly module";
    case ArtifactKind::component:
      return "a WebAssembly component";
    case ArtifactKind::compiled:
      return "compiled code, made by funcd compile";
    case ArtifactKind::text:
      return "WebAssembly text";
    case ArtifactKind::elf:
      return "a native program or library (ELF)";
    case ArtifactKind::other:
      break;
  }
  return "no WebAssembly";
}

Result<Artifact> read_artifact(const std::string& path) {
  Artifact artifact;
  artifact.bytes = TRY(read_file(path, kArtifactBytesMax));
  artifact.kind = kind_of(artifact.bytes);
  switch (artifact.kind) {
    case ArtifactKind::text: {
      const std::string_view text(reinterpret_cast<const char*>(artifact.bytes.data()),
                                  artifact.bytes.size());
      auto binary = engine::Engine::wasm_from_text(text);
      if (!binary) return fail("{}: {}", path, binary.error().message);
      artifact.bytes = std::move(*binary);
      return artifact;
    }
    case ArtifactKind::elf:
    case ArtifactKind::other:
      return fail("{}: {}{}; build it for the target wasm32-wasi", path,
                  artifact.bytes.empty() ? "the file is empty, " : "this is ",
                  describe(artifact.kind));
    default:
      return artifact;
  }
}

}  // namespace funcd::cli
