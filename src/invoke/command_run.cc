#include "invoke/command_run.h"

#include <utility>

namespace funcd::invoke {

CommandRun::CommandRun(http::Exchange& exchange, RequestBody& body, const contract::Call& call,
                       const engine::Program& program, engine::GuestInput input,
                       const engine::TaskLimits& limits, const engine::TaskOptions& options)
    : Run(exchange, limits.started_at),
      body_(body),
      call_(call),
      stdio_(body,
             contract::may_stream(call.revision) ? PipedStdio::Output::streamed_after_header
                                                 : PipedStdio::Output::whole,
             {.stdout_bytes = call.revision.manifest.limits.response_body_bytes,
              .stderr_bytes = call.revision.manifest.limits.stderr_bytes}),
      task_(program, std::move(input), stdio_, limits, options) {}

Run::Step CommandRun::advance() {
  // What has come with the head is there before the guest asks for it.
  body_.fetch();
  for (int round = 0; round < kRoundsMax; ++round) {
    if (body_.error()) {
      failure_ =
          contract::failure_of(*body_.error(), call_.revision.manifest.limits.request_body_bytes);
      return Step::finished;
    }
    stdio_.forget_waits();
    const engine::Task::State state = poll(task_);
    if (state == engine::Task::State::done) return Step::finished;
    // First, as the client may turn out to read again meanwhile.
    body_.fetch();
    move_output(state);
    if (failure_) return Step::finished;
    if (state == engine::Task::State::runnable) return Step::later;
    if (!stdio_.can_go_on() && !body_.error()) return Step::waiting;
  }
  return Step::later;
}

void CommandRun::move_output(engine::Task::State state) {
  if (response_.has_begun()) {
    failure_ = response_.write(stdio_.out());
    return;
  }
  if (state == engine::Task::State::runnable && is_quick()) return;
  if (!stdio_.has_header()) return;
  auto read = contract::read_cgi(std::exchange(stdio_.out(), {}));
  if (auto* failure = std::get_if<contract::Failure>(&read)) {
    failure_ = std::move(*failure);
    return;
  }
  auto& [response, content_length] = std::get<contract::CgiOutput>(read);
  failure_ = response_.begin(response, content_length);
  if (!failure_) stdio_.out() = std::move(response.body);
}

Run::Outcome CommandRun::outcome() {
  if (failure_) return *std::move(failure_);
  if (!response_.has_begun()) {
    Whole whole;
    auto shaped = contract::shape(call_, task_.ending(), std::move(stdio_.out()), whole.kv);
    if (auto* failure = std::get_if<contract::Failure>(&shaped)) return std::move(*failure);
    whole.response = std::get<http::Response>(std::move(shaped));
    return whole;
  }
  if (auto failure = contract::failure_of(task_.ending())) return *std::move(failure);
  if (auto failure = response_.check_end(stdio_.out())) return *std::move(failure);
  return End{.bytes = std::move(stdio_.out()), .trailers = {}};
}

}  // namespace funcd::invoke
