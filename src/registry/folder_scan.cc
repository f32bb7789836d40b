#include "registry/folder_scan.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/open_folder.h"
#include "registry/inside.h"
#include "registry/names.h"

namespace funcd::registry {
namespace {

constexpr std::string_view kModuleSuffix = ".wasm";
constexpr std::string_view kSidecarSuffix = ".toml";
// The server's own configuration may lie in the folder that it serves.
constexpr std::string_view kConfigName = "funcd.toml";

// One folder on the way down from the source.
struct Place {
  std::string path;       // to open it by
  std::string real_path;  // where that leads
  std::string name;       // "api/", relative; "" for the source itself
  int depth = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> above;  // device and inode, with its own
};

class Walk {
 public:
  Walk(const ScanOptions& options, std::string real_folder) : options_(options) {
    scan_.real_folder = std::move(real_folder);
  }

  Result<> enter(const Place& place);
  FolderScan finish();

 private:
  void visit(const Place& place, const std::string& name, unsigned char type);
  void visit_folder(const Place& place, const std::string& name, const struct stat& status);
  void visit_hidden_folder(const Place& place, const std::string& name);
  void refuse(const Place& place, const std::string& name, const std::string& reason);
  void visit_file(const Place& place, const std::string& name, const struct stat& status,
                  bool is_link);
  void report(std::string path, std::string message) {
    scan_.problems.push_back({std::move(path), std::move(message)});
  }

