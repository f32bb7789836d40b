#include "server/worker.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace funcd::server {

Worker::Worker(http::Listener listener, const http::ServerOptions& http,
               invoke::Admission& admission, invoke::DispatcherOptions options)
    : dispatcher_(loop_, admission, std::move(options)),
      server_(loop_, std::move(listener), http, dispatcher_) {}

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
    server_.drain(deadline, std::move(on_drained));
  });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

}  // namespace funcd::server
