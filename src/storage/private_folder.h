#pragma once

#include <string>

#include "base/descriptor.h"
#include "base/result.h"

namespace funcd::storage {

// A folder that only our user can change or replace.
struct PrivateFolder {
  std::string path;  // absolute, without symbolic links
  Descriptor fd;
};

// Makes the folder with mode 0700 where it is missing, its parents too. Errors, with the remedy: it
// belongs to another user, others may enter it, or one of its parents lets anyone rename it.
[[nodiscard]] Result<PrivateFolder> open_private_folder(const std::string& path);

}  // namespace funcd::storage
