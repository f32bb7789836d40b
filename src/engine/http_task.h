#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "engine/guest.h"
#include "engine/http_instance.h"
#include "engine/program.h"
#include "engine/spare_instances.h"
#include "engine/stdio.h"
#include "engine/surroundings.h"
#include "engine/task.h"
#include "funcd_bridge.h"

namespace funcd::engine {

struct HttpField {
  std::string name;
  std::string value;

  friend bool operator==(const HttpField&, const HttpField&) = default;
};

// A request as a component sees it. Borrowed until the task is made. Fields that belong to the
// connection (connection, transfer-encoding, upgrade, host, ...) may be in it; the guest does not
// see them.
struct HttpRequestHead {
  struct Field {
    std::string_view name;
    std::string_view value;
  };
  std::string_view method;           // "GET"
  std::string_view scheme = "http";  // or "https"
  std::string_view authority;        // "example.com:8000"
  std::string_view path_with_query;  // "/a?b=c"
  std::span<const Field> fields;
  bool has_body = false;  // else the body has ended already: no finish_body()
};

struct HttpResponseHead {
  int status = 200;
  std::vector<HttpField> fields;  // lower case names; never those that belong to the connection
  std::optional<std::uint64_t> content_length;  // what the guest has declared, in `fields` as well
};

// What the guest has said to the request so far.
enum class HttpAnswer : std::uint8_t {
  pending,     // nothing, and it still runs
  head,        // take_head() has it
  error_code,  // an error code of wasi:http in the place of a response; answer_error() names it
  dropped,     // nothing, and it cannot any more: it dropped its response-outparam
  none,        // nothing, and its run is over; ending() says how
};

// Where the response's body is. That of a HEAD request, of a 204 and of a 304 is at its end at
// once.
enum class HttpBody : std::uint8_t {
  more,    // more may come: after the next poll, or was left by the bound of take_body()
  end,     // whole; trailers() are there
  failed,  // cut short: the guest dropped it, trapped, or broke its content-length; body_error()
};

// Why the request's body ends before its end; the guest reads the error code of it.
enum class HttpBodyFailure : std::uint8_t {
  too_large,  // HTTP-request-body-size
  timed_out,  // connection-read-timeout
  malformed,  // HTTP-protocol-error
  hung_up,    // connection-terminated
};

struct HttpTaskOptions {
  const Surroundings* surroundings = nullptr;  // null: no environment, no mounts, no outbound
  Waker waker{};                               // needed wherever the task may have to wait
  // Of the same program and surroundings, under the same limits; null: a fresh one.
  std::unique_ptr<HttpInstance> instance = nullptr;
  bool keeps_instance = false;  // for take_instance()
  // Where an instance of 0.2 may come from, and go to; those of the thread that polls the task.
  SpareInstances* spares = nullptr;
};

// One request to a component's wasi:http export (incoming-handler 0.2 or handler 0.3), in a fresh
// instance or, with `reuse`, in one that has answered another, polled to its end. Request body in,
// response head and body out, each piecewise, with bounds that hold the guest back. Used by one
// thread at a time. Dropping it ends the guest, wherever it is.
//
// How it is driven: poll() first, again after `runnable` when others had their turn, and whenever
// the waker says so (it is called for all that the task waits for, feed() and take_body()
// included). After each poll: take_head() once answer() is `head`, take_body() as long as there is
// room for it, feed() as long as body_room() is not 0. The guest may go on running after its answer
// and after its body; it is over when poll() says `done`. What it has sent by then can still be
// taken. A 0.3 guest may pass on a body that comes from elsewhere, and be done before that is: the
// waker tells of it then as before, and past the deadline take_body() fails.
//
// Stdout and stderr of the guest go to `stdio` (descriptors 1 and 2); its stdin is empty.
class HttpTask {
 public:
  // Bytes of the request's body that lie ready for the guest at the most; the piece that it reads
  // from is not counted, and has as many at the most.
  static constexpr std::size_t kRequestBufferBytesMax = FB_REQUEST_BUFFER_BYTES;
  // Bytes of the response's body that lie ready for the host at the most.
  static constexpr std::size_t kResponseBufferBytesMax = FB_RESPONSE_BUFFER_BYTES;

