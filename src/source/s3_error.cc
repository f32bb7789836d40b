#include "source/s3_error.h"

#include <string_view>

namespace funcd::source {
namespace {

constexpr std::size_t kTextMax = 200;

bool is_any(std::string_view code, std::initializer_list<std::string_view> codes) {
  for (const auto each : codes) {
    if (each == code) return true;
  }
  return false;
}

// Error codes: Amazon S3 API reference, "Error responses"; XAdminUserNotFound is versitygw's.
std::string remedy_of(const S3Endpoint& endpoint, const std::string& access_key,
                      const ErrorAnswer& error, const WebResponse& answer) {
  const std::string& code = error.code;
  if (code == "SignatureDoesNotMatch") {
    return fmt::format(
        "the secret is not that of access key {}; check AWS_SECRET_ACCESS_KEY or the profile",
        access_key);
  }
  if (is_any(code, {"InvalidAccessKeyId", "XAdminUserNotFound"})) {
    return fmt::format("access key {} is not known there; check AWS_ACCESS_KEY_ID and s3.endpoint",
                       access_key);
  }
  if (is_any(code, {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})) {
    return fmt::format("the session token of access key {} has ended or is none; get a new one",
                       access_key);
  }
  if (code == "NoSuchBucket") {
    return fmt::format(
        "there is no bucket '{}' at {}; create it, or check its name and s3.endpoint",
        endpoint.location.bucket, endpoint.host_text);
  }
  if (is_any(code, {"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect",
                    "IllegalLocationConstraintException", "InvalidRegion"})) {
    std::string region = error.region;
    if (region.empty()) region = answer.field("x-amz-bucket-region");
    return fmt::format("the bucket is not in region {}; set s3.region{}", endpoint.region,
                       region.empty() ? " to the one it is in" : fmt::format(" to {}", region));
  }
  if (is_any(code, {"RequestTimeTooSkewed", "RequestExpired"})) {
    return "this machine's clock differs from the server's by more than it allows; set it with NTP";
  }
  if (code == "AccessDenied" || answer.status == 401 || answer.status == 403) {
    return fmt::format(
        "access key {} may not do that; allow it s3:ListBucket on the bucket and s3:GetObject on "
        "its objects, and to deploy s3:PutObject and s3:DeleteObject",
        access_key);
  }
  if (answer.status >= 300 && answer.status < 400) {
    return fmt::format("it redirects to '{}'; check s3.endpoint and s3.region",
                       answer.field("location"));
  }
  return "";
}

}  // namespace

S3Error explain(const S3Endpoint& endpoint, std::string_view what, const std::string& access_key,
                const WebResponse& answer) {
  const ErrorAnswer error = parse_error(answer.body);
  S3Error result;
  const bool may_pass = answer.status >= 500 || answer.status == 429 || answer.status == 408 ||
                        is_any(error.code, {"SlowDown", "RequestTimeout", "OperationAborted"});
  result.kind = may_pass ? S3Error::Kind::unreachable : S3Error::Kind::refused;
  std::string said = fmt::format("status {}", answer.status);
  if (!error.code.empty()) said = fmt::format("{} {}", answer.status, error.code);
  std::string remedy = remedy_of(endpoint, access_key, error, answer);
  if (remedy.empty()) remedy = error.message.substr(0, kTextMax);
  if (remedy.empty() && error.code.empty() && !may_pass) {
    remedy = fmt::format("is {} an S3 server? check s3.endpoint", endpoint.host_text);
  }
  result.message = fmt::format("{}: cannot {}: {}{}{}", format_s3_url(endpoint.location), what,
                               said, remedy.empty() ? "" : ": ", remedy);
  return result;
}

S3Error explain(const S3Endpoint& endpoint, const WebError& error) {
  if (error.is_ours) {
    return {.kind = S3Error::Kind::refused,
            .message = fmt::format("{}: {}", format_s3_url(endpoint.location), error.message)};
  }
  if (error.is_distrust) {
    return {
        .kind = S3Error::Kind::refused,
        .message = fmt::format("{}: {} is not to be trusted: {}", format_s3_url(endpoint.location),
                               endpoint.host_text, error.message)};
  }
  return {.kind = error.is_stopped ? S3Error::Kind::stopped : S3Error::Kind::unreachable,
          .message = fmt::format("{}: {} does not answer: {}", format_s3_url(endpoint.location),
                                 endpoint.host_text, error.message)};
}

}  // namespace funcd::source
