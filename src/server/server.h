#pragma once

#include <atomic>
#include <boost/asio/signal_set.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/result.h"
#include "engine/compiler_process.h"
#include "engine/engine.h"
#include "files/job_queue.h"
#include "invoke/admission.h"
#include "registry/registry.h"
#include "server/admin.h"
#include "server/config.h"
#include "server/worker.h"
#include "source/bucket_source.h"
#include "storage/code_cache.h"
#include "storage/kv_store.h"

namespace funcd::server {

// The whole server. Owns every part and every thread: a worker for each core, the builder, two
// that wait for compilers, four that ask new revisions for their smoke requests, one that loads
// programs, one that looks at the bucket, the ticker, the stores' thread, and the thread that calls
// run(), which has the admin address and the signals.
class Server {
 public:
  // Checks the configuration against the machine, binds the addresses, makes the engine. Nothing
  // runs yet. An error says which setting to change.
  [[nodiscard]] static Result<std::unique_ptr<Server>> create(const Config& config);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "http://127.0.0.1:8000"; the admin one is empty when it is off.
  [[nodiscard]] const std::string& listen_url() const { return facts_.listen_url; }
  [[nodiscard]] const std::string& admin_url() const { return facts_.admin_url; }
  // What is served at the moment.
  [[nodiscard]] std::shared_ptr<const registry::Catalog> catalog() const {
    return registry_->catalog();
  }

  // Called once, on run()'s thread, when all that lay in the source at start has been decided.
  void on_first_scan(std::function<void(const registry::Status&)> callback);

  // Serves until SIGTERM, SIGINT or SIGHUP, then drains; a second signal ends it at once, unless it
  // is SIGHUP. An error when the source cannot be opened.
  [[nodiscard]] Result<> run();
  // As SIGTERM. From any thread.
  void request_stop();

 private:
  explicit Server(const Config& config);
  Result<> bind();
  Result<> make_engine();
  Result<> make_source();
  void make_registry();
  void make_workers();
  void make_admin();
  void tell_first_scan();
  void await_signals();
  void begin_drain();
  void on_worker_drained();
  [[nodiscard]] Result<> build(const std::stop_token& stop);
  [[nodiscard]] registry::Status status() const;
  [[nodiscard]] ServerStats stats() const;

  Config config_;
  ServerFacts facts_;
  Loop loop_;  // of run()'s thread
  std::vector<http::Listener> listeners_;
  std::optional<http::Listener> admin_listener_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::CompilerProcess> compiler_;
  std::unique_ptr<storage::CodeCache> cache_;
  std::unique_ptr<source::BucketSource> bucket_;  // null where the source is a folder
  std::string folder_;                            // the source, or the bucket's copy
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<storage::SqliteKvStore> kv_;
  files::JobQueue file_jobs_;
  std::unique_ptr<invoke::Admission> admission_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<http::Server> admin_server_;
  std::function<void(const registry::Status&)> on_first_scan_;
  boost::asio::signal_set signals_;
  std::atomic<bool> is_draining_{false};
  std::size_t workers_draining_ = 0;
  std::optional<Error> builder_error_;
};

}  // namespace funcd::server
