#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/descriptor.h"
#include "base/file.h"
#include "source/object_store.h"

namespace funcd::source {
namespace {

namespace fs = std::filesystem;

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
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) {
      TRY(make_parents(file));
      TRY(write_file(file, bytes));
    }
    if (on_progress) on_progress(bytes.size(), bytes.size());
    return {};
  }

  // All are written first and renamed then, one right after the other.
  Result<> publish(std::span<const File> files) override {
    std::vector<std::string> staged;
    for (const File& file : files) {
      const std::string target = path_of(file.path);
      TRY(make_parents(target));
      const fs::path path(target);
      staged.push_back(path.parent_path() /
                       fmt::format(".{}.{}.deploy", path.filename().string(), ::getpid()));
      TRY(write_file(staged.back(), file.bytes));
    }
    for (std::size_t at = 0; at < files.size(); ++at) {
      const std::string target = path_of(files[at].path);
      if (::rename(staged[at].c_str(), target.c_str()) != 0) {
        return fail("{}: cannot be replaced: {}", target, errno_text(errno));
      }
    }
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
  static Result<> make_parents(const std::string& file) {
    std::error_code error;
    const fs::path folder = fs::path(file).parent_path();
    fs::create_directories(folder, error);
    if (error) return fail("{}: cannot be made: {}", folder.string(), error.message());
    return {};
  }

  std::string folder_;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_folder_store(const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fail("{}: no such folder; create it, or name the source with --to", folder);
  }
  return std::make_unique<FolderStore>(folder);
}

}  // namespace funcd::source
