#include "cli/import_project.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/open_folder.h"
#include "registry/artifact.h"
#include "registry/inside.h"

namespace funcd::cli {
namespace {

constexpr std::string_view kMountsFolder = "_mounts";

Result<std::vector<std::string>> names_in(const std::string& folder) {
  const OpenFolder open(::opendir(folder.c_str()));
  if (!open) return fail("{}: {}", folder, errno_text(errno));
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() == kImportFilesMax) {
      return fail("{}: holds more than the {} files that are read", folder, kImportFilesMax);
    }
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Walk {
 public:
  Walk(const ImportProject& project, const TreeWalk& walk) : project_(project), walk_(walk) {}

  Result<> enter(const std::string& real_folder, const std::string& relative, int depth) {
    if (depth > kImportDepthMax) {
      return fail("{}: lies deeper than {} folders, or is a loop of links", real_folder,
                  kImportDepthMax);
    }
    for (const std::string& name : TRY(names_in(real_folder))) {
      if (name.front() == '.' && !walk_.takes_hidden) {
        ++count_.hidden;
        continue;
      }
      TRY(visit(real_folder + "/" + name, relative + name, depth));
    }
    return {};
  }

  [[nodiscard]] TreeCount count() const { return count_; }

 private:
  Result<> visit(const std::string& path, const std::string& relative, int depth) {
    const std::string real = TRY(find_in(project_, project_.base, path));
    struct stat status {};
    if (::stat(real.c_str(), &status) != 0) return fail("{}: {}", path, errno_text(errno));
    if (S_ISDIR(status.st_mode)) {
      if (real == project_.excluded) return {};
      return enter(real, relative + "/", depth + 1);
    }
    if (!S_ISREG(status.st_mode)) return {};
    if (++count_.taken > kImportFilesMax) {
      return fail("{}: holds more than the {} files that are read", walk_.folder, kImportFilesMax);
    }
    return walk_.on_file(relative, real);
  }

  const ImportProject& project_;
  const TreeWalk& walk_;
  TreeCount count_;
};

std::string_view first_segment(std::string_view path) {
  return path.substr(0, path.find('/'));
}

std::string_view without_first(std::string_view path) {
  const auto slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
}

bool segment_fits(std::string_view text, std::string_view pattern) {
  return ::fnmatch(std::string(pattern).c_str(), std::string(text).c_str(), 0) == 0;
}

}  // namespace

Result<std::string> find_in(const ImportProject& project, std::string_view base,
                            std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos)
    return fail("'{}' is no path", path);
  const std::string full =
      path.front() == '/' ? std::string(path) : fmt::format("{}/{}", base, path);
  auto real = registry::real_path_of(full);
  if (!real) return fail("{}: {}", path, real.error().message);
  if (!registry::is_inside(*real, project.root)) {
    return fail(
        "{} leads out of {}, to {}; copy it there, or name a folder that holds both by --root",
        path, project.root, *real);
  }
  return real;
}

Result<WasmKind> wasm_kind_of(const std::string& real_path) {
  const Descriptor file(::open(real_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    return fail("{}: {}", real_path, errno_text(errno));
  }
  if (!S_ISREG(status.st_mode)) return fail("{}: is not a regular file", real_path);
  std::array<std::uint8_t, 16> begin{};
  const ssize_t count = ::pread(file.get(), begin.data(), begin.size(), 0);
  if (count < 0) return fail("{}: {}", real_path, errno_text(errno));
  const auto checked =
      registry::check_artifact(std::span(begin).first(static_cast<std::size_t>(count)));
  if (!checked) return fail("{}: {}", real_path, checked.error().message);
  return begin[6] == 0 ? WasmKind::module : WasmKind::component;  // the layer
}

Result<TreeCount> walk_tree(const ImportProject& project, const TreeWalk& walk) {
  Walk walker(project, walk);
  TRY(walker.enter(walk.folder, "", 0));
  return walker.count();
}

bool fits_pattern(std::string_view path, std::string_view pattern) {
  if (pattern.empty()) return path.empty();
  if (first_segment(pattern) == "**") {
    const std::string_view rest = without_first(pattern);
    if (rest.empty()) return true;
    for (; !path.empty(); path = without_first(path)) {
      if (fits_pattern(path, rest)) return true;
    }
    return false;
  }
  return !path.empty() && segment_fits(first_segment(path), first_segment(pattern)) &&
         fits_pattern(without_first(path), without_first(pattern));
}

Result<std::string> ImportedFolders::add(const std::string& real_folder) {
  for (const auto& [folder, place] : places_) {
    if (folder == real_folder) return place;
  }
  if (!std::filesystem::is_directory(real_folder)) return fail("{} is no folder", real_folder);
  std::string place = place_for(std::filesystem::path(real_folder).filename().string());
  places_.back().first = real_folder;
  const auto count = TRY(walk_tree(
      project_, {.folder = real_folder,
                 .on_file = [&](const std::string& relative, const std::string& real) -> Result<> {
                   plan_.files.push_back(
                       {.path = fmt::format("{}/{}", place, relative), .source = real, .text = {}});
                   return {};
                 },
                 .takes_hidden = true}));
  // A folder without a file would not be there.
  if (count.taken == 0) plan_.files.push_back({.path = place + "/.keep", .source = {}, .text = {}});
  return place;
}

std::string ImportedFolders::place_for(std::string_view name) {
  const std::string wanted = fmt::format("{}/{}", kMountsFolder, servable_name(name));
  const auto is_taken = [this](const std::string& place) {
    return std::ranges::any_of(places_, [&](const auto& known) { return known.second == place; });
  };
  std::string place = wanted;
  for (int number = 2; is_taken(place); ++number) place = fmt::format("{}-{}", wanted, number);
  places_.emplace_back("", place);
  return place;
}

}  // namespace funcd::cli
