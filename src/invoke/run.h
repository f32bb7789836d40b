#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "contract/contract.h"
#include "invoke/kept_text.h"
#include "invoke/response_stream.h"
#include "storage/kv_map.h"

namespace funcd::invoke {

// A guest at work for one invocation: runs it, and moves bytes between it and the exchange. Owned
// by its invocation, which calls advance() again when time, the guest's waker or the exchange say
// so.
class Run {
 public:
  enum class Step : std::uint8_t {
    later,     // it has used up its slice
    waiting,   // for the exchange or the waker, at most until wake_at()
    finished,  // outcome() says how
  };
  // A late failure comes after the guest has given its whole response: that is sent, and log and
  // metrics have the reason.
  //
  // A response that has not begun, and what the function's store is to keep of it.
  struct Whole {
    http::Response response;
    storage::KvChange kv;
    std::optional<contract::Failure> late_failure = std::nullopt;
  };
  // The rest of a response that has begun.
  struct End {
    std::string bytes;  // kEndBytesMax at the most
    http::FieldBlock trailers;
    std::optional<contract::Failure> late_failure = std::nullopt;
  };
  using Outcome = std::variant<Whole, End, contract::Failure>;

  virtual ~Run() = default;

  // Never blocks; a guest that does not wait is given a slice.
  [[nodiscard]] virtual Step advance() = 0;
  [[nodiscard]] virtual TimePoint wake_at() const = 0;
  [[nodiscard]] virtual TimePoint deadline() const = 0;
  // Once, after finished.
  [[nodiscard]] virtual Outcome outcome() = 0;

  // What the guest has written for people to read.
  [[nodiscard]] virtual const KeptText& err() const = 0;
  // Of a guest that has trapped: its frames.
  [[nodiscard]] virtual std::string_view trace() const = 0;
  // Whether its instance has answered another request before.
  [[nodiscard]] virtual bool is_reuse() const { return false; }

  [[nodiscard]] ResponseStream& response() { return response_; }
  [[nodiscard]] const ResponseStream& response() const { return response_; }
  // How long the guest has had the CPU, and when last.
  [[nodiscard]] Duration guest_elapsed() const { return guest_elapsed_; }
  [[nodiscard]] TimePoint ran_at() const { return ran_at_; }

 protected:
  // How often a guest that waits is asked again at once because what it waits for is there.
  static constexpr int kRoundsMax = 16;

  // A response whose guest neither waits nor takes longer than this goes as a whole: whether a tick
  // of the clock has fallen into its run makes no difference.
  static constexpr std::chrono::milliseconds kQuick{20};
  [[nodiscard]] bool is_quick() const { return guest_elapsed_ < kQuick; }

  Run(http::Exchange& exchange, TimePoint now) : response_(exchange), ran_at_(now) {}

  // Polls a task and takes the time.
  template <class Task>
  auto poll(Task& task) {
    const TimePoint began_at = has_run_ ? Clock::now() : ran_at_;
    has_run_ = true;
    const auto state = task.poll();
    ran_at_ = Clock::now();
    guest_elapsed_ += ran_at_ - began_at;
    return state;
  }

  ResponseStream response_;

 private:
  TimePoint ran_at_;
  Duration guest_elapsed_{};
  bool has_run_ = false;
};

}  // namespace funcd::invoke
