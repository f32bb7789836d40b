#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cli/config_flags.h"
#include "cli/verbs.h"
#include "registry/manifest.h"
#include "source/deployments.h"

namespace funcd::cli {

// Where a schema lies in the source: a sidecar names it from beside its function.
[[nodiscard]] std::string schema_path(const std::string& function, const std::string& schema);
// Those that a sidecar names, each once: a request and its response may have one.
struct NamedSchema {
  std::string name;
  std::string path;  // as schema_path() says; one that begins with ".." leads out of the source
};
[[nodiscard]] std::vector<NamedSchema> schemas_of(const std::string& function,
                                                  const registry::Manifest& manifest);

// What deploy, canary, promote, rollback and revisions have in common: the source that they change,
// the server that they wait for, and --json. Owned by the verb's action.
class SourceFlags {
 public:
  enum class Waiting : std::uint8_t { none, possible };
  SourceFlags(CLI::App& verb, Waiting waiting);

  struct Opened {
    server::Config config;
    std::unique_ptr<source::ObjectStore> store;
    std::string source;

    [[nodiscard]] source::Deployments deployments() const;
  };
  // Errors with kWrongUsage are those of load().
  [[nodiscard]] Result<server::Config> load() const { return flags_.load(); }
  [[nodiscard]] Result<Opened> open(server::Config config) const;
  [[nodiscard]] bool is_json() const { return is_json_; }
  // Of a server that is to be waited for: why the function's newest file is not live, and since
  // when; "" where it is. Asked before anything is changed.
  [[nodiscard]] Result<std::string> failure_before(const server::Config& config,
                                                   const std::string& name) const;
  // Until the server has what a change has come to, or says something new of why it has not.
  [[nodiscard]] Result<> wait(const server::Config& config, const std::string& name,
                              const source::Deployments::Change& change,
                              const std::string& failure_before) const;
  // Prints what a change has come to, once it has been waited for: "hello: revision 2 is live on
  // ./functions"; and which sidecar it has kept, if any.
  void tell(const std::string& name, const source::Deployments::Change& change,
            const std::string& source, const std::string& kept_sidecar = "") const;

 private:
  ConfigFlags flags_;
  std::string to_;
  bool is_waiting_ = false;
  bool is_json_ = false;
  std::string timeout_ = "60s";
};

// Loads the settings, then does it.
template <class Request>
Action action_of(std::shared_ptr<Request> request,
                 Result<> (*perform)(const Request& request, server::Config config)) {
  return [request = std::move(request), perform] {
    auto config = request->source.load();
    if (!config) return report(config.error(), kWrongUsage);
    return code_of(perform(*request, std::move(*config)));
  };
}

}  // namespace funcd::cli
