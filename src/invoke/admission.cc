#include "invoke/admission.h"

#include "base/check.h"

namespace funcd::invoke {
namespace {

// Adds one unless that would be more than max.
bool add_below(std::atomic<std::uint32_t>& count, std::uint32_t max) {
  if (count.fetch_add(1) < max) return true;
  count.fetch_sub(1);
  return false;
}

}  // namespace

Admission::Admission(AdmissionLimits limits, std::size_t workers) : limits_(limits) {
  for (std::size_t worker = 0; worker < workers; ++worker) {
    lanes_.push_back(std::make_unique<Lane>());
  }
}

void Admission::connect(std::size_t worker, std::function<void()> look_again) {
  lanes_[worker]->look_again = std::move(look_again);
}

bool Admission::enter(registry::Function& function, std::uint32_t concurrency_max) {
  if (!add_below(function.in_flight, concurrency_max)) return false;
  if (add_below(running_, limits_.running_max)) return true;
  function.in_flight.fetch_sub(1);
  return false;
}

void Admission::leave(registry::Function& function) {
  const std::uint32_t in_flight = function.in_flight.fetch_sub(1);
  const std::uint32_t running = running_.fetch_sub(1);
  CHECK(in_flight > 0 && running > 0);
  if (waiting_.load() == 0) [[likely]]
    return;
  for (const auto& lane : lanes_) {
    if (lane->waiting.load() > 0) lane->look_again();
  }
}

bool Admission::queue(std::size_t worker) {
  if (!add_below(waiting_, limits_.waiting_max)) return false;
  lanes_[worker]->waiting.fetch_add(1);
  return true;
}

void Admission::unqueue(std::size_t worker) {
  lanes_[worker]->waiting.fetch_sub(1);
  waiting_.fetch_sub(1);
}

}  // namespace funcd::invoke
