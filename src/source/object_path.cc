#include "source/object_path.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace funcd::source {
namespace {

constexpr std::size_t kSegmentBytesMax = 200;
constexpr std::size_t kPathBytesMax = 1024;
constexpr int kSegmentsMax = 17;  // a folder's depth in the registry, and the file

// Calls `each` with every segment until it returns false.
template <class Each>
void for_segments(std::string_view path, Each each) {
  for (;;) {
    const auto slash = path.find('/');
    if (!each(path.substr(0, slash)) || slash == std::string_view::npos) return;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

std::optional<std::string> path_problem(std::string_view path) {
  if (path.size() > kPathBytesMax) return fmt::format("has more than {} bytes", kPathBytesMax);
  if (!is_utf8(path)) return "is not UTF-8";
  const bool has_control =
      std::ranges::any_of(path, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; });
  if (has_control) return "has control characters or a backslash";
  std::optional<std::string> problem;
  int segments = 0;
  for_segments(path, [&](std::string_view segment) {
    if (segment.empty() || segment == "." || segment == "..") {
      problem = fmt::format("has the segment '{}'", segment);
    } else if (segment.size() > kSegmentBytesMax) {
      problem = fmt::format("has a segment of more than {} bytes", kSegmentBytesMax);
    } else if (++segments > kSegmentsMax) {
      problem = fmt::format("has more than {} segments", kSegmentsMax);
    }
    return !problem;
  });
  return problem;
}

KeyKind kind_of_key(std::string_view path) {
  bool is_hidden = path.empty() || path.ends_with('/');
  for_segments(path, [&is_hidden](std::string_view segment) {
    is_hidden |= segment.starts_with('.') && segment != "." && segment != "..";
    return !is_hidden;
  });
  if (is_hidden) return KeyKind::hidden;
  return path_problem(path) ? KeyKind::refused : KeyKind::file;
}

std::string_view stem_of(std::string_view path) {
  const auto name = path.rfind('/') + 1;  // 0 without one
  return path.substr(0, path.find('.', name));
}

}  // namespace funcd::source
