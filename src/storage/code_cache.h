#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace funcd::storage {

// Compiled code on disk, by key. Loading native code is running it, so the folder must be ours
// alone (mode 0700, our owner, under no folder that others may rename in) and each entry carries a
// hash of its content that is checked before it is used. Entries are written whole or not at all,
// and several processes may share a folder. Past bytes_max the least recently used go.
// Thread-safe.
//
// An entry is two files: KEY.HASH.cwasm, the code, and KEY.sum, which names the hash. The second is
// what makes the first count, so that a writer killed at any moment leaves no half entry. What it
// leaves else, temporaries, a later open() removes.
class CodeCache {
 public:
  // Makes the folder where it is missing. Errors: not ours, not private, not writable.
  [[nodiscard]] static Result<std::unique_ptr<CodeCache>> open(const std::string& folder,
                                                               std::uint64_t bytes_max);
  ~CodeCache();
  CodeCache(const CodeCache&) = delete;
  CodeCache& operator=(const CodeCache&) = delete;

  // Name of an entry: the artifact's digest and the engine's fingerprint.
  [[nodiscard]] static std::string key_of(std::string_view artifact_digest,
                                          std::string_view engine_fingerprint);

  // Path of a checked entry whose content can be mapped as it is, or nothing. A damaged one is
  // removed, with a line in the log. Another process may evict the entry at any time: who gets the
  // path must be ready not to find the file.
  //
  // The content is hashed when this process first finds it, and again when the file has changed
  // since: what was found good before is as good as code that stayed mapped all the time, as both
  // are read from the same file when the kernel wants to.
  [[nodiscard]] std::optional<std::string> find(const std::string& key);
  // Whether there is an entry of that key, which find() may still find damaged.
  [[nodiscard]] bool has(const std::string& key) const;
  // Keeps the code under the key and returns the path as find() would.
  [[nodiscard]] Result<std::string> put(const std::string& key, std::span<const std::uint8_t> code);

  // Small files beside the entries, written whole or not at all: what is remembered of them. A name
  // is of letters, digits and '-'. Nothing when there is none that can be read.
  static constexpr std::uint64_t kNoteBytesMax = 64ULL << 20;
  [[nodiscard]] std::optional<std::string> note(const std::string& name) const;
  [[nodiscard]] Result<> keep_note(const std::string& name, std::string_view text);

 private:
  struct Body;
  explicit CodeCache(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace funcd::storage
