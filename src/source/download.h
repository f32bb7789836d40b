#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "source/s3_client.h"

namespace funcd::source {

// Reads one version of an object into a file, and goes on where a broken connection has stopped it.
class Download {
 public:
  // How often it is begun or resumed at the most without a byte more in between.
  static constexpr int kTriesMax = 4;

  struct Request {
    std::string key;
    std::string etag;
    std::uint64_t bytes = 0;  // as listed
    std::string file;         // is made anew
  };
  struct Outcome {
    bool is_whole = false;  // else one of these:
    bool has_changed = false;
    std::string problem;  // it is there and cannot be had: its digest is another, ...
    std::string sha256;
    std::int64_t modified_ns = 0;  // of the file
    std::string module_digest;     // as its metadata says, of the module that it belongs to
  };

  // An error is one of the bucket or our disk as a whole, not of this object. The file is synced to
  // the disk once it is whole; without that it is removed.
  [[nodiscard]] static S3Result<Outcome> run(S3Client& client, const Request& request,
                                             std::atomic<std::uint64_t>& bytes_read);
};

}  // namespace funcd::source
