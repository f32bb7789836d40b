#pragma once

#include <optional>
#include <string>

#include "engine/task.h"
#include "invoke/piped_stdio.h"
#include "invoke/request_body.h"
#include "invoke/run.h"

namespace funcd::invoke {

// A command's run: the request's body on its stdin, a response made of its stdout. One that may be
// streamed begins with the guest's header block as soon as the guest pauses behind it, and goes on
// as the guest writes; all others are made at the end.
class CommandRun final : public Run {
 public:
  // `call` is of this moment; what it views, `exchange` and `body` outlive the run.
  CommandRun(http::Exchange& exchange, RequestBody& body, const contract::Call& call,
             const engine::Program& program, engine::GuestInput input,
             const engine::TaskLimits& limits, const engine::TaskOptions& options);

  [[nodiscard]] Step advance() override;
  [[nodiscard]] TimePoint wake_at() const override { return task_.wake_at(); }
  [[nodiscard]] TimePoint deadline() const override { return task_.deadline(); }
  [[nodiscard]] Outcome outcome() override;
  [[nodiscard]] const KeptText& err() const override { return stdio_.err(); }
  [[nodiscard]] std::string_view trace() const override { return task_.ending().trace; }

 private:
  // After a poll that said `state`.
  void move_output(engine::Task::State state);

  RequestBody& body_;
  contract::Call call_;
  PipedStdio stdio_;
  engine::Task task_;
  std::optional<contract::Failure> failure_;
};

}  // namespace funcd::invoke
