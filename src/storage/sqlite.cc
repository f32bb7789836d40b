#include "storage/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <cerrno>
#include <chrono>

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/file.h"

namespace funcd::storage {
namespace {

tl::unexpected<Error> failure_of(sqlite3* database) {
  const char* path = sqlite3_db_filename(database, nullptr);
  return fail("{}: {}", path == nullptr ? "" : path, sqlite3_errmsg(database));
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

SqliteStatement& SqliteStatement::bind(int parameter, std::string_view text) {
  const int code = sqlite3_bind_text64(statement_.get(), parameter, text.data(), text.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8);
  CHECK(code == SQLITE_OK || code == SQLITE_NOMEM || code == SQLITE_TOOBIG, "code {}", code);
  return *this;
}

Result<bool> SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  auto failure = failure_of(sqlite3_db_handle(statement_.get()));
  sqlite3_reset(statement_.get());
  return failure;
}

std::string_view SqliteStatement::text(int column) const {
  const auto* bytes = sqlite3_column_blob(statement_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return {static_cast<const char*>(bytes), size};
}

std::int64_t SqliteStatement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

void SqliteDatabase::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Result<SqliteDatabase> SqliteDatabase::open(const std::string& path, int busy_ms) {
  // SQLite would make it readable for others, and its companions get the mode of the file.
  const Descriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!made) return fail("{}: cannot be opened: {}", path, errno_text(errno));
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  SqliteDatabase database(raw);
  if (code != SQLITE_OK) {
    return fail("{}: cannot be opened: {}", path,
                raw == nullptr ? "no memory" : sqlite3_errmsg(raw));
  }
  sqlite3_busy_timeout(raw, busy_ms);
  // Of two that do this first at once, SQLite tells one that the file is locked without waiting.
  const TimePoint deadline = Clock::now() + std::chrono::milliseconds(busy_ms);
  while (sqlite3_exec(raw, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr) != SQLITE_OK) {
    if (sqlite3_errcode(raw) != SQLITE_BUSY || Clock::now() >= deadline) return failure_of(raw);
    sqlite3_sleep(1);
  }
  TRY(database.run("PRAGMA synchronous = FULL"));
  return database;
}

Result<> SqliteDatabase::run(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return failure_of(database_.get());
}

Result<SqliteStatement> SqliteDatabase::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  if (code != SQLITE_OK) return failure_of(database_.get());
  return SqliteStatement(statement);
}

Result<std::int64_t> SqliteDatabase::number(std::string_view sql) {
  auto statement = TRY(prepare(sql));
  if (!TRY(statement.step())) return fail("{}: has no row", sql);
  return statement.number(0);
}

}  // namespace funcd::storage