  const ScanOptions& options_;
  FolderScan scan_;
  std::size_t entries_ = 0;
  std::map<std::string, SourceFile> modules_;  // by path in the folder, without suffix
  std::map<std::string, SourceFile> sidecars_;
  std::map<std::string, std::string> broken_sidecars_;  // and why
  std::set<std::string> misnamed_;                      // modules that are not served
};

Result<> Walk::enter(const Place& place) {
  options_.on_folder(place.real_path);
  const OpenFolder folder(::opendir(place.path.c_str()));
  if (!folder) return fail("cannot be read: {}", errno_text(errno));
  for (;;) {
    errno = 0;
    const dirent* item = ::readdir(folder.get());
    if (item == nullptr) break;
    const std::string name = item->d_name;
    if (name == "." || name == "..") continue;
    if (++entries_ > kFolderEntriesMax) return {};  // told by finish()
    visit(place, name, item->d_type);
  }
  if (errno != 0) return fail("cannot be read: {}", errno_text(errno));
  return {};
}

void Walk::visit(const Place& place, const std::string& name, unsigned char type) {
  const bool is_candidate = name.ends_with(kModuleSuffix) || name.ends_with(kSidecarSuffix);
  if (type == DT_REG && !is_candidate) return;
  const std::string path = place.path + "/" + name;
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return;  // gone meanwhile
  const bool is_link = S_ISLNK(status.st_mode);
  if (is_link && ::stat(path.c_str(), &status) != 0) {
    const std::string reason =
        errno == ELOOP ? "is a loop of links"
                       : fmt::format("is a link to what cannot be reached: {}", errno_text(errno));
    if (is_candidate) refuse(place, name, reason);
    return;
  }
  if (S_ISDIR(status.st_mode)) {
    if (name.front() != '.') {
      visit_folder(place, name, status);
    } else if (!is_link && !name.starts_with("..")) {  // "..": Kubernetes keeps versions so
      visit_hidden_folder(place, name);
    }
  } else if (is_candidate) {
    visit_file(place, name, status, is_link);
  }
}

// A function whose sidecar is no good must not be served without it.
void Walk::refuse(const Place& place, const std::string& name, const std::string& reason) {
  if (name.ends_with(kSidecarSuffix)) {
    broken_sidecars_.emplace(place.name + name.substr(0, name.size() - kSidecarSuffix.size()),
                             fmt::format("{}: {}", name, reason));
  } else {
    report(place.name + name, reason + "; not served");
  }
}

void Walk::visit_folder(const Place& place, const std::string& name, const struct stat& status) {
  Place below{.path = place.path + "/" + name,
              .real_path = {},
              .name = place.name + name + "/",
              .depth = place.depth + 1,
              .above = place.above};
  auto real = resolve_inside(below.path, scan_.real_folder);
  if (!real) return report(place.name + name, real.error().message);
  below.real_path = std::move(*real);
  if (is_inside_any(below.real_path, options_.excluded)) return;
  if (place.name.empty() && name == kPublicFolder) {
    scan_.has_public_folder = true;
    return;
  }
  const std::pair<std::uint64_t, std::uint64_t> identity{status.st_dev, status.st_ino};
  if (std::find(below.above.begin(), below.above.end(), identity) != below.above.end()) {
    return report(place.name + name, "is a link to a folder that it lies in: a loop");
  }
  if (below.depth > kFolderDepthMax) {
    return report(
        place.name + name,
        fmt::format("lies deeper than {} folders; nothing in it is served", kFolderDepthMax));
  }
  below.above.push_back(identity);
  if (const auto entered = enter(below); !entered) {
    report(place.name + name, entered.error().message);
    scan_.unreadable.push_back(below.name);
  }
}

// What lies there is not served; that it would be, elsewhere, is worth telling.
void Walk::visit_hidden_folder(const Place& place, const std::string& name) {
  const OpenFolder folder(::opendir((place.path + "/" + name).c_str()));
  if (!folder) return;
  while (const dirent* item = ::readdir(folder.get())) {
    const std::string_view file = item->d_name;
    if (!file.ends_with(kModuleSuffix)) continue;
    const std::string stem(file.substr(0, file.size() - kModuleSuffix.size()));
    report(fmt::format("{}{}/{}", place.name, name, file),
           *name_problem(name + "/" + stem) + "; not served");
  }
}

void Walk::visit_file(const Place& place, const std::string& name, const struct stat& status,
                      bool is_link) {
  const bool is_module = name.ends_with(kModuleSuffix);
  if (!is_module && (name.front() == '.' || place.name + name == kConfigName)) return;
  SourceFile file{place.path + "/" + name, place.real_path + "/" + name, stamp_of(status)};
  if (is_link) {
    auto real = resolve_inside(file.path, scan_.real_folder);
    if (!real) return refuse(place, name, real.error().message);
    if (is_inside_any(*real, options_.excluded)) {
      return refuse(place, name, "is a link into a folder that is mounted");
    }
    file.real_path = std::move(*real);
  }
  if (!S_ISREG(status.st_mode)) return refuse(place, name, "is not a file");
  std::string stem = place.name + name.substr(0, name.size() - kModuleSuffix.size());
  if (!is_module) {
    sidecars_.emplace(std::move(stem), std::move(file));
  } else if (const auto problem = name_problem(stem)) {
    misnamed_.insert(stem);
    report(place.name + name, *problem + "; not served");
  } else {
    modules_.emplace(std::move(stem), std::move(file));
  }
}

FolderScan Walk::finish() {
  if (entries_ > kFolderEntriesMax) {
    report(".",
           fmt::format("holds more than {} entries; some are not looked at", kFolderEntriesMax));
    scan_.unreadable.push_back("");
  }
  for (auto& [name, file] : modules_) {
    if (scan_.candidates.size() == kFunctionsMax) {
      report(name + std::string(kModuleSuffix),
             fmt::format("there are more than {} functions; from here on they are not served",
                         kFunctionsMax));
      break;
    }
    Candidate candidate{name, std::move(file), std::nullopt, {}};
    if (auto sidecar = sidecars_.extract(name)) candidate.sidecar = std::move(sidecar.mapped());
    if (auto broken = broken_sidecars_.extract(name)) {
      candidate.sidecar_error = std::move(broken.mapped());
    }
    scan_.candidates.push_back(std::move(candidate));
  }
  for (const auto& [name, error] : broken_sidecars_) {
    report(fmt::format("{}{}", name, kSidecarSuffix), error.substr(error.find(": ") + 2));
  }
  for (const auto& [name, file] : sidecars_) {
    if (modules_.contains(name) || misnamed_.contains(name)) continue;
    report(fmt::format("{}{}", name, kSidecarSuffix),
           fmt::format("is a sidecar without its module {}{}", name, kModuleSuffix));
  }
  std::sort(scan_.problems.begin(), scan_.problems.end(),
            [](const Problem& left, const Problem& right) { return left.path < right.path; });
  return std::move(scan_);
}

}  // namespace

Result<FolderScan> scan_folder(const std::string& folder, const ScanOptions& options) {
  auto real = real_path_of(folder);
  if (!real) return fail("{}: {}", folder, real.error().message);
  struct stat status {};
  if (::stat(real->c_str(), &status) != 0) return fail("{}: {}", folder, errno_text(errno));
  if (!S_ISDIR(status.st_mode)) return fail("{}: is not a folder", folder);
  Walk walk(options, *real);
  const auto entered = walk.enter({.path = folder,
                                   .real_path = *real,
                                   .name = {},
                                   .depth = 0,
                                   .above = {{status.st_dev, status.st_ino}}});
  if (!entered) return fail("{}: {}", folder, entered.error().message);
  return walk.finish();
}

}  // namespace funcd::registry
