#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/result.h"

namespace funcd::source {

// What is written to a folder of functions under a name of its own first, and renamed then. Whoever
// does so shares a lock meanwhile, which the kernel takes from him however he ends: once one has it
// alone, what lies there under such names is that of the dead.
class Staging {
 public:
  // `source` is the folder of functions, which gets its .funcd.
  [[nodiscard]] static Result<Staging> begin(const std::string& source);

  // Where the new content of a file is written: ".hello.wasm.PID.deploy" beside "hello.wasm".
  [[nodiscard]] static std::string path_for(const std::string& file);

  // Called when nothing is staged any more. Removes what the dead have left in these folders, which
  // lie in the source; nothing while others stage.
  void clear(const std::set<std::string>& folders) &&;

 private:
  Staging(std::string own_folder, Descriptor fd)
      : own_folder_(std::move(own_folder)), fd_(std::move(fd)) {}

  std::string own_folder_;  // "functions/.funcd"
  Descriptor fd_;           // of it
};

}  // namespace funcd::source
