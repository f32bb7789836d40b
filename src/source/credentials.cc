#include "source/credentials.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace funcd::source {
namespace {

constexpr std::chrono::minutes kRenewBefore{5};
constexpr std::uint64_t kTokenBytesMax = 64U << 10;
constexpr std::string_view kContainerHost = "http://169.254.170.2";
constexpr std::string_view kInstanceHost = "http://169.254.169.254";
constexpr std::string_view kRolePath = "/latest/meta-data/iam/security-credentials/";

// These answer from the machine itself, or not at all.
WebRequest local_request(std::string url) {
  WebRequest request;
  request.url = std::move(url);
  request.timeouts = {.connect = std::chrono::seconds(1),
                      .stall = std::chrono::seconds(2),
                      .whole = std::chrono::seconds(4)};
  request.has_proxy = false;
  request.body_bytes_max = kTokenBytesMax;
  return request;
}

using Time = std::chrono::system_clock::time_point;

// "9999-12-31T23:59:59Z" is as late as a time can be.
std::optional<Time> parse_time(const std::string& text) {
  std::tm time{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (end == nullptr) return std::nullopt;
  constexpr auto kLast = std::chrono::floor<std::chrono::seconds>(Time::max().time_since_epoch());
  const std::chrono::seconds since_epoch(::timegm(&time));
  return Time(std::clamp(since_epoch, std::chrono::seconds(0), kLast));
}

}  // namespace

Result<Credentials> parse_credentials(std::string_view json, const std::string& origin) {
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_object()) return fail("{}: what it answers are no credentials", origin);
  const auto text = [&parsed](const char* key) {
    const auto found = parsed.find(key);
    return found != parsed.end() && found->is_string() ? found->get<std::string>() : "";
  };
  Credentials credentials;
  credentials.key = text("AccessKeyId");
  credentials.secret = text("SecretAccessKey");
  credentials.token = text("Token");
  credentials.origin = origin;
  if (credentials.key.empty() || credentials.secret.empty()) {
    return fail("{}: its answer lacks AccessKeyId or SecretAccessKey", origin);
  }
  if (const std::string expiration = text("Expiration"); !expiration.empty()) {
    credentials.expires_at = parse_time(expiration);
    if (!credentials.expires_at) {
      return fail("{}: its Expiration '{}' is no time", origin, expiration);
    }
  }
  return credentials;
}

CredentialChain::CredentialChain(Environment environment, std::string profile, Send send)
    : environment_(std::move(environment)), profile_(std::move(profile)), send_(std::move(send)) {}

Result<Credentials> CredentialChain::get() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::system_clock::now();
  if (known_ && (!known_->expires_at || now + kRenewBefore < *known_->expires_at)) return *known_;
  for (const auto from : {&CredentialChain::from_environment, &CredentialChain::from_files,
                          &CredentialChain::from_container, &CredentialChain::from_instance}) {
    auto found = (this->*from)();
    // Old ones may still be good for a while where new ones cannot be had.
    if (!found && known_ && known_->expires_at && now < *known_->expires_at) return *known_;
    if (!found) return fail(found.error());
    if (*found) {
      known_ = std::move(**found);
      return *known_;
    }
  }
  return fail(
      "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put a profile "
      "into ~/.aws/credentials");
}

void CredentialChain::forget() {
  const std::lock_guard lock(mutex_);
  known_.reset();
}

std::string CredentialChain::variable(const std::string& name) const {
  return environment_(name).value_or("");
}

Result<std::optional<Credentials>> CredentialChain::from_environment() const {
  Credentials credentials{.key = variable("AWS_ACCESS_KEY_ID"),
                          .secret = variable("AWS_SECRET_ACCESS_KEY"),
                          .token = variable("AWS_SESSION_TOKEN"),
                          .expires_at = std::nullopt,
                          .origin = "the environment"};
  // A profile that is named in the settings is meant.
  if (!profile_.empty() || (credentials.key.empty() && credentials.secret.empty())) {
    return std::nullopt;
  }
  if (credentials.key.empty() || credentials.secret.empty()) {
    return fail("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set; set both");
  }
  return credentials;
}

Result<std::optional<Credentials>> CredentialChain::from_files() const {
  const AwsProfile profile = TRY(read_aws_profile(profile_, environment_));
  Credentials credentials{.key = profile.value("aws_access_key_id"),
                          .secret = profile.value("aws_secret_access_key"),
                          .token = profile.value("aws_session_token"),
                          .expires_at = std::nullopt,
                          .origin = fmt::format("profile '{}' of {}", profile.name, profile.files)};
  if (credentials.key.empty() && credentials.secret.empty()) return std::nullopt;
  if (credentials.key.empty() || credentials.secret.empty()) {
    return fail("{} has only one of aws_access_key_id and aws_secret_access_key; add the other",
                credentials.origin);
  }
  return credentials;
}

Result<std::optional<Credentials>> CredentialChain::from_container() const {
  std::string url = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (const std::string path = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); !path.empty()) {
    url = std::string(kContainerHost) + path;
  }
  if (url.empty()) return std::nullopt;
  const std::string origin = fmt::format("the container's credentials at {}", url);
  WebRequest request = local_request(url);
  std::string token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
    token = TRY(read_text_file(file, kTokenBytesMax));
    while (token.ends_with('\n')) token.pop_back();
  }
  if (!token.empty()) request.fields.push_back("Authorization: " + token);
  const auto answer = send_(request);
  if (!answer) return fail("{}: {}", origin, answer.error().message);
  if (answer->status != 200) return fail("{}: status {}", origin, answer->status);
  return TRY(parse_credentials(answer->body, origin));
}

// Where nothing answers there is no such service, and the machine is none of Amazon's.
Result<std::optional<Credentials>> CredentialChain::from_instance() const {
  if (variable("AWS_EC2_METADATA_DISABLED") == "true") return std::nullopt;
  std::string host = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (host.empty()) host = kInstanceHost;
  while (host.ends_with('/')) host.pop_back();
  const std::string origin = fmt::format("the instance's metadata at {}", host);

  WebRequest ask_token = local_request(host + "/latest/api/token");
  ask_token.method = "PUT";
  ask_token.fields = {"X-aws-ec2-metadata-token-ttl-seconds: 21600"};
  const auto token = send_(ask_token);
  if (!token || token->status != 200) return std::nullopt;

  WebRequest ask = local_request(fmt::format("{}{}", host, kRolePath));
  ask.fields = {"X-aws-ec2-metadata-token: " + token->body};
  const auto roles = send_(ask);
  if (!roles) return fail("{}: {}", origin, roles.error().message);
  if (roles->status != 200 || roles->body.empty()) {
    return fail("{}: the instance has no role; attach one that may read the bucket", origin);
  }
  ask.url += roles->body.substr(0, roles->body.find('\n'));
  const auto answer = send_(ask);
  if (!answer) return fail("{}: {}", origin, answer.error().message);
  if (answer->status != 200) return fail("{}: status {}", origin, answer->status);
  return TRY(parse_credentials(answer->body, origin));
}

}  // namespace funcd::source
