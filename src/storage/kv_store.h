#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/kv_map.h"
#include "storage/sqlite.h"

namespace funcd::storage {

// Why a store could not be read or changed.
struct KvFailure {
  enum class Kind : std::uint8_t {
    too_large,   // it would hold more than it may
    overloaded,  // too much waits for the disk already
    broken,      // the disk, or the file on it
  };
  Kind kind = Kind::broken;
  std::string message;
};

using KvSnapshot = std::shared_ptr<const KvMap>;

// Named stores of keys and values. From any thread; nothing here waits for a disk. Callbacks come
// on the store's own thread and only post.
class KvStore {
 public:
  using OnRead = std::function<void(std::variant<KvSnapshot, KvFailure>)>;
  using OnWritten = std::function<void(std::optional<KvFailure>)>;

  // What a store holds, where that is known in memory: with every change that was reported as
  // written here, and those of other processes but for the last moment. Null: ask read().
  [[nodiscard]] virtual KvSnapshot read_now(std::string_view name) = 0;
  virtual void read(const std::string& name, OnRead on_read) = 0;
  // Applies a change whole or not at all. On disk when reported.
  virtual void write(const std::string& name, KvChange change, OnWritten on_written) = 0;

 protected:
  ~KvStore() = default;
};

struct KvLimits {
  std::uint64_t store_bytes_max = 1ULL << 20;  // keys and values of one store
  std::size_t waiting_max = 10'000;            // reads and writes; one more is overloaded
  bool is_private = false;  // the file's folder has to be one that only our user can change
};
inline constexpr std::size_t kKvKeyBytesMax = 1024;

// Stores in one SQLite file, which several processes may share. The file is made, and opened, when
// a store is first used. Changes that wait together are written together, each by itself whole or
// not at all.
class SqliteKvStore final : public KvStore {
 public:
  // How long another process's changes may go unseen.
  static constexpr std::chrono::milliseconds kFreshFor{50};

  SqliteKvStore(std::string path, KvLimits limits);
  ~SqliteKvStore();

  [[nodiscard]] KvSnapshot read_now(std::string_view name) override;
  void read(const std::string& name, OnRead on_read) override;
  void write(const std::string& name, KvChange change, OnWritten on_written) override;

  // Does what is asked, on the thread that calls it, until stopped and nothing waits.
  void run(const std::stop_token& stop);

 private:
  struct Read {
    std::string name;
    OnRead on_read;
  };
  struct Write {
    std::string name;
    KvChange change;
    OnWritten on_written;
    std::optional<KvFailure> failure;
  };
  struct Known {
    KvSnapshot map;
    TimePoint looked_at{};
  };
  // A store as the transaction that is under way leaves it.
  struct Draft {
    KvMap map;
    std::uint64_t bytes = 0;
  };
  using Drafts = std::map<std::string, Draft>;

  [[nodiscard]] bool is_full() const;
  void serve(const std::vector<Read>& reads, std::vector<Write>& writes);
  [[nodiscard]] Result<> open();
  // Forgets what is known where another process has written since.
  [[nodiscard]] Result<> look_for_changes();
  [[nodiscard]] Result<KvSnapshot> load(const std::string& name);
  [[nodiscard]] Result<> write_all(std::vector<Write>& writes);
  [[nodiscard]] Result<> apply(Write& write, Drafts& drafts);
  void remember(const std::string& name, KvSnapshot map);

  const std::string path_;
  const KvLimits limits_;

  mutable std::mutex mutex_;  // of what follows, for moments
  std::condition_variable_any changed_;
  std::vector<Read> reads_;
  std::vector<Write> writes_;
  std::map<std::string, Known, std::less<>> known_;

  // Of the thread in run().
  std::optional<SqliteDatabase> database_;
  std::int64_t data_version_ = 0;
};

}  // namespace funcd::storage
