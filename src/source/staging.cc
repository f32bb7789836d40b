#include "source/staging.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/file.h"
#include "base/file_lock.h"

namespace funcd::source {
namespace {

namespace fs = std::filesystem;

// What it takes to clear a folder of thousands of functions.
constexpr std::chrono::milliseconds kClearMax{10'000};
constexpr std::string_view kStagedSuffix = ".deploy";
constexpr std::string_view kTemporarySuffix = ".tmp";

// Cuts off a number and what stands before it: ".12", "-3".
bool cut_number(std::string_view& text, char before) {
  const std::size_t at = text.rfind(before);
  if (at == std::string_view::npos || at + 1 == text.size()) return false;
  const std::string_view digits = text.substr(at + 1);
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return false;
  text = text.substr(0, at);
  return true;
}

bool cut_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

// ".hello.wasm.PID.deploy"
bool is_staged(std::string_view name) {
  return name.starts_with('.') && cut_suffix(name, kStagedSuffix) && cut_number(name, '.') &&
         name.size() > 1;
}

// ".NAME.PID-N.tmp", as write_file() calls what becomes NAME; the NAME of that, else "".
std::string_view target_of_temporary(std::string_view name) {
  const bool is_one = name.starts_with('.') && cut_suffix(name, kTemporarySuffix) &&
                      cut_number(name, '-') && cut_number(name, '.');
  return is_one ? name.substr(1) : std::string_view();
}

}  // namespace

Result<Staging> Staging::begin(const std::string& source) {
  std::string own_folder = source + "/.funcd";
  std::error_code error;
  fs::create_directory(own_folder, error);
  if (error) return fail("{}: cannot be made: {}", own_folder, error.message());
  Descriptor fd(::open(own_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail("{}: cannot be opened: {}", own_folder, errno_text(errno));
  // Where nobody can lock it, nobody clears either.
  if (!lock_within(fd.get(), LOCK_SH, kClearMax) && errno == EWOULDBLOCK) {
    return fail("{}: another deployment has kept it locked for long; try again", own_folder);
  }
  return Staging(std::move(own_folder), std::move(fd));
}

std::string Staging::path_for(const std::string& file) {
  const fs::path path(file);
  return path.parent_path() /
         fmt::format(".{}.{}{}", path.filename().string(), ::getpid(), kStagedSuffix);
}

void Staging::clear(const std::set<std::string>& folders) && {
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) return;
  for (const std::string& folder : folders) {
    // Among the functions others may have temporary files too, who know of no lock.
    const bool is_own = folder.starts_with(own_folder_ + "/");
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      const std::string name = at->path().filename();
      const std::string_view target = target_of_temporary(name);
      const bool is_left = is_staged(name) || is_staged(target) || (is_own && !target.empty());
      if (is_left) ::unlink(at->path().c_str());
    }
  }
}

}  // namespace funcd::source
