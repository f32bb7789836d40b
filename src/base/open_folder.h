#pragma once

#include <dirent.h>

#include <memory>

namespace funcd {

// An open folder to read entries from, closed when it goes. Null after an opendir() that failed.
struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using OpenFolder = std::unique_ptr<DIR, CloseFolder>;

}  // namespace funcd
