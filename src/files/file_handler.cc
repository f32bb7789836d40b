#include "files/file_handler.h"

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace funcd::files {
namespace {

constexpr std::size_t kPieceBytes = http::Exchange::kWriteBytesMax;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

http::Response busy() {
  http::Response response;
  response.status = 503;
  response.content_type = "text/plain; charset=utf-8";
  response.body = "too many files are being read\n";
  CHECK(response.fields.add("retry-after", "1"));
  return response;
}

}  // namespace

// An exchange that is answered with a file, from when it has to wait. Leaves its handler's table
// as its last act.
class FileHandler::Transfer final : public http::ExchangeListener {
 public:
  Transfer(std::uint64_t key, FileHandler& handler, http::Exchange& exchange)
      : key_(key), handler_(handler), exchange_(exchange) {
    exchange_.listen(*this);
  }

  [[nodiscard]] std::uint64_t key() const { return key_; }

  // Looks the file up where that may wait.
  void look_up(std::string relative) {
    auto job = [source = handler_.options_.source, relative = std::move(relative)] {
      return open_public_file(source, relative, Wait::allowed);
    };
    run<Found>(std::move(job), [](Transfer& self, Found found) {
      FileHandler& handler = self.handler_;
      handler.answer(self.exchange_, std::move(found), &self);
    });
  }

  void begin(FileResponse response, OpenFile file) {
    fd_ = std::make_shared<const Descriptor>(std::move(file.fd));
    offset_ = response.offset;
    left_ = response.bytes;
    handler_.log(exchange_.head(), response.head.status, response.bytes);
    const bool has_body = exchange_.head().method != "HEAD" && left_ > 0;
    const bool can_write = exchange_.begin(std::move(response.head), response.bytes);
    if (!has_body) return finish();
    if (can_write) send_piece();
  }

  void on_body_error(http::BodyError /*error*/) override {
    CHECK(false, "nobody asked for a body");
  }
  void on_hangup() override { handler_.transfers_.erase(key_); }
  void on_writable() override { send_piece(); }

 private:
  struct Piece {
    std::unique_ptr<char[]> bytes;
    std::ptrdiff_t count = -1;
  };

  // Does `job` on a thread that may wait, then `then` here, if this is still there.
  template <class T, class Job>
  void run(Job job, void (*then)(Transfer&, T)) {
    FileHandler& handler = handler_;
    const std::uint64_t key = key_;
    const bool is_posted = handler.jobs_.post([&handler, key, job = std::move(job), then] {
      auto result = std::make_shared<T>(job());
      boost::asio::post(handler.loop_.io(), [&handler, key, result, then] {
        const auto at = handler.transfers_.find(key);
        if (at != handler.transfers_.end()) then(*at->second, std::move(*result));
      });
    });
    if (is_posted) return;
    if (fd_) return abort();
    handler.respond(exchange_, busy(), this);
  }

  void send_piece() {
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(left_, kPieceBytes));
    std::array<char, kPieceBytes> room;
    if (const auto count = read_at(fd_->get(), room.data(), bytes, offset_, Wait::never)) {
      return write({room.data(), static_cast<std::size_t>(std::max<std::ptrdiff_t>(*count, 0))});
    }
    auto job = [fd = fd_, bytes, offset = offset_] {
      Piece piece{std::make_unique<char[]>(bytes), -1};
      piece.count = *read_at(fd->get(), piece.bytes.get(), bytes, offset, Wait::allowed);
      return piece;
    };
    run<Piece>(std::move(job), [](Transfer& self, Piece piece) {
      const auto count = static_cast<std::size_t>(std::max<std::ptrdiff_t>(piece.count, 0));
      self.write({piece.bytes.get(), count});
    });
  }

  void write(std::string_view bytes) {
    if (bytes.empty()) return abort();  // the file has become shorter than it was said to be
    offset_ += bytes.size();
    left_ -= bytes.size();
    if (left_ == 0) return finish(bytes);
    if (!exchange_.write(bytes)) return;
    // A client that takes all at once does not keep the loop from the others.
    boost::asio::post(handler_.loop_.io(), [&handler = handler_, key = key_] {
      const auto at = handler.transfers_.find(key);
      if (at != handler.transfers_.end()) at->second->send_piece();
    });
  }

  void finish(std::string_view bytes = {}) {
    http::Exchange& exchange = exchange_;
    const std::unique_ptr<Transfer> self = take();
    exchange.end(bytes, {});
  }

  void abort() {
    http::Exchange& exchange = exchange_;
    const std::unique_ptr<Transfer> self = take();
    exchange.abort();
  }

  std::unique_ptr<Transfer> take() { return std::move(handler_.transfers_.extract(key_).mapped()); }

  std::uint64_t key_;
  FileHandler& handler_;
  http::Exchange& exchange_;
  std::shared_ptr<const Descriptor> fd_;  // shared with the job that reads from it
  std::uint64_t offset_ = 0;
  std::uint64_t left_ = 0;
};

