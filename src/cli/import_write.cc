#include "cli/import_write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <span>

#include "base/file.h"
#include "cli/import_project.h"
#include "cli/import_staging.h"

namespace funcd::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kFates = {"created", "replaced", "unchanged"};
constexpr std::size_t kNamedMax = 5;  // of the files that an error is about
constexpr mode_t kFolderMode = 0755;

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Result<std::string> content_of(const ImportFile& file) {
  if (file.source.empty()) return file.text;
  return read_text_file(file.source, kImportFileBytesMax);
}

// What is at a place, links not followed; nothing where nothing is.
Result<std::optional<struct stat>> look_at(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return status;
  if (errno == ENOENT) return std::nullopt;
  return fail("{}: {}", path, errno_text(errno));
}

// That the folders above a file are folders, as far as they are there.
Result<> check_above(const std::string& folder, const std::string& path) {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string above = folder + "/" + path.substr(0, slash);
    const auto status = TRY(look_at(above));
    if (!status) return {};
    if (!S_ISDIR(status->st_mode)) return fail("{}: is no folder; move it away", above);
  }
  return {};
}

Result<FileFate> fate_of(const std::string& folder, const ImportFile& file) {
  TRY(check_above(folder, file.path));
  const std::string target = folder + "/" + file.path;
  const auto status = TRY(look_at(target));
  if (!status) return FileFate::created;
  if (!S_ISREG(status->st_mode)) {
    return fail("{}: is no regular file; move it away", target);
  }
  const std::string content = TRY(content_of(file));
  if (static_cast<std::uint64_t>(status->st_size) != content.size()) return FileFate::replaced;
  return TRY(read_text_file(target, kImportFileBytesMax)) == content ? FileFate::unchanged
                                                                     : FileFate::replaced;
}

Result<std::vector<FileFate>> fates_of(const std::vector<ImportFile>& files,
                                       const std::string& folder, bool replaces) {
  std::vector<FileFate> fates;
  std::vector<std::string_view> different;
  for (const ImportFile& file : files) {
    fates.push_back(TRY(fate_of(folder, file)));
    if (fates.back() == FileFate::replaced) different.push_back(file.path);
  }
  if (different.empty() || replaces) return fates;
  const auto count = different.size();
  different.resize(std::min(count, kNamedMax));
  return fail("{}: has {} {} that would be replaced: {}{}; name another folder, or say --force",
              folder, count, count == 1 ? "file" : "files", fmt::join(different, ", "),
              count > kNamedMax ? ", ..." : "");
}

Result<> write_below(const std::string& folder, const ImportFile& file) {
  const std::string target = folder + "/" + file.path;
  std::error_code error;
  fs::create_directories(fs::path(target).parent_path(), error);
  if (error) return fail("{}: {}", target, error.message());
  return write_file(target, bytes_of(TRY(content_of(file))));
}

// Moves files into a folder that is there, and back when one of them cannot be.
class Placement {
 public:
  Placement(std::string staging, std::string folder)
      : staging_(std::move(staging)), folder_(std::move(folder)) {}

  Result<> place(const std::string& path, FileFate fate) {
    TRY(make_above(path));
    const std::string target = folder_ + "/" + path;
    Step step{.target = target, .backup = {}};
    if (fate == FileFate::replaced) {
      step.backup = fmt::format("{}/.backup-{}", staging_, steps_.size());
      if (::link(target.c_str(), step.backup.c_str()) != 0) {
        return fail("{}: cannot be kept for the way back: {}", target, errno_text(errno));
      }
    }
    if (::rename((staging_ + "/" + path).c_str(), target.c_str()) != 0) {
      return fail("{}: {}", target, errno_text(errno));
    }
    steps_.push_back(std::move(step));
    return {};
  }

