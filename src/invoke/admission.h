#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "registry/revision.h"

namespace funcd::invoke {

struct AdmissionLimits {
  std::uint32_t running_max = 1'000;  // invocations at once, over all functions and workers
  std::uint32_t waiting_max = 1'024;  // for their turn; one more is overloaded
};

// Who may run now. One for the server; thread-safe. An invocation that may not run yet waits in
// its worker's queue; when a place becomes free, the workers with a queue are told to look again.
class Admission {
 public:
  // `look_again` of each worker is called from any thread, and only posts.
  Admission(AdmissionLimits limits, std::size_t workers);
  void connect(std::size_t worker, std::function<void()> look_again);

  // Takes a place for a run of this function, or says that there is none.
  [[nodiscard]] bool enter(registry::Function& function, std::uint32_t concurrency_max);
  // Gives the place back.
  void leave(registry::Function& function);

  // Takes a place in a worker's queue, or says that the queues are full.
  [[nodiscard]] bool queue(std::size_t worker);
  void unqueue(std::size_t worker);

  [[nodiscard]] std::uint32_t running() const { return running_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Lane {
    std::atomic<std::uint32_t> waiting{0};
    std::function<void()> look_again;
  };

  AdmissionLimits limits_;
  alignas(64) std::atomic<std::uint32_t> running_{0};
  alignas(64) std::atomic<std::uint32_t> waiting_{0};
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace funcd::invoke
