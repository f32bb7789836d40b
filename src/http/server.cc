#include "http/server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <climits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "http/session.h"

namespace funcd::http {
namespace {

using Tcp = boost::asio::ip::tcp;
using Acceptor = boost::asio::basic_socket_acceptor<Tcp, boost::asio::io_context::executor_type>;

// Other connections get their turn after so many new ones.
constexpr int kAcceptsPerTurn = 64;
// Out of descriptors or memory: tried again after this, as nothing tells when there are some.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

class Server::Core final : public SessionHost {
 public:
  Core(Loop& on, Listener listener, const ServerOptions& with, Handler& to);
  ~Core();

  void drain(TimePoint deadline, std::function<void()> on_drained);
  void on_closed(Session& session) override;

 private:
  void wait_for_connections();
  void accept_some(int count_max);
  // Zero, or an errno.
  [[nodiscard]] int accept_one();
  void start_session(int descriptor, const Tcp::endpoint& peer);
  void close_all();

  Acceptor acceptor_;
  bool is_failing_ = false;  // has been logged
  std::vector<std::shared_ptr<Session>> sessions_;
  std::function<void()> on_drained_;
  Timer accept_timer_;
  Timer deadline_timer_;
  Timer drained_timer_;  // on_drained is called from here, so that no frame of ours is below it
  // Tells operations that end later that this is gone.
  std::shared_ptr<Core*> self_ = std::make_shared<Core*>(this);
};

Server::Core::Core(Loop& on, Listener listener, const ServerOptions& with, Handler& to)
    : SessionHost(on, with, to),
      acceptor_(on.io().get_executor()),
      accept_timer_(on.timers(), this,
                    [](void* core) { static_cast<Core*>(core)->accept_some(kAcceptsPerTurn); }),
      deadline_timer_(on.timers(), this, [](void* core) { static_cast<Core*>(core)->close_all(); }),
      drained_timer_(on.timers(), this, [](void* core) {
        const std::function<void()> call = std::move(static_cast<Core*>(core)->on_drained_);
        call();
      }) {
  const bool is_v6 = listener.endpoint().host.find(':') != std::string::npos;
  boost::system::error_code error;
  acceptor_.assign(is_v6 ? Tcp::v6() : Tcp::v4(), listener.release(), error);
  CHECK(!error, "{}", error.message());
  wait_for_connections();
}

Server::Core::~Core() {
  *self_ = nullptr;
  close_all();
}

void Server::Core::close_all() {
  while (!sessions_.empty()) sessions_.back()->close();
}

void Server::Core::wait_for_connections() {
  acceptor_.async_wait(Acceptor::wait_read, [self = self_](const boost::system::error_code& error) {
    Core* const core = *self;
    if (core == nullptr || error) return;
    core->accept_some(kAcceptsPerTurn);
  });
}

void Server::Core::accept_some(int count_max) {
  for (int i = 0; i < count_max; ++i) {
    const int code = accept_one();
    if (code == 0) continue;
    if (code == EAGAIN) break;
    // The connection that was to be accepted has gone (accept(2) lists what Linux passes on).
    if (code == ECONNABORTED || code == EINTR || code == EPROTO || code == ENETDOWN ||
        code == ENOPROTOOPT || code == EHOSTDOWN || code == ENONET || code == EHOSTUNREACH ||
        code == EOPNOTSUPP || code == ENETUNREACH) {
      continue;
    }
    counters.accept_failures.add();
    if (!std::exchange(is_failing_, true)) {
      log::warn("accept.failed", {{"error", errno_text(code)}});
    }
    if (!is_draining) accept_timer_.arm(Clock::now() + kAcceptPause);
    return;
  }
  if (!is_draining) wait_for_connections();
}

int Server::Core::accept_one() {
  Tcp::endpoint peer;
  auto length = static_cast<socklen_t>(peer.capacity());
  const int descriptor =
      accept4(acceptor_.native_handle(), peer.data(), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return errno;
  is_failing_ = false;
  peer.resize(length);
  start_session(descriptor, peer);
  return 0;
}

void Server::Core::start_session(int descriptor, const Tcp::endpoint& peer) {
  counters.connections_accepted.add();
  Socket socket(loop.io().get_executor());
  boost::system::error_code error;
  socket.assign(peer.protocol(), descriptor, error);
  if (error) {
    // The descriptor is still ours; epoll had no room for it.
    ::close(descriptor);
    counters.accept_failures.add();
    return;
  }
  if (sessions_.size() >= options.connections_max) {
    counters.connections_refused.add();
    return;
  }
  auto session =
      std::make_shared<Session>(*this, std::move(socket), peer.address().to_string(), peer.port());
  session->index_in_host = sessions_.size();
  sessions_.push_back(session);
  counters.connections_open.add();
  session->start();
}

void Server::Core::on_closed(Session& session) {
  const std::size_t index = session.index_in_host;
  CHECK(index < sessions_.size() && sessions_[index].get() == &session);
  if (index + 1 != sessions_.size()) {
    std::swap(sessions_[index], sessions_.back());
    sessions_[index]->index_in_host = index;
  }
  sessions_.pop_back();
  counters.connections_open.subtract();
  if (on_drained_ && sessions_.empty()) drained_timer_.arm(Clock::now());
}

void Server::Core::drain(TimePoint deadline, std::function<void()> on_drained) {
  CHECK(!is_draining, "drain() is called once");
  is_draining = true;
  on_drained_ = std::move(on_drained);
  accept_timer_.disarm();
  // Who has been connected by the kernel already would find the connection reset.
  accept_some(static_cast<int>(std::min<std::size_t>(options.connections_max, INT_MAX)));
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  const std::vector<std::shared_ptr<Session>> sessions = sessions_;
  for (const std::shared_ptr<Session>& session : sessions) session->drain();
  deadline_timer_.arm(deadline);
  if (sessions_.empty()) drained_timer_.arm(Clock::now());
}

Server::Server(Loop& loop, Listener listener, ServerOptions options, Handler& handler)
    : core_(std::make_unique<Core>(loop, std::move(listener), options, handler)) {}

Server::~Server() = default;

void Server::drain(TimePoint deadline, std::function<void()> on_drained) {
  core_->drain(deadline, std::move(on_drained));
}

const ServerCounters& Server::counters() const {
  return core_->counters;
}

}  // namespace funcd::http
