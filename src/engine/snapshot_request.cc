#include "engine/snapshot_request.h"

#include <array>
#include <utility>

#include "engine/bell.h"
#include "engine/stdio.h"

namespace funcd::engine {
namespace {

// What a run prints on stdout and stderr is nobody's yet.
constexpr std::uint64_t kPrintedBytesMax = 64 << 10;
constexpr std::string_view kAuthority = "127.0.0.1";
constexpr std::array<HttpRequestHead::Field, 2> kFields = {
    {{"host", kAuthority}, {"accept", "*/*"}}};

HttpRequestHead head_of(const RequestInput& input) {
  return {.method = "GET",
          .authority = kAuthority,
          .path_with_query = input.path_with_query,
          .fields = kFields};
}

TaskLimits limits_of(const RequestInput& input) {
  TaskLimits limits;
  limits.memory_bytes_max = input.memory_bytes_max;
  limits.deadline = limits.started_at + input.timeout;
  return limits;
}

// Takes what there is of the response. True when no more of it comes.
bool take(HttpTask& task, const RequestInput& input, RequestOutput& output) {
  if (task.answer() == HttpAnswer::pending) return false;
  if (output.answer == HttpAnswer::none && task.answer() == HttpAnswer::head) {
    output.head = task.take_head();
  }
  output.answer = task.answer();
  if (output.answer == HttpAnswer::error_code) {
    output.failure = fmt::format("it answered with the error {}", task.answer_error());
  } else if (output.answer != HttpAnswer::head) {
    output.failure = "it did not answer";
  }
  if (output.answer != HttpAnswer::head) return true;
  // One byte more than it may have tells whether it has.
  const auto room = static_cast<std::size_t>(input.body_bytes_max) + 1 - output.body.size();
  switch (task.take_body(output.body, room)) {
    case HttpBody::end:
      return true;
    case HttpBody::failed:
      output.failure = fmt::format("the response's body {}", task.body_error());
      return true;
    case HttpBody::more:
      break;
  }
  if (output.body.size() <= input.body_bytes_max) return false;
  output.failure = fmt::format("the response has more than {} bytes", input.body_bytes_max);
  return true;
}

// The guest runs on after its response: what it does then belongs to the run.
RequestOutput finish(HttpTask& task, Bell& bell, const RequestInput& input) {
  RequestOutput output;
  bool is_taken = false;
  while (true) {
    const HttpTask::State state = task.poll();
    const std::size_t before = output.body.size();
    if (!is_taken) is_taken = take(task, input, output);
    if (state == HttpTask::State::done && is_taken) break;
    if (!output.failure.empty()) break;
    const bool has_moved = output.body.size() > before;
    if (state != HttpTask::State::runnable && !has_moved) bell.wait_until(task.wake_at());
  }
  output.ending = task.ending();
  if (output.ending.kind != EndKind::returned) output.failure = output.ending.message;
  return output;
}

}  // namespace

bool operator==(const RequestOutput& one, const RequestOutput& other) {
  return one.failure == other.failure && one.answer == other.answer &&
         one.head.status == other.head.status && one.head.fields == other.head.fields &&
         one.body == other.body;
}

RequestOutput answer_blocking(const Program& program, const RequestInput& input) {
  BufferedStdio stdio("", kPrintedBytesMax, kPrintedBytesMax);
  Bell bell;
  HttpTask task(program, head_of(input), stdio, limits_of(input),
                {.surroundings = input.surroundings, .waker = bell.waker()});
  return finish(task, bell, input);
}

RequestOutput answer_blocking(const SnapshotBuild& build, Task::SnapshotRun run,
                              const RequestInput& input) {
  BufferedStdio stdio("", kPrintedBytesMax, kPrintedBytesMax);
  Bell bell;
  HttpTask task(build, run, head_of(input), stdio, limits_of(input),
                {.surroundings = input.surroundings, .waker = bell.waker()});
  return finish(task, bell, input);
}

}  // namespace funcd::engine
