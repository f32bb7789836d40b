#include "registry/inside.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/file.h"

namespace funcd::registry {

bool is_inside(std::string_view path, std::string_view folder) {
  if (!path.starts_with(folder)) return false;
  return path.size() == folder.size() || folder.ends_with('/') || path[folder.size()] == '/';
}

bool is_inside_any(std::string_view path, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(),
                     [path](const std::string& folder) { return is_inside(path, folder); });
}

Result<std::string> real_path_of(const std::string& path) {
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  if (real) return std::string(real.get());
  if (errno == ELOOP) return fail("is a loop of links");
  return fail("{}", errno_text(errno));
}

Result<std::string> resolve_inside(const std::string& path, std::string_view folder) {
  std::string real = TRY(real_path_of(path));
  if (!is_inside(real, folder)) return fail("leads out of the functions folder, to {}", real);
  return real;
}

}  // namespace funcd::registry
