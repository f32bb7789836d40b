#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/loop.h"
#include "files/file_handler.h"
#include "http/server.h"
#include "invoke/dispatcher.h"

namespace funcd::server {

// One core's thread: a loop, the HTTP server on it, and behind that public files and the
// dispatcher. Made and destroyed by the server's main thread, which calls everything here.
class Worker {
 public:
  Worker(http::Listener listener, const http::ServerOptions& http, invoke::Admission& admission,
         invoke::DispatcherOptions options, files::JobQueue& file_jobs, std::string source);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  // From any thread.
  void publish(std::shared_ptr<const registry::Catalog> catalog);
  // Answers what is in flight, then calls `on_drained` on this worker's thread.
  void drain(TimePoint deadline, std::function<void()> on_drained);
  // Ends the thread; what is still in flight is dropped.
  void stop();

  [[nodiscard]] const http::ServerCounters& counters() const { return server_.counters(); }
  [[nodiscard]] const invoke::Dispatcher& dispatcher() const { return dispatcher_; }

 private:
  Loop loop_;
  invoke::Dispatcher dispatcher_;
  files::FileHandler files_;
  http::Server server_;
  std::jthread thread_;
};

}  // namespace funcd::server
