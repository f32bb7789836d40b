#pragma once

#include "registry/status.h"
#include "server/config.h"
#include "source/bucket_source.h"

namespace funcd::server {

// The bucket that is this configuration's source, which is an s3:// URL. Its copy lies in the cache
// folder.
[[nodiscard]] Result<std::unique_ptr<source::BucketSource>> open_bucket(const Config& config);

// Says of the bucket what the registry, which sees its copy, cannot know.
void add_bucket(registry::Status& status, const source::BucketStatus& bucket);

}  // namespace funcd::server
