#include "storage/kv_store.h"

#include <filesystem>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "storage/private_folder.h"

namespace funcd::storage {
namespace {

constexpr int kBusyMs = 5'000;          // that another process may hold the file
constexpr std::size_t kKnownMax = 256;  // stores that are kept in memory
constexpr std::int64_t kFormat = 1;
constexpr const char* kMakeTable =
    "CREATE TABLE IF NOT EXISTS kv (store TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "
    "PRIMARY KEY (store, key)) WITHOUT ROWID; PRAGMA user_version = 1";

KvFailure broken(std::string message) {
  return {KvFailure::Kind::broken, std::move(message)};
}

std::uint64_t size_of(const KvMap& map, const std::string& key) {
  const auto at = map.find(key);
  return at == map.end() ? 0 : key.size() + at->second.size();
}

// The table and format of a file; an error where a later version has written it.
Result<> prepare_file(SqliteDatabase& database, const std::string& path) {
  const std::int64_t format = TRY(database.number("PRAGMA user_version"));
  if (format == kFormat) return {};
  if (format != 0) {
    return fail("{}: has format {}, and this version knows {}; name another file with kv_file",
                path, format, kFormat);
  }
  return database.run(kMakeTable);
}

}  // namespace

SqliteKvStore::SqliteKvStore(std::string path, KvLimits limits)
    : path_(std::move(path)), limits_(limits) {}
SqliteKvStore::~SqliteKvStore() = default;

KvSnapshot SqliteKvStore::read_now(std::string_view name) {
  const TimePoint now = Clock::now();
  const std::lock_guard lock(mutex_);
  const auto at = known_.find(name);
  const bool is_fresh = at != known_.end() && now - at->second.looked_at < kFreshFor;
  return is_fresh ? at->second.map : nullptr;
}

bool SqliteKvStore::is_full() const {
  return reads_.size() + writes_.size() >= limits_.waiting_max;
}

void SqliteKvStore::read(const std::string& name, OnRead on_read) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_full()) {
      reads_.push_back({name, std::move(on_read)});
      changed_.notify_one();
      return;
    }
  }
  on_read(KvFailure{KvFailure::Kind::overloaded, "too many reads of stores wait already"});
}

void SqliteKvStore::write(const std::string& name, KvChange change, OnWritten on_written) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_full()) {
      writes_.push_back({name, std::move(change), std::move(on_written), std::nullopt});
      changed_.notify_one();
      return;
    }
  }
  on_written(KvFailure{KvFailure::Kind::overloaded, "too many changes of stores wait already"});
}

void SqliteKvStore::run(const std::stop_token& stop) {
  for (;;) {
    std::vector<Read> reads;
    std::vector<Write> writes;
    {
      std::unique_lock lock(mutex_);
      const bool has_work =
          changed_.wait(lock, stop, [this] { return !reads_.empty() || !writes_.empty(); });
      if (!has_work) return;
      reads.swap(reads_);
      writes.swap(writes_);
    }
    serve(reads, writes);
  }
}

void SqliteKvStore::serve(const std::vector<Read>& reads, std::vector<Write>& writes) {
  Result<> ready = open();
  if (ready) ready = look_for_changes();
  for (const Read& read : reads) {
    Result<KvSnapshot> map = ready ? load(read.name) : Result<KvSnapshot>(fail(ready.error()));
    if (map)
      read.on_read(std::move(*map));
    else
      read.on_read(broken(map.error().message));
  }
  if (writes.empty()) return;
  const Result<> written = ready ? write_all(writes) : ready;
  if (!written) {
    log::error("kv.failed", {{"error", written.error().message},
                             {"consequence", "changes of functions' stores are refused"}});
  }
  for (Write& write : writes) {
    if (!written) write.failure = broken(written.error().message);
    write.on_written(std::move(write.failure));
  }
}