  enum class State : std::uint8_t {
    done,      // ending() says how
    runnable,  // used up its slice: poll again after others had their turn
    waiting,   // for the waker, at most until wake_at()
  };

  // `program` is of kind http_component; it, `stdio` and what `options` borrows outlive the task.
  HttpTask(const Program& program, const HttpRequestHead& head, Stdio& stdio,
           const TaskLimits& limits, HttpTaskOptions options);
  // One of the runs of a snapshot's build, in a fresh instance that is not kept.
  HttpTask(const SnapshotBuild& snapshot, Task::SnapshotRun run, const HttpRequestHead& head,
           Stdio& stdio, const TaskLimits& limits, const HttpTaskOptions& options);
  ~HttpTask();
  HttpTask(const HttpTask&) = delete;
  HttpTask& operator=(const HttpTask&) = delete;

  // Runs the guest until it is done, has used its slice, or has to wait. Notices a deadline that
  // has passed. After done it says done again.
  [[nodiscard]] State poll();
  [[nodiscard]] TimePoint wake_at() const { return wake_at_; }
  [[nodiscard]] const Ending& ending() const { return ending_; }
  // Size of its linear memories, bytes; they only grow.
  [[nodiscard]] std::uint64_t memory_bytes() const { return instance_->usage_.memory_bytes; }

  // How much feed() would take now. Once nobody reads the body any more (the guest has dropped it,
  // or is done), everything is taken and dropped.
  [[nodiscard]] std::size_t body_room() const;
  // Whether nobody reads the request's body any more, so that the rest of it need not arrive.
  [[nodiscard]] bool is_body_dropped() const;
  // Takes the next bytes of the request's body: how many, fewer than given when the buffer is full.
  std::size_t feed(std::string_view bytes);
  // The body is whole. Neither feed() nor this nor fail_body() afterwards.
  void finish_body(std::span<const HttpRequestHead::Field> trailers = {});
  void fail_body(HttpBodyFailure failure);

  [[nodiscard]] HttpAnswer answer() const { return answer_; }
  // Of `error_code`: "HTTP-response-timeout".
  [[nodiscard]] const std::string& answer_error() const { return answer_error_; }
  // The response's head, once, when answer() is `head`.
  [[nodiscard]] HttpResponseHead take_head();

  // Appends what there is of the response's body to `into`, at most `bytes_max`; after take_head().
  [[nodiscard]] HttpBody take_body(std::string& into, std::size_t bytes_max);
  // Of a failed body, one line: "ended after 5 of the 10 bytes that its content-length declares".
  [[nodiscard]] const std::string& body_error() const { return body_error_; }
  // Of a body at its end.
  [[nodiscard]] std::vector<HttpField> trailers() const;

  // The instance, as the task's last act: of a component of 0.3 that has ended well within its
  // limits, with all of its response, and has left no request of its own under way. Else null, and
  // it is gone with the task. It was to be kept.
  [[nodiscard]] std::unique_ptr<HttpInstance> take_instance();

 private:
  HttpTask(std::unique_ptr<HttpInstance> instance, EpochTicker& ticker, Stdio& stdio,
           const TaskLimits& limits);
  // For a fresh instance `make` is given what the bridge asks for: from the request's head to where
  // an error goes.
  template <typename Make>
  void start(const HttpRequestHead& head, const TaskLimits& limits, const HttpTaskOptions& options,
             Make make);
  void look_at_answer();
  void run_out_of_time();

  std::unique_ptr<HttpInstance> instance_;
  EpochTicker& ticker_;
  fb_http_task* task_ = nullptr;
  bool is_done_ = false;
  bool has_waited_ = false;
  TimePoint wake_at_;
  std::uint64_t memory_bytes_max_;
  Ending ending_;
  HttpAnswer answer_ = HttpAnswer::pending;
  std::string answer_error_;
  std::string body_error_;
};

}  // namespace funcd::engine
