#include "invoke/invocation.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/log.h"
#include "invoke/dispatcher.h"

namespace funcd::invoke {
namespace {

// What of a guest's stderr goes into one line of the log.
constexpr std::size_t kStderrLogBytesMax = 4 << 10;

contract::Failure failure_of(http::BodyError error, std::uint64_t bytes_max) {
  switch (error) {
    case http::BodyError::too_large:
      return {Reason::request_too_large,
              fmt::format("the request body is longer than {} bytes", bytes_max)};
    case http::BodyError::timed_out:
      return {Reason::request_timeout, "the request body did not arrive in time"};
    case http::BodyError::malformed:
      return {Reason::bad_request, "the request body is malformed"};
    case http::BodyError::no_room:
      return {Reason::overloaded, "request bodies take as much memory as they may"};
  }
  return {Reason::internal, ""};
}

contract::Failure failure_of(const storage::KvFailure& failure) {
  switch (failure.kind) {
    case storage::KvFailure::Kind::too_large:
      return {Reason::bad_output, failure.message};
    case storage::KvFailure::Kind::overloaded:
      return {Reason::overloaded, failure.message};
    case storage::KvFailure::Kind::broken:
      return {Reason::internal, "its store of keys and values: " + failure.message};
  }
  return {Reason::internal, ""};
}

std::string decimal_ms(Duration duration) {
  return fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(duration).count());
}

}  // namespace

Invocation::Invocation(std::uint64_t key, Dispatcher& dispatcher, http::Exchange& exchange,
                       std::uint64_t id)
    : key_(key),
      dispatcher_(dispatcher),
      exchange_(exchange),
      id_(id),
      began_at_(Clock::now()),
      timer_(dispatcher.loop_.timers(), this,
             [](void* self) { static_cast<Invocation*>(self)->on_timer(); }) {
  exchange_.listen(*this);
}

Invocation::~Invocation() {
  // The instance goes before the place that was taken for it.
  task_.reset();
  if (phase_ == Phase::running) dispatcher_.admission_.leave(*revision_->function);
  if (phase_ == Phase::waiting) dispatcher_.admission_.unqueue(dispatcher_.options_.worker);
}

void Invocation::begin(std::shared_ptr<const registry::Revision> revision,
                       std::vector<registry::PathParam> params) {
  timer_.disarm();
  revision_ = std::move(revision);
  params_ = std::move(params);
  phase_ = Phase::reading;
  exchange_.read_body(revision_->manifest.limits.request_body_bytes);
}

void Invocation::on_body(std::string_view body) {
  body_ = body;
  if (dispatcher_.admission_.enter(*revision_->function, revision_->manifest.limits.concurrency)) {
    phase_ = Phase::running;
    start();
    return;
  }
  if (!dispatcher_.admission_.queue(dispatcher_.options_.worker)) {
    fail({Reason::overloaded, "too many requests wait already"});
    return;
  }
  phase_ = Phase::waiting;
  dispatcher_.waiting_.push_back(key_);
  wait_at_most(dispatcher_.options_.queue_timeout, Reason::overloaded);
  // A place that became free between the two steps above told nobody.
  dispatcher_.admit_waiting();
}

void Invocation::on_body_error(http::BodyError error) {
  fail(failure_of(error, revision_->manifest.limits.request_body_bytes));
}

void Invocation::on_hangup() {
  if (revision_) record(0, Reason::cancelled, 0);
  dispatcher_.invocations_.erase(key_);
}

bool Invocation::try_start() {
  if (!dispatcher_.admission_.enter(*revision_->function, revision_->manifest.limits.concurrency)) {
    return false;
  }
  dispatcher_.admission_.unqueue(dispatcher_.options_.worker);
  timer_.disarm();
  phase_ = Phase::running;
  start();
  return true;
}

void Invocation::wait_at_most(Duration patience, Reason reason) {
  patience_reason_ = reason;
  timer_.arm(Clock::now() + patience);
}

