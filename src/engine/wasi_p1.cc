#include "engine/wasi_p1.h"

#include <vector>

namespace funcd::engine {

std::span<const fb_host_function> wasi_p1_functions() {
  static const std::vector<fb_host_function> kAll = [] {
    std::vector<fb_host_function> all;
    for (const auto part : {wasi_process_functions(), wasi_descriptor_functions(),
                            wasi_path_functions(), wasi_poll_functions()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return kAll;
}

}  // namespace funcd::engine
