#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/epoch_ticker.h"
#include "engine/guest.h"

struct fb_program;

namespace funcd::engine {

// Who serves a guest's file calls.
enum class FileAccess : std::uint8_t {
  none,    // our own host functions: no file, no socket, the right errno for each call
  mounts,  // Wasmtime's: the mounted folders
};

// What a program is, by what it exports.
enum class ProgramKind : std::uint8_t {
  module,             // core WebAssembly
  http_component,     // answers requests: wasi:http/incoming-handler 0.2 or wasi:http/handler 0.3
  command_component,  // runs to its end: wasi:cli/run
  other_component,
};

// Which compiler made the code.
enum class Tier : std::uint8_t {
  baseline,   // in one pass: a fraction of the time, for code that runs slower
  optimized,  // takes up to seconds, gives the best
  scratch,    // of no program: for the runs that lead to a snapshot
};
[[nodiscard]] std::string_view name_of(Tier tier);  // "baseline"

// An import or export of a program, as text: "wasi_snapshot_preview1", "fd_write", "func (i32)". A
// component's import is an interface, "wasi:http/types@0.2.4", and has no name.
struct Extern {
  std::string module;  // of an import; empty for exports
  std::string name;
  std::string type;
};

// A compiled and linked artifact from which instances are made. Movable handle; immutable.
class Program {
 public:
  // `place` is held as long as the program lives.
  Program(fb_program* program, FileAccess files, Tier tier, EpochTicker& ticker,
          std::shared_ptr<const void> place);
  Program(Program&& other) noexcept;
  Program& operator=(Program&& other) noexcept;
  ~Program();

  [[nodiscard]] ProgramKind kind() const { return kind_; }
  [[nodiscard]] const std::vector<Extern>& imports() const { return imports_; }
  [[nodiscard]] const std::vector<Extern>& exports() const { return exports_; }
  [[nodiscard]] Tier tier() const { return tier_; }
  [[nodiscard]] bool has_export(std::string_view name) const;
  // Whether an instance can answer one request after another: it is of wasi:http 0.3.
  [[nodiscard]] bool answers_again() const;
  // Whether its instances can be made as good as new after a run.
  [[nodiscard]] bool is_renewable() const;
  // Why a component that does not answer requests does not, and what to do about it.
  [[nodiscard]] std::string why_no_http() const;
  // Whether its guests can ask for their arguments or their environment.
  [[nodiscard]] bool asks_for_environment() const { return asks_for_environment_; }
  // Of one that starts from a snapshot: what the run that left it has asked for.
  [[nodiscard]] const Asked& asked_before() const { return asked_before_; }
  // Of a module's linear memory: what it has at the start; and at most, when it says so.
  [[nodiscard]] std::uint64_t memory_bytes_min() const { return memory_bytes_min_; }
  [[nodiscard]] std::optional<std::uint64_t> memory_bytes_max() const { return memory_bytes_max_; }

 private:
  friend class Task;
  friend class HttpTask;
  [[nodiscard]] bool is_mark(std::string_view name);

  fb_program* program_ = nullptr;
  FileAccess files_ = FileAccess::none;
  Tier tier_ = Tier::optimized;
  EpochTicker* ticker_ = nullptr;      // the engine's
  std::shared_ptr<const void> place_;  // among the programs that the kernel can map
  ProgramKind kind_ = ProgramKind::module;
  std::vector<Extern> imports_;
  std::vector<Extern> exports_;
  bool asks_for_environment_ = true;
  Asked asked_before_;
  std::uint64_t memory_bytes_min_ = 0;
  std::optional<std::uint64_t> memory_bytes_max_;
};

}  // namespace funcd::engine