  void undo() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      if (step->backup.empty()) {
        ::unlink(step->target.c_str());
      } else {
        ::rename(step->backup.c_str(), step->target.c_str());
      }
    }
    for (auto made = made_.rbegin(); made != made_.rend(); ++made) ::rmdir(made->c_str());
  }

 private:
  struct Step {
    std::string target;
    std::string backup;  // what was there before; empty: nothing
  };

  Result<> make_above(const std::string& path) {
    for (auto slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const std::string above = folder_ + "/" + path.substr(0, slash);
      if (::mkdir(above.c_str(), kFolderMode) == 0) {
        made_.push_back(above);
      } else if (errno != EEXIST) {
        return fail("{}: {}", above, errno_text(errno));
      }
    }
    return {};
  }

  std::string staging_;
  std::string folder_;
  std::vector<Step> steps_;
  std::vector<std::string> made_;
};

// Data, then sidecars, then modules: each is complete when it is looked at.
std::vector<std::size_t> placing_order(const std::vector<ImportFile>& files) {
  const auto rank = [&files](std::size_t index) {
    const std::string& path = files[index].path;
    return path.ends_with(".wasm") ? 2 : path.ends_with(".toml") ? 1 : 0;
  };
  std::vector<std::size_t> order(files.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, rank);
  return order;
}

Result<> write_new_folder(const std::vector<ImportFile>& files, const std::string& folder) {
  std::error_code error;
  const fs::path above = fs::path(folder).parent_path();
  if (!above.empty()) fs::create_directories(above, error);
  if (error) return fail("{}: {}", above.string(), error.message());
  ImportStaging staging = TRY(ImportStaging::create(folder));
  for (const ImportFile& file : files) TRY(write_below(staging.path(), file));
  ::chmod(staging.path().c_str(), kFolderMode);
  if (::renameat2(AT_FDCWD, staging.path().c_str(), AT_FDCWD, folder.c_str(), RENAME_NOREPLACE) !=
      0) {
    return fail("{}: {}", folder, errno_text(errno));
  }
  staging.keep();
  return {};
}

Result<> write_into(const std::vector<ImportFile>& files, const std::vector<FileFate>& fates,
                    const std::string& folder) {
  const ImportStaging staging = TRY(ImportStaging::create(folder + "/"));
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (fates[i] != FileFate::unchanged) TRY(write_below(staging.path(), files[i]));
  }
  Placement placement(staging.path(), folder);
  for (const std::size_t i : placing_order(files)) {
    if (fates[i] == FileFate::unchanged) continue;
    if (const auto placed = placement.place(files[i].path, fates[i]); !placed) {
      placement.undo();
      return fail(placed.error());
    }
  }
  return {};
}

}  // namespace

std::string_view name_of(FileFate fate) {
  return kFates[static_cast<std::size_t>(fate)];
}

Result<std::vector<FileFate>> write_files(const std::vector<ImportFile>& files,
                                          const std::string& folder, const WriteOptions& options) {
  std::string target = folder;
  while (target.size() > 1 && target.ends_with('/')) target.pop_back();
  struct stat status {};
  const bool is_there = ::stat(target.c_str(), &status) == 0;  // the folder itself may be a link
  if (!is_there && errno != ENOENT) return fail("{}: {}", target, errno_text(errno));
  if (is_there && !S_ISDIR(status.st_mode)) return fail("{}: is no folder", target);
  if (!is_there) {
    // What cannot be read is found now, in a dry run too.
    std::vector<FileFate> fates(files.size(), FileFate::created);
    for (const ImportFile& file : files) {
      if (!file.source.empty() && ::access(file.source.c_str(), R_OK) != 0) {
        return fail("{}: {}", file.source, errno_text(errno));
      }
    }
    if (!options.is_dry) TRY(write_new_folder(files, target));
    return fates;
  }
  auto fates = TRY(fates_of(files, target, options.replaces));
  if (!options.is_dry) TRY(write_into(files, fates, target));
  return fates;
}

}  // namespace funcd::cli
