#include "source/s3_endpoint.h"

#include <algorithm>

namespace funcd::source {
namespace {

constexpr std::string_view kDefaultRegion = "us-east-1";

// The first that says something.
std::string first_of(const Environment& environment, std::initializer_list<const char*> variables) {
  for (const char* variable : variables) {
    if (auto value = environment(variable); value && !value->empty()) return *value;
  }
  return "";
}

bool is_region(std::string_view region) {
  return !region.empty() && region.size() <= 64 && std::ranges::all_of(region, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

}  // namespace

Result<> check_endpoint(std::string_view endpoint) {
  std::string_view host = endpoint;
  if (host.starts_with("http://")) {
    host.remove_prefix(7);
  } else if (host.starts_with("https://")) {
    host.remove_prefix(8);
  } else {
    return fail("expected a URL such as https://ACCOUNT.r2.cloudflarestorage.com, got '{}'",
                endpoint);
  }
  while (host.ends_with('/')) host.remove_suffix(1);
  const bool is_host = !host.empty() && std::ranges::all_of(host, [](unsigned char c) {
    return c > ' ' && c < 0x7f && c != '@' && c != '?' && c != '#' && c != '/';
  });
  if (!is_host)
    return fail("expected http or https, a host and a port at most, got '{}'", endpoint);
  return {};
}

Result<S3Endpoint> resolve_endpoint(const S3Location& location, const S3Options& options,
                                    const Environment& environment) {
  const AwsProfile profile = TRY(read_aws_profile(options.profile, environment));
  S3Endpoint endpoint{
      .url = {}, .list_url = {}, .host_text = {}, .region = options.region, .location = location};
  if (endpoint.region.empty()) {
    endpoint.region = first_of(environment, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  }
  if (endpoint.region.empty()) endpoint.region = profile.value("region");
  if (endpoint.region.empty()) endpoint.region = kDefaultRegion;
  if (!is_region(endpoint.region)) return fail("'{}' is no region's name", endpoint.region);

  std::string base = options.endpoint;
  if (base.empty()) base = first_of(environment, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  if (base.empty()) base = profile.value("endpoint_url");
  const bool is_amazons = base.empty();
  if (is_amazons) base = fmt::format("https://s3.{}.amazonaws.com", endpoint.region);
  TRY(check_endpoint(base));
  while (base.ends_with('/')) base.pop_back();

  // A dot in a bucket's name would not fit the certificate's "*".
  const bool is_in_host = options.addressing == Addressing::host ||
                          (options.addressing == Addressing::automatic && is_amazons &&
                           location.bucket.find('.') == std::string::npos);
  const auto scheme_end = base.find("://") + 3;
  endpoint.host_text = base.substr(scheme_end);
  endpoint.url = is_in_host ? fmt::format("{}{}.{}", base.substr(0, scheme_end), location.bucket,
                                          endpoint.host_text)
                            : fmt::format("{}/{}", base, location.bucket);
  endpoint.list_url = is_in_host ? endpoint.url + "/" : endpoint.url;
  return endpoint;
}

}  // namespace funcd::source
