#pragma once

#include <string>

#include "base/descriptor.h"
#include "base/result.h"

namespace funcd::cli {

// A folder of its own for what is written before it is moved into place; gone with this. It is
// locked while it is in use, so that what an import that was killed has left can be told from what
// another one has under way.
class ImportStaging {
 public:
  // Makes PREFIX.import-XXXXXX, and removes those of that name that nobody uses any more. `prefix`
  // may end in a slash.
  [[nodiscard]] static Result<ImportStaging> create(const std::string& prefix);
  ImportStaging(ImportStaging&& other) noexcept;
  ImportStaging& operator=(ImportStaging&&) = delete;
  ~ImportStaging();

  [[nodiscard]] const std::string& path() const { return path_; }
  // It is what it was for, and stays.
  void keep() { path_.clear(); }

 private:
  ImportStaging(std::string path, Descriptor lock);

  std::string path_;
  Descriptor lock_;
};

}  // namespace funcd::cli
