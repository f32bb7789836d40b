#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "source/object_store.h"
#include "source/staging.h"

namespace funcd::source {
namespace {

namespace fs = std::filesystem;

// What a server takes to look at a folder of thousands of functions.
constexpr std::chrono::milliseconds kLookMax{2'000};

int rename_each(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  for (std::size_t at = 0; at < from.size(); ++at) {
    if (::rename(from[at].c_str(), to[at].c_str()) != 0) return errno;
  }
  return 0;
}

// By a process of its own, in a session of its own: who is killed meanwhile, or interrupted from
// its terminal, has replaced all of them or none.
Result<> rename_all(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  const pid_t child = ::fork();
  if (child < 0) return fail("no process can be started: {}", errno_text(errno));
  if (child == 0) {
    ::setsid();
    ::_exit(rename_each(from, to));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const auto left = std::ranges::find_if(
      from, [](const std::string& file) { return ::access(file.c_str(), F_OK) == 0; });
  const std::string& target = to[left == from.end() ? 0 : left - from.begin()];
  return fail("{}: cannot be replaced: {}", target,
              WIFEXITED(status) ? errno_text(WEXITSTATUS(status)) : "it was killed");
}

class FolderStore final : public ObjectStore {
 public:
  explicit FolderStore(std::string folder) : folder_(std::move(folder)) {}

  Result<std::optional<Stored>> get(const std::string& path, std::uint64_t bytes_max) override {
    const std::string file = path_of(path);
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
      return std::nullopt;
    }
    Stored stored{.bytes = TRY(read_file(file, bytes_max)), .version = {}};
    stored.version = sha256_hex(stored.bytes);
    return stored;
  }

  Result<bool> put_if(const std::string& path, std::span<const std::uint8_t> bytes,
                      const std::string& version) override {
    constexpr std::uint64_t kRecordBytesMax = 16ULL << 20;
    const std::string file = path_of(path);
    const Staging staging = TRY(Staging::begin(folder_));
    TRY(make_parents(file));
    const std::string lock = fs::path(file).parent_path() / ".lock";
    const Descriptor fd(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd) return fail("{}: cannot be made: {}", lock, errno_text(errno));
    if (::flock(fd.get(), LOCK_EX) != 0) return fail("{}: {}", lock, errno_text(errno));
    const auto there = TRY(get(path, kRecordBytesMax));
    if ((there ? there->version : "") != version) return false;
    TRY(write_file(file, bytes));
    return true;
  }

  Result<> put_once(const std::string& path, std::span<const std::uint8_t> bytes,
                    const OnProgress& on_progress) override {
    const std::string file = path_of(path);
    const auto there = read_file(file, bytes.size());
    if (!there || !std::ranges::equal(*there, bytes)) {  // a power failure may have damaged it
      const Staging staging = TRY(Staging::begin(folder_));
      TRY(make_parents(file));
      TRY(write_file(file, bytes));
    }
    if (on_progress) on_progress(bytes.size(), bytes.size());
    return {};
  }

  // All are written first and renamed then, while no server looks.
  Result<> publish(std::span<const File> files) override {
    std::vector<std::string> staged;
    std::vector<std::string> targets;
    Staging staging = TRY(Staging::begin(folder_));
    for (const File& file : files) {
      targets.push_back(path_of(file.path));
      TRY(make_parents(targets.back()));
      staged.push_back(Staging::path_for(targets.back()));
      TRY(write_file(staged.back(), file.bytes));
    }
    {
      const FolderLock lock(folder_, FolderLock::Kind::to_replace, kLookMax);
      TRY(rename_all(staged, targets));
    }
    std::move(staging).clear(folders_);
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& prefix) override {
    const std::string above = prefix.substr(0, prefix.rfind('/') + 1);
    std::vector<std::string> paths;
    std::error_code error;
    for (fs::directory_iterator at(path_of(above), error), end; !error && at != end;
         at.increment(error)) {
      std::string path = above + at->path().filename().string();
      if (path.starts_with(prefix)) paths.push_back(std::move(path));
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      return fail("{}: cannot be read: {}", path_of(above), error.message());
    }
    return paths;
  }

  Result<> remove(const std::string& path) override {
    if (::unlink(path_of(path).c_str()) == 0 || errno == ENOENT) return {};
    return fail("{}: cannot be removed: {}", path_of(path), errno_text(errno));
  }

 private:
  [[nodiscard]] std::string path_of(const std::string& path) const {
    return fmt::format("{}/{}", folder_, path);
  }
  Result<> make_parents(const std::string& file) {
    std::error_code error;
    const fs::path folder = fs::path(file).parent_path();
    fs::create_directories(folder, error);
    if (error) return fail("{}: cannot be made: {}", folder.string(), error.message());
    folders_.insert(folder);
    return {};
  }

  std::string folder_;
  std::set<std::string> folders_;  // that something was written to
};

}  // namespace

Result<std::optional<std::string>> ObjectStore::digest_of(const std::string& path,
                                                          std::uint64_t bytes_max) {
  const auto stored = TRY(get(path, bytes_max));
  if (!stored) return std::nullopt;
  return sha256_hex(stored->bytes);
}

Result<std::unique_ptr<ObjectStore>> open_folder_store(const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fail("{}: no such folder; create it, or name the source with --to", folder);
  }
  return std::make_unique<FolderStore>(folder);
}

}  // namespace funcd::source
