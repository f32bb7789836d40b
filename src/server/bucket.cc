#include "server/bucket.h"

#include <algorithm>

namespace funcd::server {

Result<std::unique_ptr<source::BucketSource>> open_bucket(const Config& config) {
  source::BucketOptions options;
  options.location = TRY(source::parse_s3_url(config.source));
  options.s3 = config.s3;
  options.folder = config.cache_dir + "/sources";
  options.poll = config.s3_poll;
  options.limits.bytes_max = config.s3_bytes_max;
  return source::BucketSource::create(std::move(options), process_environment);
}

void add_bucket(registry::Status& status, const source::BucketStatus& bucket) {
  status.source = bucket.source;
  if (!bucket.error.empty()) status.source_error = bucket.error;
  for (const auto& [path, message] : bucket.problems) status.problems.push_back({path, message});
  std::ranges::stable_sort(status.problems, {}, &registry::Problem::path);
}

}  // namespace funcd::server