FileHandler::FileHandler(Loop& loop, JobQueue& jobs, http::Handler& next,
                         FileHandlerOptions options)
    : loop_(loop), jobs_(jobs), next_(next), options_(std::move(options)) {}

FileHandler::~FileHandler() = default;

void FileHandler::on_request(http::Exchange& exchange) {
  const http::RequestHead& head = exchange.head();
  const bool may_be_file =
      (head.method == "GET" || head.method == "HEAD") && options_.may_answer(head);
  auto relative = may_be_file ? relative_path_of(head.path) : std::nullopt;
  if (!relative) return next_.on_request(exchange);
  Found found = open_public_file(options_.source, *relative, Wait::never);
  if (found.kind == Found::Kind::would_block) {
    take_over(exchange).look_up(std::move(*relative));
  } else {
    answer(exchange, std::move(found), nullptr);
  }
}

FileHandler::Transfer& FileHandler::take_over(http::Exchange& exchange) {
  const std::uint64_t key = next_key_++;
  return *transfers_.emplace(key, std::make_unique<Transfer>(key, *this, exchange)).first->second;
}

void FileHandler::answer(http::Exchange& exchange, Found found, Transfer* transfer) {
  switch (found.kind) {
    case Found::Kind::file:
      return send(exchange, std::move(found.file), transfer);
    case Found::Kind::folder: {
      const http::RequestHead& head = exchange.head();
      http::Response response;
      response.status = 301;
      std::string location = fmt::format("{}/", head.path);
      if (!head.query.empty()) location.append("?").append(head.query);
      CHECK(response.fields.add("location", location));
      log(head, response.status, 0);
      return respond(exchange, std::move(response), transfer);
    }
    case Found::Kind::absent:
      if (transfer != nullptr) transfers_.erase(transfer->key());
      return next_.on_request(exchange);
    case Found::Kind::would_block:
    case Found::Kind::failed:
      log(exchange.head(), 503, 0);
      return respond(exchange, busy(), transfer);
  }
}

void FileHandler::send(http::Exchange& exchange, OpenFile file, Transfer* transfer) {
  FileResponse response = respond_with_file(exchange.head(), file, now_ns());
  const bool has_body = exchange.head().method == "GET" && response.bytes > 0;
  if (response.head.status >= 300) {
    log(exchange.head(), response.head.status, 0);
    return respond(exchange, std::move(response.head), transfer);
  }
  if (has_body && response.bytes <= kPieceBytes) {
    std::string& body = response.head.body;
    body.resize(static_cast<std::size_t>(response.bytes));
    const auto count =
        read_at(file.fd.get(), body.data(), body.size(), response.offset, Wait::never);
    if (count && *count == static_cast<std::ptrdiff_t>(body.size())) {
      log(exchange.head(), response.head.status, response.bytes);
      return respond(exchange, std::move(response.head), transfer);
    }
    body.clear();
  }
  if (transfer == nullptr) transfer = &take_over(exchange);
  transfer->begin(std::move(response), std::move(file));
}

void FileHandler::respond(http::Exchange& exchange, http::Response response, Transfer* transfer) {
  if (transfer != nullptr) transfers_.erase(transfer->key());
  exchange.respond(std::move(response));
}

void FileHandler::log(const http::RequestHead& head, int status, std::uint64_t bytes) const {
  if (!options_.has_access_log) return;
  log::info("request", {{"remote", head.remote_address},
                        {"method", head.method},
                        {"target", head.target},
                        {"status", fmt::to_string(status)},
                        {"file", kPublicName},
                        {"bytes", fmt::to_string(bytes)}});
}

}  // namespace funcd::files
