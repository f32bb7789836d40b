#include "cli/artifact.h"

#include <span>
#include <string_view>

#include "base/file.h"
#include "engine/engine.h"
#include "registry/artifact.h"

namespace funcd::cli {
namespace {

constexpr std::uint64_t kArtifactBytesMax = 1ULL << 30;

// Compiled code is an ELF file whose e_ident[EI_OSABI] is Wasmtime's own.
bool is_compiled(std::string_view text) {
  constexpr std::string_view kElfMagic =
      "\x7f"
      "ELF";
  constexpr std::size_t kOsAbiOffset = 7;
  constexpr char kWasmtimeOsAbi = '\xc8';
  return text.starts_with(kElfMagic) && text.size() > kOsAbiOffset &&
         text[kOsAbiOffset] == kWasmtimeOsAbi;
}

// Text begins with '(' after white space and comments.
bool is_text(std::string_view text) {
  while (true) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return false;
    text.remove_prefix(begin);
    if (!text.starts_with(";;")) return text.front() == '(';
    const auto line_end = text.find('\n');
    if (line_end == std::string_view::npos) return false;
    text.remove_prefix(line_end);
  }
}

}  // namespace

Result<Artifact> read_artifact(const std::string& path) {
  Artifact artifact;
  artifact.bytes = TRY(read_file(path, kArtifactBytesMax));
  const std::string_view text(reinterpret_cast<const char*>(artifact.bytes.data()),
                              artifact.bytes.size());
  if (is_compiled(text)) {
    artifact.kind = ArtifactKind::compiled;
    return artifact;
  }
  if (is_text(text)) {
    auto binary = engine::Engine::wasm_from_text(text);
    if (!binary) return fail("{}: {}", path, binary.error().message);
    return Artifact{ArtifactKind::text, std::move(*binary)};
  }
  if (auto checked = registry::check_artifact(artifact.bytes); !checked) {
    return fail("{}: {}", path, checked.error().message);
  }
  return artifact;
}

}  // namespace funcd::cli
