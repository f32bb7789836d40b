#include "server/worker.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace funcd::server {

Worker::Worker(http::Listener listener, const http::ServerOptions& http,
               invoke::Admission& admission, invoke::DispatcherOptions options,
               files::JobQueue& file_jobs, std::string source)
    : dispatcher_(loop_, admission, std::move(options)),
      files_(loop_, file_jobs, dispatcher_,
             {.source = std::move(source),
              .has_access_log = dispatcher_.has_access_log(),
              .may_answer =
                  [this](const http::RequestHead& head) {
                    return dispatcher_.yields_to_files(head);
                  }}),
      server_(loop_, std::move(listener), http, files_) {}

Worker::~Worker() {
  stop();
}

void Worker::start() {
  thread_ = std::jthread([this] { loop_.run(); });
}

void Worker::publish(std::shared_ptr<const registry::Catalog> catalog) {
  boost::asio::post(loop_.io(), [this, catalog = std::move(catalog)]() mutable {
    dispatcher_.publish(std::move(catalog));
  });
}

void Worker::drain(TimePoint deadline, std::function<void()> on_drained) {
  boost::asio::post(loop_.io(), [this, deadline, on_drained = std::move(on_drained)]() mutable {
    dispatcher_.drain();
    server_.drain(deadline, std::move(on_drained));
  });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

}  // namespace funcd::server
