#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/exchange.h"
#include "registry/catalog.h"
#include "registry/status.h"
#include "source/bucket_source.h"

namespace funcd::server {

// Numbers of the whole server at one moment, added up over its workers.
struct ServerStats {
  std::uint32_t programs_loaded = 0;  // in memory now
  std::uint64_t program_loads = 0;    // from the cache of compiled code
  std::uint64_t program_unloads = 0;
  std::uint64_t requests_in_flight = 0;  // invocations that run now
  std::uint64_t requests_waiting = 0;    // for their turn
  std::uint64_t instances_idle = 0;      // that wait for another request
  std::uint64_t connections_open = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  // over the limit
  std::uint64_t accept_failures = 0;      // no descriptor or memory left
  std::uint64_t timeouts = 0;             // clients that were too slow
  std::uint64_t hangups = 0;              // clients that left before their response
  // Requests that were answered before any function was looked for: status, count.
  std::vector<std::pair<int, std::uint64_t>> refused;
  // Requests that met no function: reason ("not-found"), count.
  std::vector<std::pair<std::string, std::uint64_t>> unmatched;
};

// What stays as it is from start to end.
struct ServerFacts {
  std::string version;
  std::string listen_url;  // "http://127.0.0.1:8000"
  std::string admin_url;
  std::string config_file;  // empty when there is none
  std::string source_path;  // of the folder, absolute; empty where the source is a bucket
  std::size_t workers = 1;
  std::uint32_t instances_max = 0;
  std::string engine_fingerprint;
  std::chrono::system_clock::time_point started_at;
};

// What the admin address looks at. The functions are called on its loop's thread; they and
// is_draining outlive it.
struct AdminContext {
  ServerFacts facts;
  std::function<registry::Status()> status;
  std::function<std::shared_ptr<const registry::Catalog>()> catalog;
  std::function<ServerStats()> stats;
  std::function<source::BucketStatus()> bucket = nullptr;  // empty where the source is a folder
  std::function<void()> refresh = nullptr;                 // likewise: look at the bucket now
  const std::atomic<bool>& is_draining;
};

// Serves the admin address: health, metrics, status; changes nothing but when a bucket
// is looked at. One for the server, on one loop;
// nothing here blocks but a read of /proc.
class Admin final : public http::Handler {
 public:
  explicit Admin(AdminContext context) : context_(std::move(context)) {}

  void on_request(http::Exchange& exchange) override;
  void on_refused(int status) override;

  // The answer to one request; bodies of requests are not looked at.
  [[nodiscard]] http::Response answer(const http::RequestHead& head) const;

 private:
  AdminContext context_;
};

}  // namespace funcd::server
