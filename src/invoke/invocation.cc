#include "invoke/invocation.h"

#include <utility>
#include <variant>

#include "base/check.h"
#include "base/log.h"
#include "invoke/dispatcher.h"

namespace funcd::invoke {
namespace {

// What of a guest's stderr goes into one line of the log.
constexpr std::size_t kStderrLogBytesMax = 4 << 10;

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

Reason reason_of(const std::optional<contract::Failure>& failure) {
  return failure ? failure->reason : Reason::none;
}

std::string_view detail_of(const std::optional<contract::Failure>& failure) {
  return failure ? std::string_view(failure->detail) : std::string_view();
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
      body_(exchange),
      id_(id),
      began_at_(Clock::now()),
      timer_(dispatcher.loop_.timers(), this,
             [](void* self) { static_cast<Invocation*>(self)->on_timer(); }) {
  exchange_.listen(*this);
}

Invocation::~Invocation() {
  if (auto* run = std::get_if<ComponentRun>(&guest_)) keep_instance(*run);
  // The instance goes before the place that was taken for it.
  guest_.emplace<std::monostate>();
  if (phase_ == Phase::running) dispatcher_.admission_.leave(*revision_->function);
  if (phase_ == Phase::waiting) dispatcher_.admission_.unqueue(dispatcher_.options_.worker);
}

void Invocation::keep_instance(ComponentRun& run) {
  // Whoever began before the catalog of the moment may be of a revision that is gone.
  if (publication_ != dispatcher_.publications_) return;
  if (auto instance = run.take_instance()) {
    dispatcher_.idle_.keep(revision_, std::move(program_), std::move(instance));
  }
}

void Invocation::begin(std::shared_ptr<const registry::Revision> revision,
                       std::vector<registry::PathParam> params, CanaryClient client) {
  timer_.disarm();
  client_ = client;
  publication_ = dispatcher_.publications_;
  revision_ = std::move(revision);
  params_ = std::move(params);
  phase_ = Phase::reading;
  const std::uint64_t bytes_max = revision_->manifest.limits.request_body_bytes;
  if (!contract::takes_body_in_parts(*revision_, head())) {
    exchange_.read_body(bytes_max);
    return;
  }
  body_.stream(bytes_max);
  if (body_.error()) return fail(contract::failure_of(*body_.error(), bytes_max));
  admit();
}

void Invocation::on_body(std::string_view body) {
  body_.set_whole(body);
  admit();
}

void Invocation::admit() {
  if (!(program_ = revision_->program->pin(began_at_))) [[unlikely]]
    return await_program();
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
  wait_until(Clock::now() + dispatcher_.options_.queue_timeout, Reason::overloaded);
  // A place that became free between the two steps above told nobody.
  dispatcher_.admit_waiting();
}

void Invocation::await_program() {
  if (!dispatcher_.options_.load) return fail({Reason::internal, "its code is not in memory"});
  phase_ = Phase::loading;
  wait_until(Clock::now() + dispatcher_.options_.build_timeout, Reason::building);
  dispatcher_.options_.load(*revision_, dispatcher_.posting(key_, &Invocation::on_program));
}

void Invocation::on_program(Result<> loaded) {
  if (phase_ != Phase::loading) return;
  if (!loaded) return fail({Reason::building, loaded.error().message});
  timer_.disarm();
  phase_ = Phase::reading;
  admit();
}

void Invocation::on_body_error(http::BodyError error) {
  if (!body_.is_in_parts()) {
    return fail(contract::failure_of(error, revision_->manifest.limits.request_body_bytes));
  }
  body_.on_error(error);
  resume();
}

void Invocation::on_body_part(std::string_view part) {
  body_.on_part(part);
  resume();
}

void Invocation::on_body_end() {
  body_.on_end();
  resume();
}

void Invocation::on_writable() {
  run_->response().on_writable();
  resume();
}

void Invocation::resume() {
  // What has come within a call of ours is seen when that is over.
  if (run_ != nullptr && !is_driving_ && !is_queued_ && !is_answered_) drive();
}

void Invocation::on_hangup() {
  if (revision_) record(0, Reason::cancelled, run_ != nullptr ? run_->response().bytes() : 0);
  if (run_ != nullptr) log(0, Reason::cancelled, "the client has left");
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

void Invocation::wait_for_build() {
  wait_until(began_at_ + dispatcher_.options_.build_timeout, Reason::building);
}

void Invocation::wait_until(TimePoint end, Reason reason) {
  patience_reason_ = reason;
  timer_.arm(end);
}

void Invocation::on_timer() {
  switch (phase_) {
    case Phase::running:
      if (!is_answered_) drive();
      return;
    case Phase::routing:
      fail({patience_reason_, "the function's first version is still being compiled"});
      return;
    case Phase::loading:
      fail({patience_reason_, "the function's code is still being loaded"});
      return;
    default:
      fail({patience_reason_, "no place to run became free in time"});
  }
}

contract::Call Invocation::call() const {
  return {.revision = *revision_,
          .head = exchange_.head(),
          .params = params_,
          .body = body_.whole(),
          .is_body_in_parts = body_.is_in_parts(),
          .kv = kv_.get(),
          .asks_for_environment = program_->asks_for_environment()};
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
  engine::TaskLimits limits;
  limits.memory_bytes_max = revision_->manifest.limits.memory_bytes;
  limits.deadline = limits.started_at + revision_->manifest.limits.timeout;
  if (revision_->contract == registry::ContractKind::wasi_http) return launch_component(limits);
  launch_command(limits);
}

void Invocation::launch_component(const engine::TaskLimits& limits) {
  engine::HttpTaskOptions options;
  options.waker = {&Dispatcher::wake, &dispatcher_, key_};
  options.spares = &dispatcher_.spares();
  if (revision_->manifest.reuse > 1) options.instance = dispatcher_.idle_.take(*revision_);
  run_ = &guest_.emplace<ComponentRun>(exchange_, body_, *revision_, *program_, limits,
                                       std::move(options));
  run_->response().keep(client_);
  drive();
}

void Invocation::launch_command(const engine::TaskLimits& limits) {
  auto prepared = contract::prepare(call());
  if (const auto* failure = std::get_if<contract::Failure>(&prepared)) {
    fail(*failure);
    return;
  }
  auto& [input, stdin_bytes, document] = std::get<contract::Prepared>(prepared);
  document_ = std::move(document);
  if (!body_.is_in_parts()) body_.present(document_.empty() ? stdin_bytes : document_);
  engine::TaskOptions options;
  options.entry = revision_->entry();
  options.resumption = revision_->resumption();
  options.mounts = revision_->mounts;
  options.waker = {&Dispatcher::wake, &dispatcher_, key_};
  options.spares = &dispatcher_.spares();
  run_ = &guest_.emplace<CommandRun>(exchange_, body_, call(), *program_, std::move(input), limits,
                                     options);
  run_->response().keep(client_);
  drive();
}

void Invocation::drive() {
  is_driving_ = true;
  is_queued_ = false;
  Run::Step step = run_->advance();
  while (step == Run::Step::later && dispatcher_.goes_on(++slices_)) step = run_->advance();
  is_driving_ = false;
  switch (step) {
    case Run::Step::finished:
      finish();
      return;
    case Run::Step::later:
      // Its end is on time, however many have their turn before it.
      timer_.arm(run_->deadline());
      is_queued_ = true;
      dispatcher_.queue_for_slice(key_, run_->guest_elapsed());
      return;
    case Run::Step::waiting:
      timer_.arm(run_->wake_at());
      return;
  }
}

void Invocation::finish() {
  Run::Outcome outcome = run_->outcome();
  if (auto* whole = std::get_if<Run::Whole>(&outcome)) return keep(std::move(*whole));
  const ResponseStream& stream = run_->response();
  if (const auto* failure = std::get_if<contract::Failure>(&outcome)) {
    if (!stream.has_begun()) {
      fail(*failure, contract::style_for(*revision_, dispatcher_.options_.errors));
      return;
    }
    leave(stream.status(), failure->reason, failure->detail, stream.bytes()).abort();
    return;
  }
  const Run::End& end = std::get<Run::End>(outcome);
  leave(stream.status(), reason_of(end.late_failure), detail_of(end.late_failure),
        stream.bytes() + end.bytes.size())
      .end(end.bytes, end.trailers);
}

void Invocation::keep(Run::Whole whole) {
  // Before anything of it is kept: who is told to come back has changed nothing.
  if (!exchange_.has_room(whole.response.body.size())) {
    fail(
        {Reason::overloaded, "responses that clients do not read take as much memory as they may"});
    return;
  }
  if (whole.kv.is_empty() || dispatcher_.options_.kv == nullptr) {
    conclude(std::move(whole.response), reason_of(whole.late_failure),
             detail_of(whole.late_failure));
    return;
  }
  // Who is told that all is well can rely on it.
  response_ = std::move(whole.response);
  is_answered_ = true;
  dispatcher_.options_.kv->write(revision_->kv_namespace(), std::move(whole.kv),
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
  add_client_cookie(response, client_);
  http::Exchange& exchange = leave(response.status, reason, detail, response.body.size());
  exchange.respond(std::move(response));
}

http::Exchange& Invocation::leave(int status, Reason reason, std::string_view detail,
                                  std::uint64_t bytes_out) {
  record(status, reason, bytes_out);
  log(status, reason, detail);
  http::Exchange& exchange = exchange_;
  // What the request is made of, and this object, end before the next request may begin.
  dispatcher_.invocations_.erase(key_);
  return exchange;
}

void Invocation::record(int status, Reason reason, std::uint64_t bytes_out) {
  if (!revision_) return;
  telemetry::InvocationRecord record;
  record.id = id_;
  record.status = status;
  record.reason = reason;
  record.elapsed = (run_ != nullptr ? run_->ran_at() : Clock::now()) - began_at_;
  record.guest_elapsed = run_ != nullptr ? run_->guest_elapsed() : Duration{};
  record.is_reuse = run_ != nullptr && run_->is_reuse();
  record.bytes_in = body_.bytes();
  record.bytes_out = bytes_out;
  record.stderr_bytes_dropped = run_ != nullptr ? run_->err().dropped() : 0;
  revision_->function->metrics.record(dispatcher_.options_.worker, record);
}

void Invocation::log(int status, Reason reason, std::string_view detail) const {
  const std::string_view function = revision_ ? revision_->function->title : std::string_view();
  const std::string_view text = run_ != nullptr ? std::string_view(run_->err().text()) : "";
  if (!text.empty()) [[unlikely]] {
    log::info("stderr", {{"function", function},
                         {"invocation", id_text()},
                         {"text", text.substr(0, kStderrLogBytesMax)},
                         {"dropped_bytes", fmt::to_string(run_->err().dropped())}});
  }
  if (revision_ && reason != Reason::none) [[unlikely]] {
    const auto say = reason == Reason::cancelled ? &log::info : &log::warn;
    say("failed", {{"function", function},
                   {"invocation", id_text()},
                   {"reason", name_of(reason)},
                   {"detail", detail},
                   {"trace", run_ != nullptr ? run_->trace() : ""}});
  }
  if (revision_ && (reason != Reason::none || !text.empty())) [[unlikely]] {
    telemetry::LogEntry entry;
    entry.at = std::chrono::system_clock::now();
    entry.invocation = id_;
    entry.status = status;
    entry.reason = reason;
    entry.detail = detail;
    if (run_ != nullptr) entry.trace = run_->trace();
    entry.stderr_text = text;
    revision_->function->log.add(std::move(entry));
  }
  if (dispatcher_.options_.has_access_log) {
    const http::RequestHead& head = exchange_.head();
    log::info("request",
              {{"remote", head.remote_address},
               {"method", head.method},
               {"target", head.target},
               {"status", fmt::to_string(status)},
               {"function", function},
               {"invocation", id_text()},
               {"ms", decimal_ms(Clock::now() - began_at_)},
               {"guest_ms", decimal_ms(run_ != nullptr ? run_->guest_elapsed() : Duration{})},
               {"reason", name_of(reason)}});
  }
}

std::string Invocation::id_text() const {
  return telemetry::invocation_id_text(id_);
}

}  // namespace funcd::invoke
