#include "storage/code_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/file.h"
#include "base/file_stamp.h"
#include "base/log.h"
#include "storage/cache_folder.h"
#include "storage/entry_file.h"

namespace funcd::storage {
namespace {

// Small enough to stay in a core's cache between the read and the hash.
constexpr std::size_t kReadBytes = 256U << 10;

// Entries whose check is remembered.
constexpr std::size_t kCheckedMax = 50'000;

// What a file was when its content was found to have that hash.
struct Checked {
  std::string hash;
  FileStamp stamp;
  bool operator==(const Checked&) const = default;
};

// Nothing when the file is too young for its times to tell whether it changes.
std::optional<Checked> check_of(int fd, const std::string& hash) {
  timespec now{};
  const auto stamp = stamp_of(fd);
  if (!stamp || ::clock_gettime(CLOCK_REALTIME, &now) != 0) return std::nullopt;
  if (!stamp->is_settled(now.tv_sec * 1'000'000'000LL + now.tv_nsec)) return std::nullopt;
  return Checked{hash, *stamp};
}

Result<std::string> hash_of(int fd) {
  std::vector<std::uint8_t> buffer(kReadBytes);
  Sha256 hash;
  for (;;) {
    const std::size_t count = TRY(read_some(fd, buffer));
    if (count == 0) return hash.hex();
    hash.add({buffer.data(), count});
  }
}

}  // namespace

struct CodeCache::Body {
  explicit Body(CacheFolder opened) : folder(std::move(opened)) {}

  void drop(const std::string& key, const std::string& hash, std::string_view why) {
    const bool is_sum_gone = folder.remove(sum_name(key));
    const bool is_code_gone = hash.empty() || folder.remove(code_name(key, hash));
    log::warn("cache.damaged",
              {{"entry", key.substr(0, 12)},
               {"folder", folder.path()},
               {"error", why},
               {"remedy", is_sum_gone && is_code_gone
                              ? "removed; the function is compiled again"
                              : "the function is compiled again; remove the entry by hand"}});
  }

  Result<> write_temporary(const std::string& name, std::span<const std::uint8_t> bytes,
                           bool is_synced);
  std::string temporary_name() {
    return fmt::format("{}{}-{}", kTemporaryPrefix, ::getpid(), ++temporaries);
  }

  // What is wrong with the content of an entry's file; empty when it is good.
  [[nodiscard]] std::string check(const std::string& key, const std::string& hash, int fd);

  CacheFolder folder;
  std::mutex checked_mutex;
  std::unordered_map<std::string, Checked> checked;  // by key
  std::mutex put_mutex;                              // flock() does not keep our own threads apart
  std::atomic<std::uint64_t> temporaries{0};
};

Result<> CodeCache::Body::write_temporary(const std::string& name,
                                          std::span<const std::uint8_t> bytes, bool is_synced) {
  folder.remove(name);  // of a process that had our number before and was killed
  const Descriptor fd(::openat(folder.fd(), name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail("{}/{}: cannot be made: {}", folder.path(), name, errno_text(errno));
  Result<> written = write_all(fd.get(), bytes);
  if (written && is_synced && ::fsync(fd.get()) != 0) {
    written = fail("cannot be written: {}", errno_text(errno));
  }
  if (written) return {};
  folder.remove(name);
  return fail("{}/{}: {}", folder.path(), name, written.error().message);
}

std::string CodeCache::Body::check(const std::string& key, const std::string& hash, int fd) {
  const auto before = check_of(fd, hash);
  if (before) {
    const std::lock_guard lock(checked_mutex);
    const auto known = checked.find(key);
    if (known != checked.end() && known->second == *before) return "";
  }
  const auto actual = hash_of(fd);
  if (!actual) return actual.error().message;
  if (*actual != hash) return "its content does not have its hash";
  if (before && check_of(fd, hash) == before) {
    const std::lock_guard lock(checked_mutex);
    if (checked.size() >= kCheckedMax) checked.clear();
    checked.insert_or_assign(key, *before);
  }
  return "";
}

CodeCache::CodeCache(std::unique_ptr<Body> body) : body_(std::move(body)) {}
CodeCache::~CodeCache() = default;

Result<std::unique_ptr<CodeCache>> CodeCache::open(const std::string& folder,
                                                   std::uint64_t bytes_max) {
  auto body = std::make_unique<Body>(TRY(CacheFolder::open(folder, bytes_max)));
  return std::unique_ptr<CodeCache>(new CodeCache(std::move(body)));
}

std::string CodeCache::key_of(std::string_view artifact_digest,
                              std::string_view engine_fingerprint) {
  return sha256_hex(fmt::format("{}\n{}", artifact_digest, engine_fingerprint));
}

std::optional<std::string> CodeCache::find(const std::string& key) {
  CHECK(is_digest(key), "{}", key);
  const auto is_there = [this](const EntryFile& file) {
    const bool is_unreadable = !file.fd && file.damage.empty() && file.error != ENOENT;
    if (is_unreadable) {
      log::warn("cache.unreadable",
                {{"folder", body_->folder.path()}, {"error", errno_text(file.error)}});
    }
    return file.error != ENOENT && !is_unreadable;
  };
  const EntryFile sum_file = open_entry(body_->folder.fd(), sum_name(key));
  if (!is_there(sum_file)) return std::nullopt;
  const std::string hash = sum_file.damage.empty() ? read_sum(sum_file.fd.get()) : "";
  if (hash.empty()) {
    body_->drop(key, "", sum_file.damage.empty() ? "names no hash" : sum_file.damage);
    return std::nullopt;
  }
  const std::string name = code_name(key, hash);
  const EntryFile code = open_entry(body_->folder.fd(), name);
  if (!is_there(code)) return std::nullopt;  // evicted since we looked at the other file
  std::string damage = code.damage;
  if (damage.empty()) damage = body_->check(key, hash, code.fd.get());
  if (!damage.empty()) {
    body_->drop(key, hash, damage);
    return std::nullopt;
  }
  ::futimens(sum_file.fd.get(), nullptr);  // when it was last used; may fail on a read-only disk
  return body_->folder.path() + "/" + name;
}

bool CodeCache::has(const std::string& key) const {
  return ::faccessat(body_->folder.fd(), sum_name(key).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<std::string> CodeCache::put(const std::string& key, std::span<const std::uint8_t> code) {
  CHECK(is_digest(key), "{}", key);
  CacheFolder& folder = body_->folder;
  if (code.size() > folder.bytes_max()) {
    return fail(
        "{}: compiled code of {} bytes is more than the folder may hold ({}); raise its limit",
        folder.path(), code.size(), folder.bytes_max());
  }
  const std::string hash = sha256_hex(code);
  const std::string code_temporary = body_->temporary_name();
  const std::string sum_temporary = body_->temporary_name();
  TRY(body_->write_temporary(code_temporary, code, true));
  // Not synced: a .sum that a power failure empties is one that names no hash.
  const auto sum_bytes = std::span(reinterpret_cast<const std::uint8_t*>(hash.data()), hash.size());
  Result<> kept = body_->write_temporary(sum_temporary, sum_bytes, false);
  if (kept) {
    const std::lock_guard lock(body_->put_mutex);
    kept = folder.keep(key, {.hash = hash,
                             .bytes = code.size(),
                             .code_temporary = code_temporary,
                             .sum_temporary = sum_temporary});
  }
  if (!kept) {
    folder.remove(code_temporary);
    folder.remove(sum_temporary);
    return fail(kept.error());
  }
  return folder.path() + "/" + code_name(key, hash);
}

std::optional<std::string> CodeCache::note(const std::string& name) const {
  auto text = read_text_file(body_->folder.path() + "/" + name, kNoteBytesMax);
  if (!text) return std::nullopt;
  return std::move(*text);
}

Result<> CodeCache::keep_note(const std::string& name, std::string_view text) {
  const std::string temporary = body_->temporary_name();
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  TRY(body_->write_temporary(temporary, bytes, true));
  auto named = body_->folder.rename(temporary, name);
  if (!named) body_->folder.remove(temporary);
  return named;
}

}  // namespace funcd::storage
