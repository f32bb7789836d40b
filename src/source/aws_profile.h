#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"

namespace funcd::source {

// An environment variable's value; nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// What ~/.aws/credentials and ~/.aws/config say of one profile, the first before the second. Which
// files, AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE tell.
struct AwsProfile {
  std::string name;                           // as asked for, else AWS_PROFILE, else "default"
  std::map<std::string, std::string> values;  // "region", "endpoint_url", ...
  std::string files;                          // that were looked at, for messages

  // Of a key, or "".
  [[nodiscard]] std::string value(const std::string& key) const;
};

// An error when a profile is named and is in neither file, or a file cannot be read.
[[nodiscard]] Result<AwsProfile> read_aws_profile(const std::string& name,
                                                  const Environment& environment);

}  // namespace funcd::source
