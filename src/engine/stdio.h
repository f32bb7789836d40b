#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace funcd::engine {

// Where a guest's descriptors 0, 1 and 2 lead. One for each run, used by the task's thread.
class Stdio {
 public:
  virtual ~Stdio() = default;

  // Copies what is next on stdin into `into`: bytes read, 0 at the end, kWait, or -errno.
  virtual std::int64_t read(std::span<std::uint8_t> into) = 0;
  // Takes bytes for descriptor 1 or 2, kWriteBytesMax at the most: their number, kWait when none of
  // them is taken now, or -errno; kFull stops the guest.
  virtual std::int64_t write(int descriptor, std::span<const std::uint8_t> bytes) = 0;
  // Whether read() would not block, nor say kWait.
  [[nodiscard]] virtual bool is_readable() const = 0;
  // The same of write().
  [[nodiscard]] virtual bool is_writable(int /*descriptor*/) const { return true; }
  // Whether the one who polls the task knows when a descriptor that was not ready is; if not, it
  // is looked at now and then.
  [[nodiscard]] virtual bool is_watched() const { return true; }
  // Whether a descriptor is a terminal.
  [[nodiscard]] virtual bool is_terminal(int descriptor) const = 0;

  static constexpr std::int64_t kFull = -1'000'000;  // more than the limit: ends the run
  static constexpr std::int64_t kWait = -1'000'001;  // not now: the task waits and asks again
  static constexpr std::size_t kWriteBytesMax = 64 << 10;
};

// Stdin from bytes, stdout and stderr into strings, each with its bound.
class BufferedStdio final : public Stdio {
 public:
  BufferedStdio(std::string_view stdin_bytes, std::uint64_t stdout_bytes_max,
                std::uint64_t stderr_bytes_max)
      : stdin_(stdin_bytes), stdout_max_(stdout_bytes_max), stderr_max_(stderr_bytes_max) {}

  std::int64_t read(std::span<std::uint8_t> into) override;
  std::int64_t write(int descriptor, std::span<const std::uint8_t> bytes) override;
  [[nodiscard]] bool is_readable() const override { return true; }
  [[nodiscard]] bool is_terminal(int /*descriptor*/) const override { return false; }

  std::string& out() { return out_; }
  [[nodiscard]] const std::string& err() const { return err_; }

 private:
  std::string_view stdin_;
  std::string out_;
  std::string err_;
  std::uint64_t stdout_max_;
  std::uint64_t stderr_max_;
};

// The process's own stdin, stdout and stderr; reads and writes block.
class InheritedStdio final : public Stdio {
 public:
  std::int64_t read(std::span<std::uint8_t> into) override;
  std::int64_t write(int descriptor, std::span<const std::uint8_t> bytes) override;
  [[nodiscard]] bool is_readable() const override;
  [[nodiscard]] bool is_watched() const override { return false; }
  [[nodiscard]] bool is_terminal(int descriptor) const override;
};

}  // namespace funcd::engine
