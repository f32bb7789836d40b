#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "source/aws_profile.h"
#include "source/web_client.h"

namespace funcd::source {

// What requests are signed with.
struct Credentials {
  std::string key;
  std::string secret;
  std::string token;  // of temporary ones; else ""
  std::optional<std::chrono::system_clock::time_point> expires_at;
  std::string origin;  // "the environment", for messages
};

// Finds credentials where the AWS tools do, first found first used: the environment
// (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), the profile's files, the
// container's endpoint (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI), the instance's
// metadata service (version 2). Keeps them until shortly before they end. Thread-safe.
class CredentialChain {
 public:
  // Sends a request and waits for its answer; may be called by any thread, one at a time.
  using Send = std::function<tl::expected<WebResponse, WebError>(const WebRequest&)>;

  CredentialChain(Environment environment, std::string profile, Send send);

  // Those of now. Errors say where was looked, and how to give some.
  [[nodiscard]] Result<Credentials> get();
  // Has get() look again: they were refused, so files or endpoints may have newer ones.
  void forget();

 private:
  [[nodiscard]] Result<std::optional<Credentials>> from_environment() const;
  [[nodiscard]] Result<std::optional<Credentials>> from_files() const;
  [[nodiscard]] Result<std::optional<Credentials>> from_container() const;
  [[nodiscard]] Result<std::optional<Credentials>> from_instance() const;
  [[nodiscard]] std::string variable(const std::string& name) const;

  Environment environment_;
  std::string profile_;
  Send send_;
  std::mutex mutex_;
  std::optional<Credentials> known_;
};

// The answer of a container's or an instance's endpoint. `origin` names it in errors.
[[nodiscard]] Result<Credentials> parse_credentials(std::string_view json,
                                                    const std::string& origin);

}  // namespace funcd::source
