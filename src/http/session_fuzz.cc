// A session that is sent anything answers in whole responses, one for each request that began, and
// the same ones however the bytes are split. Input: a byte that chooses the pieces, a byte that
// chooses what the handler does, then what a client sends.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "http/session.h"

namespace funcd::http {
namespace {

enum class Answer : std::uint8_t {
  at_once,
  after_body,
  late,
  without_body,
  after_late_body,
  in_parts,  // takes the body in parts and echoes it so; no answer to a bad one
};
constexpr int kAnswers = 6;

class Answerer final : public Handler, public ExchangeListener {
 public:
  explicit Answerer(Answer how) : how_(how) {}

  void on_request(Exchange& exchange) override {
    CHECK(exchange_ == nullptr, "one exchange at a time");
    exchange_ = &exchange;
    is_acted_on_ = false;
    exchange.listen(*this);
    if (how_ == Answer::after_body) return exchange.read_body(300);
    if (how_ == Answer::in_parts) {
      body_.clear();
      exchange.stream_body(300);
      if (exchange_ != nullptr) exchange.more_body();
      return;
    }
    if (how_ == Answer::at_once || how_ == Answer::without_body) answer(exchange.head().path, 200);
  }
  void on_refused(int status) override {
    CHECK(status >= 400);
    ++refused;
  }
  void on_body(std::string_view body) override { answer(body, 200); }
  void on_body_error(BodyError /*error*/) override {
    if (how_ == Answer::in_parts) return std::exchange(exchange_, nullptr)->abort();
    answer("error", 400);
  }
  void on_body_part(std::string_view part) override {
    CHECK(!part.empty());
    body_ += part;
    exchange_->more_body();
  }
  void on_body_end() override {
    Response response;
    response.body = std::string(exchange_->head().method);
    Exchange& exchange = *std::exchange(exchange_, nullptr);
    const bool has_length = body_.size() % 2 == 0;
    const std::uint64_t length = response.body.size() + body_.size();
    (void)exchange.begin(std::move(response),
                         has_length ? std::optional<std::uint64_t>(length) : std::nullopt);
    // Nobody reads meanwhile, but the socket takes that much.
    constexpr std::size_t kPieceBytes = 7;
    std::string_view rest = body_;
    for (; rest.size() > kPieceBytes; rest.remove_prefix(kPieceBytes)) {
      CHECK(exchange.write(rest.substr(0, kPieceBytes)));
    }
    exchange.end(rest, {});
  }
  void on_hangup() override {
    ++hangups;
    exchange_ = nullptr;
  }
  // On a later turn; false when there is nothing to do.
  bool act_late() {
    if (exchange_ == nullptr || is_acted_on_) return false;
    is_acted_on_ = true;
    if (how_ == Answer::late) {
      answer("late", 200);
    } else if (how_ == Answer::after_late_body) {
      exchange_->read_body(300);
    }
    return true;
  }

  int refused = 0;
  int hangups = 0;

 private:
  void answer(std::string_view text, int status) {
    Response response;
    response.status = how_ == Answer::without_body ? 204 : status;
    response.body = std::string(exchange_->head().method) + " " + std::string(text);
    std::exchange(exchange_, nullptr)->respond(std::move(response));
  }

