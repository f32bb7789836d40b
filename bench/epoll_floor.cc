// The least a server costs: one thread, epoll, a fixed answer to each keep-alive GET, nothing
// parsed but the empty line that ends a request. What funcd costs beyond this is funcd's.
//
//   epoll_floor [--body TEXT | --answer FILE | --echo]
//
// Prints "listening on http://127.0.0.1:PORT" and serves until it is killed. FILE holds a whole
// HTTP answer, head and body, that is sent as it is. --echo answers each request with its body,
// which Content-Length measures.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kEventsMax = 64;
constexpr std::size_t kConnectionsMax = 8192;  // descriptors above are refused
constexpr std::size_t kReadBytesMax = 65536;
constexpr int kSlowClientMs = 10'000;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::string answer_with(std::string_view body) {
  std::string answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
  answer += std::to_string(body.size());
  answer += "\r\n\r\n";
  answer += body;
  return answer;
}

std::optional<std::string> answer_from(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// How much of "\r\n\r\n" has been seen at the end of what a connection has sent so far.
struct Connection {
  int matched = 0;

  // Requests that end in these bytes.
  std::size_t take(std::string_view bytes) {
    constexpr std::string_view kEnd = "\r\n\r\n";
    if (matched == 0 && bytes.size() >= kEnd.size() && bytes.ends_with(kEnd) &&
        bytes.find(kEnd) == bytes.size() - kEnd.size()) {
      return 1;
    }
    std::size_t requests = 0;
    for (const char c : bytes) {
      if (c == kEnd[matched]) {
        ++matched;
      } else {
        matched = c == '\r' ? 1 : 0;
      }
      if (matched == 4) {
        ++requests;
        matched = 0;
      }
    }
    return requests;
  }
};

// What a connection has sent of its first request that is not answered.
struct EchoConnection {
  std::string bytes;

  // The body of the first request, taken off, once it is whole.
  std::optional<std::string> take() {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    const std::size_t begin = end + 4;
    std::size_t length = 0;
    constexpr std::string_view kField = "\r\ncontent-length: ";
    // Those who ask write it in one of these ways.
    std::size_t field = std::string_view(bytes).substr(0, end).find("\r\nContent-Length: ");
    if (field == std::string::npos) field = std::string_view(bytes).substr(0, end).find(kField);
    if (field != std::string::npos) {
      std::from_chars(bytes.data() + field + kField.size(), bytes.data() + end, length);
    }
    if (bytes.size() - begin < length) return std::nullopt;
    std::string body = bytes.substr(begin, length);
    bytes.erase(0, begin + length);
    return body;
  }
};

class Floor {
 public:
  // Without an answer it echoes.
  explicit Floor(std::optional<std::string> answer)
      : answer_(std::move(answer)), connections_(kConnectionsMax), echoes_(kConnectionsMax) {}

  void listen_and_say() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener_ < 0) die("socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, any, size) != 0 || listen(listener_, SOMAXCONN) != 0) die("bind");
    if (getsockname(listener_, any, &size) != 0) die("getsockname");
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) die("epoll_create1");
    watch(listener_);
    std::printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
  }

  [[noreturn]] void serve() {
    std::array<epoll_event, kEventsMax> events{};
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), kEventsMax, -1);
      if (count < 0 && errno != EINTR) die("epoll_wait");
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_) {
          accept_all();
        } else {
          answer(fd);
        }
      }
    }
  }

 private:
  void watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }

  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      if (static_cast<std::size_t>(fd) >= kConnectionsMax) {
        close(fd);
        continue;
      }
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      connections_[static_cast<std::size_t>(fd)] = {};
      echoes_[static_cast<std::size_t>(fd)] = {};
      watch(fd);
    }
  }

  void answer(int fd) {
    const ssize_t count = read(fd, buffer_.data(), buffer_.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      close(fd);
      return;
    }
    const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(count));
    if (!(answer_ ? answer_all(fd, bytes) : echo_all(fd, bytes))) close(fd);
  }

  bool answer_all(int fd, std::string_view bytes) {
    std::size_t requests = connections_[static_cast<std::size_t>(fd)].take(bytes);
    for (; requests > 0; --requests) {
      if (!send_all(fd, *answer_)) return false;
    }
    return true;
  }

  bool echo_all(int fd, std::string_view bytes) {
    EchoConnection& connection = echoes_[static_cast<std::size_t>(fd)];
    connection.bytes += bytes;
    while (const auto body = connection.take()) {
      if (!send_all(fd, answer_with(*body))) return false;
    }
    return true;
  }

  // Answers larger than a socket's buffer wait for their client, and the others with them.
  static bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = write(fd, bytes.data(), bytes.size());
      if (count < 0 && errno == EAGAIN) {
        pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
        if (poll(&writable, 1, kSlowClientMs) != 1) return false;
      } else if (count <= 0) {
        return false;
      } else {
        bytes.remove_prefix(static_cast<std::size_t>(count));
      }
    }
    return true;
  }

  std::optional<std::string> answer_;
  std::vector<Connection> connections_;  // by descriptor
  std::vector<EchoConnection> echoes_;   // by descriptor
  std::array<char, kReadBytesMax> buffer_{};
  int listener_ = -1;
  int epoll_ = -1;
};

}  // namespace

int main(int argc, char** argv) {
  std::optional<std::string> answer = answer_with("{}");
  if (argc == 3 && std::strcmp(argv[1], "--body") == 0) {
    answer = answer_with(argv[2]);
  } else if (argc == 3 && std::strcmp(argv[1], "--answer") == 0) {
    auto text = answer_from(argv[2]);
    if (!text) die(argv[2]);
    answer = std::move(*text);
  } else if (argc == 2 && std::strcmp(argv[1], "--echo") == 0) {
    answer.reset();
  } else if (argc != 1) {
    std::fprintf(stderr, "usage: epoll_floor [--body TEXT | --answer FILE | --echo]\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);  // a client that has gone is an error of write
  Floor floor(std::move(answer));
  floor.listen_and_say();
  floor.serve();
}
