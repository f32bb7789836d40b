#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "contract/wasi_http.h"
#include "engine/http_task.h"
#include "engine/stdio.h"
#include "invoke/kept_text.h"
#include "invoke/request_body.h"
#include "invoke/run.h"
#include "registry/revision.h"

namespace funcd::invoke {

// Stdin is empty; stdout and stderr of a component are for people, both.
class LoggedStdio final : public engine::Stdio {
 public:
  explicit LoggedStdio(std::uint64_t bytes_max) : kept_(bytes_max) {}

  std::int64_t read(std::span<std::uint8_t> /*into*/) override { return 0; }
  std::int64_t write(int /*descriptor*/, std::span<const std::uint8_t> bytes) override {
    kept_.add(bytes);
    return static_cast<std::int64_t>(bytes.size());
  }
  [[nodiscard]] bool is_readable() const override { return true; }
  [[nodiscard]] bool is_terminal(int /*descriptor*/) const override { return false; }
  [[nodiscard]] const KeptText& kept() const { return kept_; }

 private:
  KeptText kept_;
};

// A component's run: the request goes in and the response comes out as the guest takes and gives
// them, each side held back by the other. The response ends when the guest has given all of it and
// has ended; one that is there as a whole at the guest's first pause is sent as a whole.
class ComponentRun final : public Run {
 public:
  // All that is given outlives the run. The instance among `options` is one of the revision that
  // has answered another request, or null; surroundings and reuse are the revision's.
  ComponentRun(http::Exchange& exchange, RequestBody& body, const registry::Revision& revision,
               const engine::Program& program, const engine::TaskLimits& limits,
               engine::HttpTaskOptions options);

  [[nodiscard]] Step advance() override;
  [[nodiscard]] TimePoint wake_at() const override { return deadline_; }
  [[nodiscard]] TimePoint deadline() const override { return deadline_; }
  [[nodiscard]] Outcome outcome() override;
  [[nodiscard]] const KeptText& err() const override { return stdio_.kept(); }
  [[nodiscard]] std::string_view trace() const override { return task_.ending().trace; }
  [[nodiscard]] bool is_reuse() const override { return is_reuse_; }

  // At its end: the instance, when it can answer another request and is to.
  [[nodiscard]] std::unique_ptr<engine::HttpInstance> take_instance() {
    return task_.take_instance();
  }

 private:
  using State = engine::HttpTask::State;

  // Of the response's body, taken from the guest and not yet by the client.
  static constexpr std::size_t kPipeBytesMax = 64 << 10;

  void move_input();
  // Takes what the guest gives of its response, and sends it when there is no room for more: all
  // that is there, or as much as the client takes.
  void take_output();
  // What has been taken, once the response has begun: in as few pieces as the guest's pauses allow.
  void send_output();
  void begin_response();
  // Looks for the guest's answer; false when there is none yet, or none that is good.
  [[nodiscard]] bool has_head();
  // All of the response is there, and can be sent with its length.
  [[nodiscard]] bool is_whole() const;
  void fail(Reason reason, std::string detail);
  // With the reason that the guest has ended for, if it is one, else as bad output.
  void fail_output(std::string detail);
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] bool is_done() const { return state_ == State::done; }

  RequestBody& body_;
  const registry::Limits& limits_;
  TimePoint deadline_;
  LoggedStdio stdio_;
  const bool is_reuse_;
  engine::HttpTask task_;
  State state_ = State::waiting;
  const bool is_head_request_;
  bool is_fed_;  // the guest has been told of the end of the request's body
  // The head, once taken, until it is sent.
  std::optional<http::Response> head_;
  std::optional<std::uint64_t> content_length_;
  std::string out_;
  std::uint64_t out_bytes_ = 0;    // ever taken
  std::uint64_t moved_bytes_ = 0;  // of both bodies
  engine::HttpBody out_state_ = engine::HttpBody::more;
  std::optional<contract::Failure> failure_;
};

}  // namespace funcd::invoke
