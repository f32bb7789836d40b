#include "invoke/component_run.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace funcd::invoke {
namespace {

engine::HttpTask task_for(const http::RequestHead& head, const registry::Revision& revision,
                          const engine::Program& program, engine::Stdio& stdio,
                          const engine::TaskLimits& limits, engine::HttpTaskOptions options) {
  std::vector<engine::HttpRequestHead::Field> fields;
  const std::uint32_t answered = options.instance != nullptr ? options.instance->requests() : 0;
  options.surroundings = revision.surroundings.get();
  options.keeps_instance = answered + 1 < revision.manifest.reuse;
  return engine::HttpTask(program, contract::component_request(head, fields), stdio, limits,
                          std::move(options));
}

}  // namespace

ComponentRun::ComponentRun(http::Exchange& exchange, RequestBody& body,
                           const registry::Revision& revision, const engine::Program& program,
                           const engine::TaskLimits& limits, engine::HttpTaskOptions options)
    : Run(exchange, limits.started_at),
      body_(body),
      limits_(revision.manifest.limits),
      deadline_(limits.deadline),
      stdio_(limits_.stderr_bytes),
      is_reuse_(options.instance != nullptr),
      task_(task_for(exchange.head(), revision, program, stdio_, limits, std::move(options))),
      is_head_request_(exchange.head().method == "HEAD"),
      is_fed_(!exchange.head().has_body) {}

Run::Step ComponentRun::advance() {
  for (int round = 0; round < kRoundsMax; ++round) {
    const std::uint64_t moved_before = moved_bytes_;
    // What has come with the head is there before the guest asks for it.
    move_input();
    if (failure_) return Step::finished;
    state_ = poll(task_);
    move_input();
    if (!failure_) take_output();
    if (failure_ || is_over()) break;
    if (state_ == State::runnable) break;
    // A guest that waited for what has moved goes on at once.
    if (is_done() || moved_bytes_ == moved_before) break;
  }
  if (!failure_) begin_response();
  if (!failure_ && !is_over()) send_output();
  if (failure_ || is_over()) return Step::finished;
  if (is_done() && Clock::now() >= deadline_) {
    fail(Reason::time_limit, "the client did not take the response within the function's limit");
    return Step::finished;
  }
  return state_ == State::runnable ? Step::later : Step::waiting;
}

void ComponentRun::move_input() {
  // What nobody reads need not arrive, nor be good.
  while (!is_fed_ && !task_.is_body_dropped()) {
    body_.fetch();
    if (body_.error()) {
      failure_ = contract::failure_of(*body_.error(), limits_.request_body_bytes);
      return;
    }
    if (body_.part().empty()) {
      if (!body_.is_ended()) return;
      std::vector<engine::HttpRequestHead::Field> trailers;
      task_.finish_body(contract::component_fields(body_.trailers(), trailers));
      is_fed_ = true;
      return;
    }
    const std::size_t taken = task_.feed(body_.part());
    if (taken == 0) return;
    body_.consume(taken);
    moved_bytes_ += taken;
  }
}

void ComponentRun::begin_response() {
  if (!head_ || response_.has_begun() || is_whole()) return;
  // A head alone can wait for its body as long as the guest is at work on it.
  const bool is_full = out_.size() == kPipeBytesMax && out_state_ == engine::HttpBody::more;
  if (state_ == State::runnable && !is_full && (out_.empty() || is_quick())) return;
  head_->body = std::exchange(out_, {});
  failure_ = response_.begin(*head_, content_length_);
  if (!failure_) out_ = std::move(head_->body);
}

bool ComponentRun::has_head() {
  if (head_) return true;
  switch (task_.answer()) {
    case engine::HttpAnswer::pending:
      return false;
    case engine::HttpAnswer::error_code:
      fail_output("it answered with the error code " + task_.answer_error());
      return false;
    case engine::HttpAnswer::dropped:
      fail_output("it dropped its response-outparam without an answer");
      return false;
    case engine::HttpAnswer::none:
      fail_output("it ended without an answer");
      return false;
    case engine::HttpAnswer::head:
      break;
  }
  const engine::HttpResponseHead head = task_.take_head();
  auto response = contract::component_response(head);
  if (auto* failure = std::get_if<contract::Failure>(&response)) {
    failure_ = std::move(*failure);
    return false;
  }
  head_ = std::get<http::Response>(std::move(response));
  content_length_ = head.content_length;
  return true;
}

void ComponentRun::take_output() {
  if (!has_head()) return;
  while (out_state_ == engine::HttpBody::more) {
    if (out_.size() == kPipeBytesMax) {
      // Here rather than after the guest's turn: nobody says that there is more than was taken.
      begin_response();
      if (!failure_) send_output();
    }
    if (failure_) return;
    const std::size_t room = kPipeBytesMax - out_.size();
    if (room == 0) break;
    const std::size_t size = out_.size();
    out_state_ = task_.take_body(out_, room);
    const std::size_t taken = out_.size() - size;
    out_bytes_ += taken;
    moved_bytes_ += taken;
    if (out_bytes_ > limits_.response_body_bytes) {
      return fail(Reason::output_too_large, "wrote more than its limit");
    }
    if (taken == 0) break;
  }
  if (out_state_ != engine::HttpBody::failed) return;
  send_output();  // the client gets what came before
  if (!failure_) fail_output("its body " + task_.body_error());
}

void ComponentRun::send_output() {
  if (response_.has_begun() && !out_.empty()) failure_ = response_.write(out_);
}

bool ComponentRun::is_whole() const {
  // A HEAD without a length is not told one.
  return is_over() && task_.trailers().empty() && (!is_head_request_ || content_length_);
}

bool ComponentRun::is_over() const {
  return is_done() && out_state_ == engine::HttpBody::end;
}

void ComponentRun::fail(Reason reason, std::string detail) {
  failure_ = contract::Failure{reason, std::move(detail)};
}

void ComponentRun::fail_output(std::string detail) {
  if (!is_done()) return fail(Reason::bad_output, std::move(detail));
  failure_ = contract::failure_of(task_.ending());
  if (failure_) return;
  // A body that comes from elsewhere may outlast the guest.
  if (Clock::now() >= deadline_) return fail(Reason::time_limit, std::move(detail));
  failure_ = contract::unusable(task_.ending(), std::move(detail));
}

Run::Outcome ComponentRun::outcome() {
  if (failure_) return *std::move(failure_);
  auto late_failure = contract::failure_of(task_.ending());
  if (response_.has_begun()) {
    return End{.bytes = std::move(out_),
               .trailers = contract::component_trailers(task_.trailers()),
               .late_failure = std::move(late_failure)};
  }
  Whole whole{.response = *std::move(head_), .kv = {}, .late_failure = std::move(late_failure)};
  whole.response.body = std::move(out_);
  whole.response.head_length = content_length_;
  return whole;
}

}  // namespace funcd::invoke