void Invocation::on_timer() {
  switch (phase_) {
    case Phase::running:
      drive();
      return;
    case Phase::routing:
      fail({patience_reason_, "the function's first version is still being compiled"});
      return;
    default:
      fail({patience_reason_, "no place to run became free in time"});
  }
}

contract::Call Invocation::call() const {
  return {*revision_, exchange_.head(), params_, body_, kv_.get()};
}

void Invocation::start() {
  storage::KvStore* store = dispatcher_.options_.kv;
  if (revision_->contract != registry::ContractKind::wws || store == nullptr) return launch();
  const std::string& name = revision_->kv_namespace();
  kv_ = store->read_now(name);
  if (kv_) return launch();
  store->read(name, dispatcher_.posting(key_, &Invocation::on_kv_read));
}

void Invocation::on_kv_read(std::variant<storage::KvSnapshot, storage::KvFailure> read) {
  if (const auto* failure = std::get_if<storage::KvFailure>(&read)) {
    fail(failure_of(*failure));
    return;
  }
  kv_ = std::get<storage::KvSnapshot>(std::move(read));
  launch();
}

void Invocation::launch() {
  auto prepared = contract::prepare(call());
  if (const auto* failure = std::get_if<contract::Failure>(&prepared)) {
    fail(*failure);
    return;
  }
  auto& [input, stdin_bytes, document] = std::get<contract::Prepared>(prepared);
  if (!document.empty()) {
    document_ = std::move(document);
    stdin_bytes = document_;
  }
  const registry::Limits& limits = revision_->manifest.limits;
  stdio_.emplace(stdin_bytes, limits.response_body_bytes, limits.stderr_bytes);
  engine::TaskLimits task_limits;
  task_limits.memory_bytes_max = limits.memory_bytes;
  task_limits.deadline = task_limits.started_at + limits.timeout;
  engine::TaskOptions options;
  options.entry = revision_->entry();
  options.resumption = revision_->resumption();
  options.mounts = revision_->mounts;
  options.waker = {&Dispatcher::wake, &dispatcher_, key_};
  task_.emplace(*revision_->program, std::move(input), *stdio_, task_limits, options);
  poll(task_limits.started_at);
}

void Invocation::drive() {
  if (is_answered_) return;  // a wake-up that comes late
  poll(Clock::now());
}

void Invocation::poll(TimePoint now) {
  const engine::Task::State state = task_->poll();
  ran_at_ = Clock::now();
  guest_elapsed_ += ran_at_ - now;
  switch (state) {
    case engine::Task::State::done:
      finish();
      return;
    case engine::Task::State::runnable:
      // Its end is on time, however many have their turn before it.
      timer_.arm(task_->deadline());
      dispatcher_.queue_for_slice(key_, guest_elapsed_);
      return;
    case engine::Task::State::sleeping:
    case engine::Task::State::waiting:
      timer_.arm(task_->wake_at());
      return;
  }
}

void Invocation::finish() {
  storage::KvChange kv;
  auto shaped = contract::shape(call(), task_->ending(), std::move(stdio_->out()), kv);
  if (const auto* failure = std::get_if<contract::Failure>(&shaped)) {
    fail(*failure, contract::style_for(*revision_, dispatcher_.options_.errors));
    return;
  }
  // Before anything of it is kept: who is told to come back has changed nothing.
  if (!exchange_.has_room(std::get<http::Response>(shaped).body.size())) {
    fail(
        {Reason::overloaded, "responses that clients do not read take as much memory as they may"});
    return;
  }
  if (kv.is_empty() || dispatcher_.options_.kv == nullptr) {
    conclude(std::get<http::Response>(std::move(shaped)), Reason::none, {});
    return;
  }
  // Who is told that all is well can rely on it.
  response_ = std::get<http::Response>(std::move(shaped));
  is_answered_ = true;
  dispatcher_.options_.kv->write(revision_->kv_namespace(), std::move(kv),
                                 dispatcher_.posting(key_, &Invocation::on_kv_written));
}