  Answer how_;
  std::string body_;
  Exchange* exchange_ = nullptr;
  bool is_acted_on_ = false;
};

struct Host final : SessionHost {
  using SessionHost::SessionHost;
  void on_closed(Session& closed) override {
    CHECK(session.get() == &closed);
    session.reset();
  }
  std::shared_ptr<Session> session;
};

Loop& loop() {
  static Loop loop;
  return loop;
}

void turn() {
  loop().io().restart();
  while (loop().io().poll() > 0) {
  }
}

void receive(int socket, std::string& into) {
  char block[4096];
  ssize_t n = 0;
  while ((n = ::recv(socket, block, sizeof(block), MSG_DONTWAIT)) > 0) {
    into.append(block, static_cast<std::size_t>(n));
  }
}

// Until neither side has anything to do.
void settle(int socket, std::string& into) {
  std::size_t before = 0;
  do {
    before = into.size();
    turn();
    receive(socket, into);
  } while (into.size() > before);
}

struct Outcome {
  int requests = 0;
  int refused = 0;
  std::string output;
};

Outcome talk(std::string_view bytes, std::size_t piece, Answer how) {
  Answerer handler(how);
  const ServerOptions options = {
      .header_bytes_max = 2000, .fields_max = 20, .target_bytes_max = 200};
  Host host(loop(), options, handler);
  int sockets[2];
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets) == 0);
  Socket socket(loop().io().get_executor());
  socket.assign(boost::asio::ip::tcp::v4(), sockets[0]);
  host.session = std::make_shared<Session>(host, std::move(socket), "127.0.0.1", 1);
  host.session->start();
  Outcome outcome;
  while (!bytes.empty() && host.session) {
    const std::string_view now = bytes.substr(0, piece);
    if (::send(sockets[1], now.data(), now.size(), MSG_NOSIGNAL) < 0) break;
    bytes.remove_prefix(now.size());
    do {
      settle(sockets[1], outcome.output);
    } while (handler.act_late());
  }
  CHECK(handler.hangups == 0);
  ::close(sockets[1]);
  turn();
  CHECK(!host.session, "a session outlives its client");
  outcome.requests = static_cast<int>(host.counters.requests.value());
  outcome.refused = handler.refused;
  return outcome;
}

// Takes a chunked body off the front of `rest`, which must have the whole of it.
void take_chunks(std::string_view& rest, std::string& into) {
  std::size_t size = 0;
  do {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size, 16);
    CHECK(error == std::errc{});
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    CHECK(rest.size() >= size + 4 && rest.starts_with("\r\n"));
    into += rest.substr(2, size);
    CHECK(rest.substr(2 + size, 2) == "\r\n");
    rest.remove_prefix(size + 4);
  } while (size > 0);
}

// Takes the dates out, and counts the responses but the interim ones.
int check_responses(std::string& output, bool has_head_requests) {
  int responses = 0;
  std::string_view rest = output;
  std::string without_dates;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n\r\n");
    CHECK(rest.starts_with("HTTP/1.1 ") && end != std::string_view::npos);
    std::string head(rest.substr(0, end + 4));
    rest.remove_prefix(end + 4);
    if (head.starts_with("HTTP/1.1 100 ")) continue;
    ++responses;
    const std::size_t date = head.find("\r\ndate: ");
    CHECK(date != std::string::npos);
    head.erase(date, head.find("\r\n", date + 2) - date);
    without_dates += head;
    if (has_head_requests && (rest.empty() || rest.starts_with("HTTP/1.1 "))) continue;
    if (head.find("transfer-encoding: ") != std::string::npos) {
      take_chunks(rest, without_dates);
      continue;
    }
    const std::size_t at = head.find("content-length: ");
    if (at == std::string::npos) {
      if (head.starts_with("HTTP/1.1 204 ")) continue;
      // To HTTP/1.0, in parts: until the connection ends.
      CHECK(head.find("connection: close") != std::string::npos);
      without_dates += rest;
      break;
    }
    std::size_t length = 0;
    std::from_chars(head.data() + at + 16, head.data() + head.size(), length);
    CHECK(rest.size() >= length);
    without_dates += rest.substr(0, length);
    rest.remove_prefix(length);
  }
  output = without_dates;
  return responses;
}

}  // namespace
}  // namespace funcd::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace funcd::http;  // NOLINT: one function
  if (size < 3 || size > 20'000) return 0;
  const auto how = static_cast<Answer>(data[1] % kAnswers);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const bool has_head_requests = bytes.find("HEAD") != std::string_view::npos;
  Outcome whole = talk(bytes, bytes.size(), how);
  const int responses = check_responses(whole.output, has_head_requests);
  const int answerable = whole.requests + whole.refused;
  // The last request's body may still be on its way.
  CHECK(responses == answerable || responses + 1 == answerable, "{} of {}", responses, answerable);
  Outcome pieces = talk(bytes, 1 + data[0] % 64, how);
  check_responses(pieces.output, has_head_requests);
  CHECK(whole.output == pieces.output, "{}\n---\n{}", whole.output, pieces.output);
  CHECK(whole.requests == pieces.requests && whole.refused == pieces.refused);
  return 0;
}
