#include "base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/open_folder.h"

namespace funcd {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

template <class Bytes>
Result<Bytes> read_whole(const std::string& path, std::uint64_t bytes_max) {
  // O_NONBLOCK, or opening a pipe would wait for its writer.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return fail("{}: cannot be opened: {}", path, errno_text(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return fail("{}: cannot be read: {}", path, errno_text(errno));
  }
  if (!S_ISREG(status.st_mode)) return fail("{}: is {}, not a file", path, kind_of(status.st_mode));

  Bytes bytes;
  // One byte more than its size, so that the end of a file that does not grow is seen at once.
  std::uint64_t room =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(status.st_size), bytes_max);
  std::size_t filled = 0;
  for (;;) {
    bytes.resize(static_cast<std::size_t>(room) + 1);
    const ssize_t count = ::read(fd.get(), bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail("{}: cannot be read: {}", path, errno_text(errno));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
    if (filled > bytes_max) {
      return fail("{}: is longer than {} bytes, the most that is read", path, bytes_max);
    }
    if (filled == bytes.size()) room = std::min<std::uint64_t>(room * 2 + 4096, bytes_max);
  }
  bytes.resize(filled);
  return bytes;
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Removes things one by one, up to its limits.
class Removal {
 public:
  // 0, or the errno that ended it; E2BIG at a limit.
  int remove(int folder, const char* name, int depth = 0) {
    if (left_-- == 0 || depth > kRemovedDepthMax) return E2BIG;
    if (::unlinkat(folder, name, 0) == 0 || errno == ENOENT) return 0;
    const int code = errno;
    // Of a folder it is EISDIR on Linux; some file systems have POSIX's EPERM.
    if (code != EISDIR && code != EPERM) return code;
    if (::unlinkat(folder, name, AT_REMOVEDIR) == 0) return 0;
    if (errno == ENOTDIR) return code;
    if (errno != ENOTEMPTY && errno != EEXIST) return errno;
    if (const int error = empty(folder, name, depth); error != 0) return error;
    return ::unlinkat(folder, name, AT_REMOVEDIR) == 0 ? 0 : errno;
  }

 private:
  int empty(int folder, const char* name, int depth) {
    const int fd = ::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno;
    const OpenFolder opened(::fdopendir(fd));
    if (!opened) return errno;
    while (const dirent* item = ::readdir(opened.get())) {
      const std::string_view found = item->d_name;
      if (found == "." || found == "..") continue;
      if (const int error = remove(fd, item->d_name, depth + 1); error != 0) return error;
    }
    return 0;
  }

  int left_ = kRemovedItemsMax;
};

// A power failure after a rename may otherwise bring the old name back.
void sync_folder(const std::string& folder) {
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) ::fsync(fd.get());
}

}  // namespace

Result<std::vector<std::uint8_t>> read_file(const std::string& path, std::uint64_t bytes_max) {
  return read_whole<std::vector<std::uint8_t>>(path, bytes_max);
}

Result<std::string> read_text_file(const std::string& path, std::uint64_t bytes_max) {
  return read_whole<std::string>(path, bytes_max);
}

Result<> write_all(int fd, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail("cannot be written: {}", errno_text(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<> write_file(const std::string& path, std::span<const std::uint8_t> bytes) {
  static std::atomic<std::uint64_t> count{0};
  const std::string folder = folder_of(path);
  const std::string temporary = fmt::format("{}/.{}.{}-{}.tmp", folder,
                                            path.substr(path.rfind('/') + 1), ::getpid(), ++count);
  Descriptor fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd) return fail("{}: cannot be made: {}", temporary, errno_text(errno));

  Result<> written = write_all(fd.get(), bytes);
  if (written && ::fsync(fd.get()) != 0) written = fail("cannot be written: {}", errno_text(errno));
  fd.close();
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail("cannot be replaced: {}", errno_text(errno));
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return fail("{}: {}", path, written.error().message);
  }
  sync_folder(folder);
  return {};
}

Result<> remove_whole(int folder, const std::string& name) {
  const int code = Removal().remove(folder, name.c_str());
  if (code == 0) return {};
  return fail("{}: cannot be removed: {}; remove it by hand", name,
              code == E2BIG ? "it holds too much" : errno_text(code));
}

void Sha256::ContextDeleter::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::add(std::span<const std::uint8_t> bytes) {
  CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex() {
  std::array<std::uint8_t, 32> digest{};
  CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
  std::string text;
  text.reserve(2 * digest.size());
  for (const std::uint8_t byte : digest) {
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
  }
  return text;
}

std::string sha256_hex(std::span<const std::uint8_t> bytes) {
  Sha256 digest;
  digest.add(bytes);
  return digest.hex();
}

std::string sha256_hex(std::string_view text) {
  return sha256_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string errno_text(int code) {
  std::array<char, 128> buffer{};
  std::string text = ::strerror_r(code, buffer.data(), buffer.size());  // GNU's: returns the text
  // "Input/output error" becomes lower case; an acronym would not.
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

}  // namespace funcd
