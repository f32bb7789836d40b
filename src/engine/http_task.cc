#include "engine/http_task.h"

#include <charconv>
#include <limits>
#include <utility>

#include "base/check.h"
#include "engine/bridge_bytes.h"
#include "engine/run_ending.h"
#include "engine/snapshot.h"

namespace funcd::engine {
namespace {

constexpr std::string_view kContentLength = "content-length";

fb_text text_of(std::string_view text) {
  return {text.data(), text.size()};
}

std::vector<fb_field> fields_of(std::span<const HttpRequestHead::Field> fields) {
  std::vector<fb_field> bridge_fields;
  bridge_fields.reserve(fields.size());
  for (const HttpRequestHead::Field& field : fields) {
    bridge_fields.push_back({text_of(field.name), text_of(field.value)});
  }
  return bridge_fields;
}

void add_field(void* context, const char* name, std::size_t name_size, const char* value,
               std::size_t value_size) {
  static_cast<std::vector<HttpField>*>(context)->push_back(
      {std::string(name, name_size), std::string(value, value_size)});
}

std::optional<std::uint64_t> content_length_of(const std::vector<HttpField>& fields) {
  for (const HttpField& field : fields) {
    if (field.name != kContentLength) continue;
    std::uint64_t length = 0;
    const char* const end = field.value.data() + field.value.size();
    const auto [stop, error] = std::from_chars(field.value.data(), end, length);
    if (error == std::errc() && stop == end) return length;
  }
  return std::nullopt;
}

}  // namespace

HttpTask::HttpTask(std::unique_ptr<HttpInstance> instance, EpochTicker& ticker, Stdio& stdio,
                   const TaskLimits& limits)
    : instance_(instance != nullptr ? std::move(instance) : std::make_unique<HttpInstance>()),
      ticker_(ticker),
      wake_at_(limits.deadline),
      memory_bytes_max_(limits.memory_bytes_max) {
  instance_->state_.emplace(GuestInput{}, stdio, limits);
  ++instance_->requests_;
}

HttpTask::HttpTask(const Program& program, const HttpRequestHead& head, Stdio& stdio,
                   const TaskLimits& limits, HttpTaskOptions options)
    : HttpTask(std::move(options.instance), *program.ticker_, stdio, limits) {
  fb_spares* const spares = options.spares != nullptr ? options.spares->spares_ : nullptr;
  start(head, limits, options, [&program, spares](const auto&... given) {
    return fb_http_task_new(program.program_, spares, given...);
  });
}

HttpTask::HttpTask(const SnapshotBuild& snapshot, Task::SnapshotRun run,
                   const HttpRequestHead& head, Stdio& stdio, const TaskLimits& limits,
                   const HttpTaskOptions& options)
    : HttpTask(nullptr, *snapshot.ticker_, stdio, limits) {
  start(head, limits, options, [&snapshot, run](const auto&... given) {
    return fb_snapshot_request(snapshot.snapshot_, run == Task::SnapshotRun::build, given...);
  });
}

template <typename Make>
void HttpTask::start(const HttpRequestHead& head, const TaskLimits& limits,
                     const HttpTaskOptions& options, Make make) {
  const std::vector<fb_field> fields = fields_of(head.fields);
  const fb_http_head bridge_head = {
      .method = text_of(head.method),
      .scheme = text_of(head.scheme),
      .authority = text_of(head.authority),
      .path_with_query = text_of(head.path_with_query),
      .fields = fields.data(),
      .field_count = fields.size(),
      .has_body = head.has_body,
  };
  const fb_waker bridge_waker = {options.waker.wake, options.waker.context, options.waker.key};
  const fb_waker* const waker = options.waker.wake != nullptr ? &bridge_waker : nullptr;
  BridgeBytes error;
  if (instance_->idle_ != nullptr) {
    task_ = fb_http_task_again(std::exchange(instance_->idle_, nullptr), &bridge_head, waker,
                               error.out());
  } else {
    const fb_limits bridge_limits = {limits.memory_bytes_max, limits.table_elements_max};
    const fb_surroundings* const surroundings =
        options.surroundings != nullptr ? options.surroundings->surroundings_ : nullptr;
    task_ = make(&bridge_head, &*instance_->state_, &bridge_limits, &instance_->usage_,
                 surroundings, waker, error.out());
  }
  if (task_ != nullptr) {
    if (options.keeps_instance) fb_http_task_keep(task_);
    return;
  }
  is_done_ = true;
  answer_ = HttpAnswer::none;
  ending_ = Ending{EndKind::failed, 0, error.text(), {}};
}

HttpTask::~HttpTask() {
  if (task_ != nullptr) fb_http_task_delete(task_);
}

HttpTask::State HttpTask::poll() {
  if (is_done_) return State::done;
  if (has_waited_ && Clock::now() >= wake_at_) {
    run_out_of_time();
    return State::done;
  }
  fb_ending ending{};
  std::int32_t said = 0;
  {
    const EpochTicker::Running running(ticker_);
    said = fb_http_task_poll(task_, &ending);
  }
  if (said == FB_DONE) {
    is_done_ = true;
    ending_ = ending_of(ending, *instance_->state_, instance_->usage_, memory_bytes_max_);
  }
  look_at_answer();
  if (is_done_) return State::done;
  has_waited_ = true;
  return said == FB_RUNNABLE ? State::runnable : State::waiting;
}

void HttpTask::run_out_of_time() {
  fb_http_task_stop(task_);
  is_done_ = true;
  ending_ = time_limit_ending();
  look_at_answer();
}

void HttpTask::look_at_answer() {
  if (answer_ != HttpAnswer::pending) return;
  BridgeBytes code;
  switch (fb_http_answer(task_, code.out())) {
    case FB_ANSWER_HEAD:
      answer_ = HttpAnswer::head;
      return;
    case FB_ANSWER_ERROR_CODE:
      answer_ = HttpAnswer::error_code;
      answer_error_ = code.text();
      return;
    case FB_ANSWER_DROPPED:
      answer_ = HttpAnswer::dropped;
      return;
    case FB_ANSWER_NONE:
      answer_ = HttpAnswer::none;
      return;
    default:
      return;
  }
}

std::size_t HttpTask::body_room() const {
  return task_ != nullptr ? fb_http_body_room(task_) : std::numeric_limits<std::size_t>::max();
}

bool HttpTask::is_body_dropped() const {
  return task_ == nullptr || fb_http_is_body_dropped(task_);
}

std::size_t HttpTask::feed(std::string_view bytes) {
  if (task_ == nullptr) return bytes.size();
  return fb_http_feed(task_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

void HttpTask::finish_body(std::span<const HttpRequestHead::Field> trailers) {
  if (task_ == nullptr) return;
  const std::vector<fb_field> fields = fields_of(trailers);
  fb_http_finish_body(task_, fields.data(), fields.size());
}

void HttpTask::fail_body(HttpBodyFailure failure) {
  if (task_ != nullptr) fb_http_fail_body(task_, static_cast<std::int32_t>(failure));
}

static_assert(static_cast<int>(HttpBodyFailure::too_large) == FB_TOO_LARGE);
static_assert(static_cast<int>(HttpBodyFailure::timed_out) == FB_TIMED_OUT);
static_assert(static_cast<int>(HttpBodyFailure::malformed) == FB_MALFORMED);
static_assert(static_cast<int>(HttpBodyFailure::hung_up) == FB_HUNG_UP);

HttpResponseHead HttpTask::take_head() {
  CHECK(answer_ == HttpAnswer::head, "answer {}", static_cast<int>(answer_));
  HttpResponseHead head;
  head.status = fb_http_take_head(task_, &head.fields, &add_field);
  CHECK(head.status != 0, "a head is taken once");
  head.content_length = content_length_of(head.fields);
  return head;
}

HttpBody HttpTask::take_body(std::string& into, std::size_t bytes_max) {
  if (!body_error_.empty()) return HttpBody::failed;
  const auto append = [](void* context, const std::uint8_t* bytes, std::size_t size) {
    static_cast<std::string*>(context)->append(reinterpret_cast<const char*>(bytes), size);
  };
  BridgeBytes error;
  switch (fb_http_take_body(task_, bytes_max, &into, append, error.out())) {
    case FB_BODY_END:
      return HttpBody::end;
    case FB_BODY_FAILED:
      body_error_ = error.text();
      return HttpBody::failed;
    default:
      break;
  }
  if (is_done_ && Clock::now() >= wake_at_) {
    body_error_ = "took longer than the function's limit";
    return HttpBody::failed;
  }
  return HttpBody::more;
}

std::vector<HttpField> HttpTask::trailers() const {
  std::vector<HttpField> fields;
  fb_http_trailers(task_, &fields, &add_field);
  return fields;
}

std::unique_ptr<HttpInstance> HttpTask::take_instance() {
  // One that was refused memory has none left for others either.
  if (task_ == nullptr || instance_->usage_.is_growth_denied) return nullptr;
  instance_->idle_ = fb_http_take_instance(task_);
  if (instance_->idle_ == nullptr) return nullptr;
  instance_->state_.reset();
  return std::move(instance_);
}

}  // namespace funcd::engine
