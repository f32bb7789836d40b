#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/result.h"
#include "registry/revision.h"

namespace funcd::registry {

// Asks a revision that is not live yet for its [smoke] request; takes as long as its limits allow,
// or until stopped. An error says what was answered instead of what was expected.
using AskSmoke = std::function<Result<>(const Revision& revision, const std::stop_token& stop)>;

// Revisions on trial: they wait for the answer to their smoke request, first come, first asked. The
// builder's thread adds, drops and takes, one revision of a function at a time; threads of the
// lane's own ask, each one revision, so that a slow answer holds up nobody else's.
class SmokeLane {
 public:
  struct Done {
    std::shared_ptr<const Revision> revision;
    Result<> answer;
  };

  // `on_done` is called on a thread of the lane's whenever there is something to take.
  SmokeLane(AskSmoke smoke, std::function<void()> on_done);

  void add(std::shared_ptr<const Revision> revision);
  // Its answer does not matter any more: it is not asked, or its request ends at once.
  void drop(const Revision& revision);
  // What is done since the last call.
  [[nodiscard]] std::vector<Done> take();

  // One of the lane's threads, until stopped.
  void run(const std::stop_token& stop);

 private:
  struct Trial {
    std::shared_ptr<const Revision> revision;
    std::stop_source stop;
  };
  using Trials = std::list<Trial>;

  // The oldest that waits, which is running from then on; end() when stopped.
  [[nodiscard]] Trials::iterator next(const std::stop_token& stop);
  [[nodiscard]] Result<> ask(Trial& trial, const std::stop_token& stop) const;
  void settle(Trials::iterator trial, Result<> answer);

  const AskSmoke smoke_;
  const std::function<void()> on_done_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  Trials waiting_;  // at most one of each function
  Trials running_;  // at most one of each thread
  std::vector<Done> done_;
};

}  // namespace funcd::registry
