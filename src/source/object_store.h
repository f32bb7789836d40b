#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "source/s3_client.h"

namespace funcd::source {

// A source as those see it who change it: files by path, "api/hello.wasm". For one thread; blocks.
class ObjectStore {
 public:
  using Bytes = std::vector<std::uint8_t>;
  struct Stored {
    Bytes bytes;
    std::string version;
  };
  struct File {
    std::string path;
    Bytes bytes;
  };
  // Told how much of a file was sent.
  using OnProgress = std::function<void(std::uint64_t sent, std::uint64_t total)>;

  virtual ~ObjectStore() = default;

  // Nothing when it is not there.
  [[nodiscard]] virtual Result<std::optional<Stored>> get(const std::string& path,
                                                          std::uint64_t bytes_max) = 0;
  // The SHA-256 of a file's content, hex; nothing when it is not there.
  [[nodiscard]] virtual Result<std::optional<std::string>> digest_of(const std::string& path,
                                                                     std::uint64_t bytes_max);
  // Writes a file when it is of that version still; "" for one that must not be there yet. False,
  // with nothing written, when somebody else was faster.
  [[nodiscard]] virtual Result<bool> put_if(const std::string& path,
                                            std::span<const std::uint8_t> bytes,
                                            const std::string& version) = 0;
  // Writes a file unless it is there, whole; content of that path is always the same.
  [[nodiscard]] virtual Result<> put_once(const std::string& path,
                                          std::span<const std::uint8_t> bytes,
                                          const OnProgress& on_progress) = 0;
  // Writes the files of one function in this order, the module last.
  [[nodiscard]] virtual Result<> publish(std::span<const File> files) = 0;
  // Paths of files that begin so, of one folder: those below another '/' are left out.
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& prefix) = 0;
  // No error when it is not there.
  [[nodiscard]] virtual Result<> remove(const std::string& path) = 0;
};

// A folder of functions. Conditions hold among those who use this class on it.
[[nodiscard]] Result<std::unique_ptr<ObjectStore>> open_folder_store(const std::string& folder);

// What lies below a bucket's prefix.
[[nodiscard]] Result<std::unique_ptr<ObjectStore>> open_bucket_store(
    const S3Location& location, const S3Options& options, const Environment& environment);

}  // namespace funcd::source
