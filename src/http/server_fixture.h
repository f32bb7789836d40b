#pragma once

// For tests: a server on a loop of its own that the test turns by hand, a handler that is told what
// to do, and a client that sends and receives raw bytes.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "http/server.h"

namespace funcd::http::testing {

inline std::uint64_t printed_seed() {
  const char* given = std::getenv("FUNCD_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::printf("FUNCD_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

inline Response text_response(std::string body, int status = 200) {
  Response response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

constexpr std::string_view kEnd = "GET /end HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
constexpr std::string_view kEndAnswer =
    "HTTP/1.1 200 OK\r\ncontent-length: 8\r\ncontent-type: text/plain\r\nconnection: close\r\n"
    "\r\nGET /end";

// An answer of text_response() on a connection that is kept.
inline std::string plain(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\ncontent-length: {}\r\ncontent-type: text/plain\r\n\r\n{}",
                     body.size(), body);
}

// Listens to one exchange and remembers what it was told.
class Recorder final : public ExchangeListener {
 public:
  explicit Recorder(Exchange& exchange) : exchange_(&exchange) { exchange.listen(*this); }
  void on_body(std::string_view bytes) override {
    body = std::string(bytes);
    if (then) then(*this);
  }
  void on_body_error(BodyError what) override {
    error = what;
    if (then) then(*this);
  }
  void on_hangup() override {
    is_hung_up = true;
    exchange_ = nullptr;
  }
  Exchange& exchange() { return *exchange_; }

  std::optional<std::string> body;
  std::optional<BodyError> error;
  bool is_hung_up = false;
  std::function<void(Recorder&)> then;

 private:
  Exchange* exchange_;
};

class FakeHandler final : public Handler {
 public:
  void on_request(Exchange& exchange) override {
    ++requests;
    on_exchange(exchange);
  }
  void on_refused(int status) override { refused.push_back(status); }

  Recorder& record(Exchange& exchange) {
    recorders.push_back(std::make_unique<Recorder>(exchange));
    return *recorders.back();
  }

  // "METHOD path?query [body]", after the body has been read.
  void echo(Exchange& exchange, std::size_t bytes_max = 1 << 20) {
    Recorder& recorder = record(exchange);
    recorder.then = [](Recorder& self) {
      if (self.error) {
        const int status = self.error == BodyError::too_large   ? 413
                           : self.error == BodyError::timed_out ? 408
                                                                : 400;
        return self.exchange().respond(text_response("body error", status));
      }
      const RequestHead& head = self.exchange().head();
      std::string text = std::string(head.method) + " " + std::string(head.path);
      if (!head.query.empty()) text += "?" + std::string(head.query);
      if (head.has_body) text += " [" + *self.body + "]";
      self.exchange().respond(text_response(std::move(text)));
    };
    exchange.read_body(bytes_max);
  }

  std::function<void(Exchange&)> on_exchange = [this](Exchange& exchange) { echo(exchange); };
  int requests = 0;
  std::vector<int> refused;
  std::vector<std::unique_ptr<Recorder>> recorders;
};

class Client;

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}) {
    Result<Listener> listener = Listener::bind({"127.0.0.1", 0});
    if (!listener) ADD_FAILURE() << listener.error().message;
    port_ = listener->endpoint().port;
    server.emplace(loop, std::move(*listener), options, handler);
  }

  // Turns the loop until `condition` holds; false after some seconds.
  template <class Condition>
  [[nodiscard]] bool run_until(Condition condition) {
    const TimePoint give_up = Clock::now() + std::chrono::seconds{10};
    while (!condition()) {
      if (Clock::now() > give_up) return false;
      if (loop.io().stopped()) loop.io().restart();
      loop.io().run_one_for(std::chrono::milliseconds{1});
    }
    return true;
  }
  // Turns the loop until there is nothing that it could do now.
  void settle() {
    if (loop.io().stopped()) loop.io().restart();
    while (loop.io().poll() > 0) {
    }
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint64_t open() const { return server->counters().connections_open.value(); }
  [[nodiscard]] std::uint64_t bytes_in() const { return server->counters().bytes_in.value(); }

  Loop loop;
  FakeHandler handler;
  std::optional<Server> server;

 private:
  std::uint16_t port_ = 0;
};

class Client {
 public:
  explicit Client(TestServer& server, int receive_buffer_bytes = 0) : server_(server) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0) {
      setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                 sizeof(receive_buffer_bytes));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int code = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    EXPECT_EQ(code, 0) << "connect";
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(socket_, F_SETFL, O_NONBLOCK);
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // What the server takes of it; it turns meanwhile.
  void send(std::string_view bytes) {
    std::size_t sent = 0;
    EXPECT_TRUE(server_.run_until([&] {
      const ssize_t n = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n >= 0) sent += static_cast<std::size_t>(n);
      if (n < 0 && errno != EAGAIN) is_reset = true;
      return sent == bytes.size() || is_reset;
    }));
  }
  // In one piece, without a turn of the server; false when the kernel does not take it.
  [[nodiscard]] bool send_now(std::string_view bytes) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Sends a piece, and goes on only when the server has looked at it.
  void send_alone(std::string_view bytes) {
    const std::uint64_t before = server_.bytes_in();
    send(bytes);
    EXPECT_TRUE(server_.run_until(
        [&] { return server_.bytes_in() >= before + bytes.size() || receive(); }));
  }

  // Takes what has come; true when the server has ended the connection.
  bool receive() {
    char block[65536];
    while (true) {
      const ssize_t n = ::recv(socket_, block, sizeof(block), 0);
      if (n > 0) {
        received.append(block, static_cast<std::size_t>(n));
        continue;
      }
      if (n == 0) is_ended = true;
      if (n < 0 && errno != EAGAIN) is_reset = is_ended = true;
      return is_ended;
    }
  }
  std::string read_to_end() {
    EXPECT_TRUE(server_.run_until([&] { return receive(); })) << "so far: " << received;
    return std::exchange(received, {});
  }
  std::string read_until_contains(std::string_view text) {
    EXPECT_TRUE(server_.run_until([&] {
      receive();
      return received.find(text) != std::string::npos || is_ended;
    })) << "so far: "
        << received;
    return received;
  }
  std::string read_bytes(std::size_t bytes) {
    EXPECT_TRUE(server_.run_until([&] { return receive() || received.size() >= bytes; }));
    return std::exchange(received, {});
  }

  void shut_down_sending() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  void reset() {
    const linger now{1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }

  std::string received;
  bool is_ended = false;
  bool is_reset = false;

 private:
  TestServer& server_;
  int socket_ = -1;
};

// Responses without their date fields, which must be there in each but the interim ones.
inline std::string without_dates(std::string text) {
  std::size_t at = 0;
  while ((at = text.find("\r\ndate: ", at)) != std::string::npos) {
    const std::size_t end = text.find("\r\n", at + 2);
    EXPECT_EQ(end - at, std::string_view("\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT").size());
    text.erase(at, end - at);
  }
  return text;
}

}  // namespace funcd::http::testing
