#pragma once

#include <string>
#include <string_view>

#include "source/aws_profile.h"
#include "source/s3_location.h"

namespace funcd::source {

// Where the bucket's name stands in a URL.
enum class Addressing : std::uint8_t { automatic, path, host };

// What the settings say; empty members are looked for elsewhere.
struct S3Options {
  std::string endpoint =
      {};                   // "http://127.0.0.1:7070"; else AWS_ENDPOINT_URL_S3, ..., else Amazon's
  std::string region = {};  // else AWS_REGION, AWS_DEFAULT_REGION, the profile's, else us-east-1
  std::string profile = {};  // else AWS_PROFILE, else default
  Addressing addressing = Addressing::automatic;
};

// Where a bucket is reached.
struct S3Endpoint {
  std::string url;        // "https://fns.s3.eu-west-1.amazonaws.com" or "http://host:7070/fns"
  std::string list_url;   // the same, as what stands before a query
  std::string host_text;  // for messages: "s3.eu-west-1.amazonaws.com"
  std::string region;
  S3Location location;
};

[[nodiscard]] Result<S3Endpoint> resolve_endpoint(const S3Location& location,
                                                  const S3Options& options,
                                                  const Environment& environment);

// An error when it is no http or https URL of a host.
[[nodiscard]] Result<> check_endpoint(std::string_view endpoint);

}  // namespace funcd::source
