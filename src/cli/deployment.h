#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "cli/config_flags.h"
#include "cli/verbs.h"
#include "source/deployments.h"

namespace funcd::cli {

// What deploy, rollback and revisions have in common: the source that they change, and the server
// that they wait for. Owned by the verb's action.
// What a change has come to, in words: "hello: revision 2 is live on ./functions".
[[nodiscard]] std::string told(const std::string& name, const source::Deployments::Change& change,
                               const std::string& source, bool is_live);

class SourceFlags {
 public:
  enum class Waiting : std::uint8_t { none, possible };
  SourceFlags(CLI::App& verb, Waiting waiting);

  struct Opened {
    server::Config config;
    std::unique_ptr<source::ObjectStore> store;
    std::string source;
  };
  // Errors with kWrongUsage are those of load().
  [[nodiscard]] Result<server::Config> load() const { return flags_.load(); }
  [[nodiscard]] Result<Opened> open(server::Config config) const;
  [[nodiscard]] bool is_waiting() const { return is_waiting_; }
  // Of a server that is to be waited for: why the function's newest file is not live, and since
  // when; "" where it is. Asked before anything is changed.
  [[nodiscard]] Result<std::string> failure_before(const server::Config& config,
                                                   const std::string& name) const;
  // Until the server has what a change has come to, or says something new of why it has not.
  [[nodiscard]] Result<> wait(const server::Config& config, const std::string& name,
                              const source::Deployments::Change& change,
                              const std::string& failure_before) const;

 private:
  ConfigFlags flags_;
  std::string to_;
  bool is_waiting_ = false;
  std::string timeout_ = "60s";
};

// Loads the settings, then does it.
template <class Request>
Action action_of(std::shared_ptr<Request> request,
                 Result<> (*perform)(const Request& request, server::Config config)) {
  return [request = std::move(request), perform] {
    auto config = request->source.load();
    if (!config) return report(config.error(), kWrongUsage);
    const auto done = perform(*request, std::move(*config));
    return done ? kDone : report(done.error(), kBad);
  };
}

}  // namespace funcd::cli
