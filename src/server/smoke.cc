#include "server/smoke.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "base/check.h"
#include "http/target.h"
#include "invoke/dispatcher.h"

namespace funcd::server {
namespace {

// Beyond the function's own limit, which is what ends a request that takes long.
constexpr std::chrono::seconds kGrace{2};
// What is told of a body that was not expected.
constexpr std::size_t kBodyTold = 200;

// The request, and what came of it. The loop ends with it.
class SmokeExchange final : public http::Exchange {
 public:
  SmokeExchange(Loop& loop, const std::string& target, const std::string& host) : loop_(loop) {
    const auto parsed = http::parse_target("GET", target);
    CHECK(parsed.has_value(), "{}", target);  // the sidecar was checked
    head_.method = "GET";
    head_.target = target;
    head_.path = parsed->path;
    head_.query = parsed->query;
    head_.host = host;
    head_.remote_address = "127.0.0.1";
  }

  [[nodiscard]] const http::RequestHead& head() const override { return head_; }
  void listen(http::ExchangeListener& listener) override { listener_ = &listener; }
  void read_body(std::size_t /*bytes_max*/) override { listener_->on_body(""); }
  void stream_body(std::size_t /*bytes_max*/) override {}
  void more_body() override { listener_->on_body_end(); }
  void respond(http::Response response) override {
    response_ = std::move(response);
    finish();
  }
  [[nodiscard]] bool begin(http::Response head,
                           std::optional<std::uint64_t> /*content_length*/) override {
    response_ = std::move(head);
    return true;
  }
  [[nodiscard]] bool write(std::string_view bytes) override {
    take(bytes);
    return true;
  }
  void end(std::string_view bytes, const http::FieldBlock& /*trailers*/) override {
    take(bytes);
    finish();
  }
  void abort() override {
    is_aborted_ = true;
    finish();
  }

  [[nodiscard]] bool is_finished() const { return is_finished_; }
  [[nodiscard]] bool is_aborted() const { return is_aborted_; }
  [[nodiscard]] const http::Response& response() const { return response_; }

 private:
  void take(std::string_view bytes) {
    response_.body += bytes.substr(0, kBodyTold - std::min(kBodyTold, response_.body.size()));
  }
  void finish() {
    is_finished_ = true;
    loop_.stop();
  }

  Loop& loop_;
  http::RequestHead head_;
  http::ExchangeListener* listener_ = nullptr;
  http::Response response_;
  bool is_finished_ = false;
  bool is_aborted_ = false;
};

// The stores, and how many answers of theirs are on their way: they come to the loop, which must be
// there until then.
class CountedStore final : public storage::KvStore {
 public:
  explicit CountedStore(storage::KvStore& store) : store_(store) {}

  [[nodiscard]] storage::KvSnapshot read_now(std::string_view name) override {
    return store_.read_now(name);
  }
  void read(const std::string& name, OnRead on_read) override {
    begin();
    store_.read(name, [this, on_read = std::move(on_read)](auto answer) {
      on_read(std::move(answer));
      end();
    });
  }
  void write(const std::string& name, storage::KvChange change, OnWritten on_written) override {
    begin();
    store_.write(name, std::move(change), [this, on_written = std::move(on_written)](auto failure) {
      on_written(std::move(failure));
      end();
    });
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return pending_ == 0; });
  }

 private:
  void begin() {
    const std::lock_guard lock(mutex_);
    ++pending_;
  }
  void end() {
    const std::lock_guard lock(mutex_);  // notified under it, as wait() ends this object's life
    --pending_;
    ended_.notify_all();
  }

  storage::KvStore& store_;
  std::mutex mutex_;
  std::condition_variable ended_;
  int pending_ = 0;
};

// One that meets the function: of "*.example.com" any name will do.
std::string host_of(const registry::Manifest& manifest) {
  if (manifest.host.empty()) return "127.0.0.1";
  return manifest.host.starts_with('*') ? "smoke" + manifest.host.substr(1) : manifest.host;
}

}  // namespace

Result<> run_smoke(const registry::Revision& revision, storage::KvStore* kv,
                   const std::stop_token& stop) {
  const registry::Smoke& smoke = *revision.manifest.smoke;
  const auto failed = [&](const std::string& what) -> Result<> {
    return fail("its smoke request GET {} {}; expected status {}", smoke.path, what,
                smoke.expect_status);
  };
  // Counters and log are another function's: this one is not live, and this thread no worker.
  auto copy = std::make_shared<registry::Revision>(revision);
  copy->function = std::make_shared<registry::Function>(revision.function->name, 1);
  const auto catalog = registry::Catalog::build({copy});
  if (!catalog) return fail(catalog.error());
  const std::string host = host_of(copy->manifest);
  const std::string path = smoke.path.substr(0, smoke.path.find('?'));
  if (catalog.value()->match("GET", path, host).kind != registry::Match::Kind::found) {
    return failed(fmt::format("does not meet its route {}, or it does not take GET", copy->route));
  }

  Loop loop;
  invoke::Admission admission({.running_max = 1, .waiting_max = 1}, 1);
  invoke::DispatcherOptions options;
  std::optional<CountedStore> store;
  if (kv != nullptr) options.kv = &store.emplace(*kv);
  SmokeExchange exchange(loop, smoke.path, host);
  invoke::Dispatcher dispatcher(loop, admission, std::move(options));
  dispatcher.publish(*catalog);
  Timer timer(loop.timers(), &loop, [](void* ended) { static_cast<Loop*>(ended)->stop(); });
  timer.arm(Clock::now() + copy->manifest.limits.timeout + kGrace);
  boost::asio::post(loop.io(), [&] { dispatcher.on_request(exchange); });
  {
    const std::stop_callback on_stop(stop, [&loop] { loop.stop(); });
    loop.run();
  }
  if (store) store->wait();

  if (stop.stop_requested()) return failed("was given up");
  if (!exchange.is_finished()) return failed("was not answered in time");
  if (exchange.is_aborted()) return failed("was cut off");
  const http::Response& response = exchange.response();
  if (response.status == smoke.expect_status) return {};
  return failed(fmt::format("was answered with {}: {}", response.status,
                            std::string_view(response.body).substr(0, kBodyTold)));
}

}  // namespace funcd::server
