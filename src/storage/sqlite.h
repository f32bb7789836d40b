#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace funcd::storage {

// A prepared statement. Parameters are numbered from 1, columns from 0; texts may hold NUL.
class SqliteStatement {
 public:
  SqliteStatement& bind(int parameter, std::string_view text);
  // Whether there is a row now. After the last one the statement can be bound and run again.
  [[nodiscard]] Result<bool> step();
  // Of the row that step() came to; good until the next step().
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::int64_t number(int column) const;

 private:
  friend class SqliteDatabase;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// A connection to an SQLite file, for one thread. Errors name the file.
class SqliteDatabase {
 public:
  // Makes the file (mode 0600) where it is missing; its folder is there. Write-ahead log, every
  // commit is synced; waits `busy_ms` for other processes.
  [[nodiscard]] static Result<SqliteDatabase> open(const std::string& path, int busy_ms);

  [[nodiscard]] Result<> run(const char* sql);
  [[nodiscard]] Result<SqliteStatement> prepare(std::string_view sql);
  // The first column of the first row.
  [[nodiscard]] Result<std::int64_t> number(std::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit SqliteDatabase(sqlite3* database) : database_(database) {}
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace funcd::storage
