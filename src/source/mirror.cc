#include "source/mirror.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/file_stamp.h"
#include "base/log.h"
#include "source/object_path.h"
#include "storage/private_folder.h"

namespace funcd::source {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t kListingBytesMax = 256ULL << 20;
constexpr std::size_t kIdDigits = 16;
constexpr int kCopiesMax = 16;  // of one bucket, for as many servers on one cache folder
constexpr std::string_view kPartSuffix = ".part";
constexpr const char* kLock = "lock";

std::optional<Mirror::Entry> entry_of(const Json& json) {
  const auto text = [&json](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
  };
  const auto bytes = json.find("bytes");
  const auto modified = json.find("modified_ns");
  if (bytes == json.end() || !bytes->is_number_unsigned() || modified == json.end() ||
      !modified->is_number_integer()) {
    return std::nullopt;
  }
  Mirror::Entry entry{.etag = text("etag"),
                      .bytes = bytes->get<std::uint64_t>(),
                      .sha256 = text("sha256"),
                      .modified_ns = modified->get<std::int64_t>()};
  if (entry.sha256.size() != 64) return std::nullopt;
  return entry;
}

bool is_folder(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_file(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// In the place of what is none.
Result<> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || is_folder(path)) return {};
  TRY(remove_whole(AT_FDCWD, path));
  if (::mkdir(path.c_str(), 0700) == 0 || is_folder(path)) return {};
  return fail("{}: cannot be made: {}; name another folder with --cache-dir", path,
              errno_text(errno));
}

// In the place of what is no file.
Result<Descriptor> open_lock(const storage::PrivateFolder& folder) {
  const auto open = [&folder] {
    Descriptor fd(::openat(folder.fd.get(), kLock,
                           O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
    struct stat status {};
    const bool is_file = fd && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
    return is_file ? std::move(fd) : Descriptor();
  };
  if (auto fd = open()) return fd;
  const std::string why = errno_text(errno);
  if (is_file(fmt::format("{}/{}", folder.path, kLock))) {
    return fail("{}/{}: cannot be opened: {}", folder.path, kLock, why);
  }
  TRY(remove_whole(folder.fd.get(), kLock));
  if (auto fd = open()) return fd;
  return fail("{}/{}: cannot be made: {}", folder.path, kLock, errno_text(errno));
}

}  // namespace

Result<FileDigest> digest_of_file(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return fail("{}: {}", path, errno_text(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail("{}: is no file", path);
  }
  FileDigest digest{.sha256 = {}, .bytes = 0, .modified_ns = stamp_of(status).modified_ns};
  Sha256 sha256;
  std::array<std::uint8_t, 64 << 10> piece{};
  for (;;) {
    const ssize_t count = ::read(fd.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail("{}: cannot be read: {}", path, errno_text(errno));
    if (count == 0) break;
    sha256.add({piece.data(), static_cast<std::size_t>(count)});
    digest.bytes += static_cast<std::uint64_t>(count);
  }
  digest.sha256 = sha256.hex();
  return digest;
}

Result<std::unique_ptr<Mirror>> Mirror::open(const std::string& folder, const std::string& source) {
  const std::string id = sha256_hex(source).substr(0, kIdDigits);
  for (int copy = 1; copy <= kCopiesMax; ++copy) {
    const std::string path =
        copy == 1 ? fmt::format("{}/{}", folder, id) : fmt::format("{}/{}.{}", folder, id, copy);
    std::unique_ptr<Mirror> mirror(new Mirror());
    mirror->folder_ = path;
    mirror->source_ = source;
    const auto is_ours = mirror->take_lock();
    if (!is_ours) return fail("last good copy of {}: {}", source, is_ours.error().message);
    if (!*is_ours) continue;
    mirror->listing_ = mirror->folder_ + "/listing.json";
    mirror->tree_ = mirror->folder_ + "/tree";
    mirror->incoming_ = mirror->folder_ + "/incoming";
    TRY(make_folder(mirror->tree_));
    TRY(make_folder(mirror->incoming_));
    TRY(mirror->recover());
    return mirror;
  }
  return fail(
      "{}: {} servers have a copy of {} there already; name another folder with --cache-dir",
      folder, kCopiesMax, source);
}

Result<bool> Mirror::take_lock() {
  auto folder = TRY(storage::open_private_folder(folder_));
  Descriptor lock = TRY(open_lock(folder));
  folder_ = std::move(folder.path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return false;
  lock_ = std::move(lock);
  return has_lock();  // not when it was replaced before it was locked
}

// Whether the file that we hold is the one that others would find.
bool Mirror::has_lock() const {
  struct stat held {};
  struct stat found {};
  return ::fstat(lock_.get(), &held) == 0 &&
         ::lstat(fmt::format("{}/{}", folder_, kLock).c_str(), &found) == 0 &&
         held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

Result<> Mirror::mend() {
  if (!has_lock() && !TRY(take_lock())) {
    return fail("{}: another server has it now; start this one again, to have a copy of its own",
                folder_);
  }
  TRY(make_folder(incoming_));
  if (is_folder(tree_)) return {};
  const std::lock_guard lock(tree_lock_);
  return remove_whole(AT_FDCWD, tree_);
}

std::string Mirror::whole_path(const std::string& path, const std::string& etag) const {
  return fmt::format("{}/{}", incoming_, sha256_hex(path + "\n" + etag));
}

std::string Mirror::part_path(const std::string& path, const std::string& etag) const {
  return whole_path(path, etag) + std::string(kPartSuffix);
}

Result<> Mirror::recover() {
  if (auto read = read_listing(); !read) {
    log::warn("source.damaged", {{"source", source_},
                                 {"error", read.error().message},
                                 {"consequence", "what lies there is served and read anew"}});
    entries_.clear();
    adopt_tree();
    remove_strangers();
    if (entries_.empty()) synced_at_.reset();
    return {};
  }
  if (!synced_at_) {  // nothing was ever whole
    std::error_code error;
    for (fs::directory_iterator item(tree_, error), end; !error && item != end;
         item.increment(error)) {
      std::error_code ignored;
      fs::remove_all(*item, ignored);
    }
    return {};
  }
  // Before it is looked at what is whole: what leads elsewhere is a stranger.
  remove_strangers();
  const bool was_empty = entries_.empty();
  check_entries();
  // With nothing left it is as if nothing had ever been there: the bucket is waited for.
  if (entries_.empty() && !was_empty) synced_at_.reset();
  return {};
}

// No file is no error: then nothing was synced yet.
Result<> Mirror::read_listing() {
  const std::string& path = listing_;
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail("{}: {}", path, errno_text(errno));
  }
  synced_at_ = std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec);
  if (!S_ISREG(status.st_mode)) {
    TRY(remove_whole(AT_FDCWD, path));
    return fail("{}: was no file", path);
  }
  const std::string text = TRY(read_text_file(path, kListingBytesMax));
  const Json json = Json::parse(text, nullptr, false);
  const auto objects = json.is_object() ? json.find("objects") : json.end();
  if (!json.is_object() || objects == json.end() || !objects->is_object()) {
    return fail("{}: cannot be understood", path);
  }
  for (const auto& [key, value] : objects->items()) {
    auto entry = value.is_object() ? entry_of(value) : std::nullopt;
    if (!entry || kind_of_key(key) != KeyKind::file) return fail("{}: has a bad entry", path);
    entries_.emplace(key, std::move(*entry));
  }
  return {};
}

// Serves what is there where the listing is lost; all of it counts as changed.
void Mirror::adopt_tree() {
  std::error_code error;
  for (auto item = fs::recursive_directory_iterator(tree_, error);
       !error && item != fs::recursive_directory_iterator(); item.increment(error)) {
    if (!is_file(item->path().string())) continue;
    const std::string path = item->path().lexically_relative(tree_).string();
    const auto digest = digest_of_file(item->path().string());
    if (!digest || kind_of_key(path) != KeyKind::file) continue;
    entries_[path] = {.etag = "",
                      .bytes = digest->bytes,
                      .sha256 = digest->sha256,
                      .modified_ns = digest->modified_ns};
  }
}

bool Mirror::has_whole(const Entries::value_type& entry) const {
  struct stat status {};
  return ::lstat(fmt::format("{}/{}", tree_, entry.first).c_str(), &status) == 0 &&
         S_ISREG(status.st_mode) &&
         static_cast<std::uint64_t>(status.st_size) == entry.second.bytes &&
         stamp_of(status).modified_ns == entry.second.modified_ns && is_below_folders(entry.first);
}

// Finishes what was begun, and drops what is not as it was written.
void Mirror::check_entries() {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    auto& [path, wanted] = *entry;
    const std::string file = fmt::format("{}/{}", tree_, path);
    if (has_whole(*entry)) {
      ++entry;
      continue;
    }
    const auto whole = digest_of_file(whole_path(path, wanted.etag));
    if (whole && whole->sha256 == wanted.sha256 && place({path, wanted})) {
      ++entry;
      continue;
    }
    const auto there = digest_of_file(file);
    if (there && there->sha256 == wanted.sha256) {
      wanted.modified_ns = there->modified_ns;
      ++entry;
      continue;
    }
    log::warn("source.damaged",
              {{"source", source_},
               {"error", there ? fmt::format("{}: is not what was read from the bucket", file)
                               : there.error().message},
               {"consequence", "it is read from the bucket again"}});
    unlink_path(path);
    entry = entries_.erase(entry);
  }
}

void Mirror::remove_strangers() {
  std::vector<std::string> strangers;
  std::error_code error;
  for (auto item = fs::recursive_directory_iterator(tree_, error);
       !error && item != fs::recursive_directory_iterator(); item.increment(error)) {
    std::error_code ignored;
    if (item->is_directory(ignored) && !item->is_symlink(ignored)) continue;
    std::string path = item->path().lexically_relative(tree_).string();
    if (!entries_.contains(path)) strangers.push_back(std::move(path));
  }
  for (const std::string& path : strangers) unlink_path(path);
}

// Whether no link is on the way to it.
bool Mirror::is_below_folders(const std::string& path) const {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (!is_folder(fmt::format("{}/{}", tree_, path.substr(0, slash)))) return false;
  }
  return true;
}

// Its folders too, when they are empty now.
void Mirror::unlink_path(const std::string& path) const {
  if (!is_below_folders(path)) return;
  ::unlink(fmt::format("{}/{}", tree_, path).c_str());
  for (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    if (::rmdir(fmt::format("{}/{}", tree_, path.substr(0, slash)).c_str()) != 0) return;
  }
}

// Makes the folders above it, and removes a folder in its place, but no object that is there.
Result<> Mirror::make_way(const std::string& path) const {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string above = path.substr(0, slash);
    if (const auto object = entries_.find(above); object != entries_.end() && has_whole(*object)) {
      return fail("{}/{}: cannot be put into its place: '{}' is an object itself", tree_, path,
                  above);
    }
    TRY(make_folder(fmt::format("{}/{}", tree_, above)));
  }
  const std::string target = fmt::format("{}/{}", tree_, path);
  if (!is_folder(target)) return {};
  for (auto below = entries_.lower_bound(path + "/");
       below != entries_.end() && below->first.starts_with(path + "/"); ++below) {
    if (!has_whole(*below)) continue;
    return fail("{}: cannot be put into its place: '{}' lies below it", target, below->first);
  }
  return remove_whole(AT_FDCWD, target);
}

Result<> Mirror::place(const Arrival& arrival) {
  const std::string target = fmt::format("{}/{}", tree_, arrival.path);
  TRY(make_way(arrival.path));
  const std::string whole = whole_path(arrival.path, arrival.entry.etag);
  if (::rename(whole.c_str(), target.c_str()) != 0) {
    return fail("{}: cannot be put into its place: {}", target, errno_text(errno));
  }
  return {};
}

Result<> Mirror::write_listing() const {
  Json objects = Json::object();
  for (const auto& [path, entry] : entries_) {
    objects[path] = {{"etag", entry.etag},
                     {"bytes", entry.bytes},
                     {"sha256", entry.sha256},
                     {"modified_ns", entry.modified_ns}};
  }
  const Json json = {{"source", source_}, {"objects", std::move(objects)}};
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace);
  if (!is_file(listing_)) TRY(remove_whole(AT_FDCWD, listing_));
  return write_file(listing_, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

Result<> Mirror::apply(const std::vector<Arrival>& arrivals,
                       const std::vector<std::string>& removed) {
  // A lost tree comes back with something to serve, or when there is nothing to serve at all.
  const bool is_all_there = is_file(listing_) && (is_folder(tree_) || !entries_.empty());
  if (arrivals.empty() && removed.empty() && synced_at_ && is_all_there) return {};
  Entries before = entries_;
  for (const std::string& path : removed) entries_.erase(path);
  for (const Arrival& arrival : arrivals) entries_[arrival.path] = arrival.entry;
  if (auto written = write_listing(); !written) {
    entries_ = std::move(before);
    return written;
  }
  const std::lock_guard lock(tree_lock_);
  if (!arrivals.empty() || entries_.empty()) TRY(make_folder(tree_));
  for (const std::string& path : removed) unlink_path(path);
  Result<> placed;
  for (const Arrival& arrival : arrivals) {
    auto done = place(arrival);
    if (done) continue;
    entries_[arrival.path].etag.clear();  // to be read again
    if (placed) placed = std::move(done);
  }
  return placed;
}

void Mirror::note_synced() {
  synced_at_ = std::chrono::system_clock::now();
  // Its time of modification is that of the last look, so that no look writes a whole file.
  ::utimensat(AT_FDCWD, listing_.c_str(), nullptr, 0);
}

void Mirror::clean_incoming(const std::vector<std::string>& kept) const {
  const std::set<std::string> keep(kept.begin(), kept.end());
  std::error_code error;
  for (auto item = fs::directory_iterator(incoming_, error);
       !error && item != fs::directory_iterator(); item.increment(error)) {
    if (keep.contains(item->path().string()) && is_file(item->path().string())) continue;
    std::error_code ignored;
    fs::remove_all(item->path(), ignored);
  }
}

}  // namespace funcd::source