Result<> SqliteKvStore::open() {
  if (database_) return {};
  std::error_code error;
  const auto folder = std::filesystem::path(path_).parent_path();
  if (limits_.is_private) TRY(open_private_folder(folder));
  const bool is_made = !folder.empty() && std::filesystem::create_directories(folder, error);
  if (error) return fail("{}: cannot be made: {}", folder.string(), error.message());
  if (is_made) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  auto database = TRY(SqliteDatabase::open(path_, kBusyMs));
  TRY(prepare_file(database, path_));
  database_ = std::move(database);
  return {};
}

Result<> SqliteKvStore::look_for_changes() {
  const std::int64_t version = TRY(database_->number("PRAGMA data_version"));
  if (std::exchange(data_version_, version) == version) return {};
  const std::lock_guard lock(mutex_);
  known_.clear();
  return {};
}

Result<KvSnapshot> SqliteKvStore::load(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = known_.find(name); at != known_.end()) {
      at->second.looked_at = Clock::now();
      return at->second.map;
    }
  }
  auto statement = TRY(database_->prepare("SELECT key, value FROM kv WHERE store = ?"));
  statement.bind(1, name);
  KvMap map;
  while (TRY(statement.step())) map.emplace(statement.text(0), statement.text(1));
  auto snapshot = std::make_shared<const KvMap>(std::move(map));
  remember(name, snapshot);
  return snapshot;
}

void SqliteKvStore::remember(const std::string& name, KvSnapshot map) {
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kKnownMax && !known_.contains(name)) known_.clear();
  known_.insert_or_assign(name, Known{std::move(map), Clock::now()});
}

// One transaction for all that wait; what a single change does wrong fails that one only.
Result<> SqliteKvStore::write_all(std::vector<Write>& writes) {
  TRY(database_->run("BEGIN IMMEDIATE"));
  Drafts drafts;
  const Result<> applied = [&]() -> Result<> {
    TRY(look_for_changes());  // from here on nobody else writes
    for (Write& write : writes) TRY(apply(write, drafts));
    return database_->run("COMMIT");
  }();
  if (!applied) {
    (void)database_->run("ROLLBACK");
    return applied;
  }
  for (auto& [name, draft] : drafts) {
    remember(name, std::make_shared<const KvMap>(std::move(draft.map)));
  }
  return {};
}

Result<> SqliteKvStore::apply(Write& write, Drafts& drafts) {
  auto at = drafts.find(write.name);
  if (at == drafts.end()) {
    Draft draft{*TRY(load(write.name)), 0};
    draft.bytes = bytes_of(draft.map);
    at = drafts.emplace(write.name, std::move(draft)).first;
  }
  auto& [map, bytes] = at->second;
  std::uint64_t after = bytes;
  for (const auto& [key, value] : write.change.set) {
    if (key.size() > kKvKeyBytesMax) {
      write.failure = {KvFailure::Kind::too_large,
                       fmt::format("a key of its store has {} bytes, more than the {} that it may",
                                   key.size(), kKvKeyBytesMax)};
      return {};
    }
    after += key.size() + value.size() - size_of(map, key);
  }
  for (const std::string& key : write.change.removed) after -= size_of(map, key);
  if (after > limits_.store_bytes_max && after > bytes) {
    write.failure = {KvFailure::Kind::too_large,
                     fmt::format("its store would hold {} bytes, more than the {} that it may",
                                 after, limits_.store_bytes_max)};
    return {};
  }
  auto set = TRY(database_->prepare("INSERT OR REPLACE INTO kv VALUES (?, ?, ?)"));
  for (auto& [key, value] : write.change.set) {
    TRY(set.bind(1, write.name).bind(2, key).bind(3, value).step());
    map.insert_or_assign(key, std::move(value));
  }
  auto remove = TRY(database_->prepare("DELETE FROM kv WHERE store = ? AND key = ?"));
  for (const std::string& key : write.change.removed) {
    TRY(remove.bind(1, write.name).bind(2, key).step());
    map.erase(key);
  }
  bytes = after;
  return {};
}

}  // namespace funcd::storage