void Invocation::on_kv_written(std::optional<storage::KvFailure> failure) {
  if (!failure) {
    conclude(std::move(response_), Reason::none, {});
  } else if (failure->kind == storage::KvFailure::Kind::too_large) {
    fail(failure_of(*failure), contract::style_for(*revision_, dispatcher_.options_.errors));
  } else {
    fail(failure_of(*failure));
  }
}

void Invocation::respond_failure(const contract::Failure& failure, std::string_view allow) {
  http::Response response =
      contract::error_response(failure, dispatcher_.options_.errors, id_text());
  if (!allow.empty()) CHECK(response.fields.add("allow", allow));
  conclude(std::move(response), failure.reason, failure.detail);
}

void Invocation::fail(const contract::Failure& failure) {
  fail(failure, dispatcher_.options_.errors);
}

void Invocation::fail(const contract::Failure& failure, contract::ErrorStyle style) {
  conclude(contract::error_response(failure, style, id_text()), failure.reason, failure.detail);
}

void Invocation::conclude(http::Response response, Reason reason, std::string_view detail) {
  record(response.status, reason, response.body.size());
  log(response.status, reason, detail);
  http::Exchange& exchange = exchange_;
  // What the request is made of, and this object, end before the next request may begin.
  dispatcher_.invocations_.erase(key_);
  exchange.respond(std::move(response));
}

void Invocation::record(int status, Reason reason, std::uint64_t bytes_out) {
  if (!revision_) return;
  telemetry::InvocationRecord record;
  record.id = id_;
  record.status = status;
  record.reason = reason;
  record.elapsed = (task_ ? ran_at_ : Clock::now()) - began_at_;
  record.guest_elapsed = guest_elapsed_;
  record.bytes_in = body_.size();
  record.bytes_out = bytes_out;
  record.stderr_bytes_dropped = stdio_ ? stdio_->err_dropped() : 0;
  revision_->function->metrics.record(dispatcher_.options_.worker, record);
}

void Invocation::log(int status, Reason reason, std::string_view detail) const {
  const std::string_view function = revision_ ? revision_->function->name : std::string_view();
  if (stdio_ && !stdio_->err().empty()) [[unlikely]] {
    const std::string_view text = stdio_->err();
    log::info("stderr", {{"function", function},
                         {"invocation", id_text()},
                         {"text", text.substr(0, kStderrLogBytesMax)},
                         {"dropped_bytes", fmt::to_string(stdio_->err_dropped())}});
  }
  if (revision_ && reason != Reason::none) [[unlikely]] {
    log::warn("failed", {{"function", function},
                         {"invocation", id_text()},
                         {"reason", name_of(reason)},
                         {"detail", detail},
                         {"trace", task_ ? std::string_view(task_->ending().trace) : ""}});
  }
  if (revision_ && (reason != Reason::none || (stdio_ && !stdio_->err().empty()))) [[unlikely]] {
    telemetry::LogEntry entry;
    entry.at = std::chrono::system_clock::now();
    entry.invocation = id_;
    entry.status = status;
    entry.reason = reason;
    entry.detail = detail;
    if (task_) entry.trace = task_->ending().trace;
    if (stdio_) entry.stderr_text = stdio_->err();
    revision_->function->log.add(std::move(entry));
  }
  if (dispatcher_.options_.has_access_log) {
    const http::RequestHead& head = exchange_.head();
    log::info("request", {{"remote", head.remote_address},
                          {"method", head.method},
                          {"target", head.target},
                          {"status", fmt::to_string(status)},
                          {"function", function},
                          {"invocation", id_text()},
                          {"ms", decimal_ms(Clock::now() - began_at_)},
                          {"guest_ms", decimal_ms(guest_elapsed_)},
                          {"reason", name_of(reason)}});
  }
}

std::string Invocation::id_text() const {
  return telemetry::invocation_id_text(id_);
}

}  // namespace funcd::invoke
