#include "invoke/dispatcher.h"

#include <sys/random.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "base/check.h"

namespace funcd::invoke {
namespace {

// Where a worker's ids begin: apart from those of other workers, other processes and earlier runs.
std::uint64_t first_id() {
  std::uint64_t id = 0;
  if (getrandom(&id, sizeof(id), 0) != sizeof(id)) {
    id = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
  }
  return id;
}

// The first slice ends at a tick of the clock, which may come right after the run has begun; during
// the second the kernel may have had others on the core. Who takes less than a slice is done within
// its third.
constexpr int kSlicesAtOnce = 3;
// Where so many wait for a slice already, the loop comes round to its connections first.
constexpr std::size_t kFewWaiting = 4;
// Of the CPU that a guest has had.
constexpr std::chrono::milliseconds kYoung{5};
// What guests have before the loop looks at its connections again: one slice of one that computes,
// or what is left of many that a tick of the clock met shortly before their end.
constexpr std::chrono::milliseconds kTurn{1};

// A spare instance that no request has wanted for one to two of these is dropped.
constexpr std::chrono::seconds kSparePeriod{1};

contract::Failure failure_of(const registry::Match& match) {
  switch (match.kind) {
    case registry::Match::Kind::method_not_allowed:
      return {Reason::method_not_allowed, "this function does not answer that method"};
    case registry::Match::Kind::bad_path:
      return {Reason::bad_request, "the path cannot be decoded"};
    default:
      return {Reason::not_found, "no function answers this path"};
  }
}

}  // namespace

Dispatcher::Dispatcher(Loop& loop, Admission& admission, DispatcherOptions options)
    : loop_(loop),
      admission_(admission),
      options_(std::move(options)),
      catalog_(std::make_shared<const registry::Catalog>()),
      idle_(loop.timers(), options_.idle_instances_max),
      spares_(options_.spare_instances_max),
      sweep_timer_(loop.timers(), this,
                   [](void* self) { static_cast<Dispatcher*>(self)->sweep_spares(); }),
      next_id_(first_id()),
      canary_choice_(first_id()) {
  admission_.connect(options_.worker,
                     [this] { boost::asio::post(loop_.io(), [this] { admit_waiting(); }); });
}

Dispatcher::~Dispatcher() = default;

void Dispatcher::publish(std::shared_ptr<const registry::Catalog> catalog) {
  catalog_ = std::move(catalog);
  ++publications_;
  idle_.drop_stale(*catalog_);
  for (const std::uint64_t key : std::exchange(building_, {})) {
    if (Invocation* invocation = invocations_.find(key)) route(*invocation);
  }
}

bool Dispatcher::yields_to_files(const http::RequestHead& head) const {
  if (!catalog_->has_public_folder()) return false;
  return !catalog_->match(head.method, head.path, head.host).is_static;
}

void Dispatcher::on_request(http::Exchange& exchange) {
  route(invocations_.emplace(*this, exchange, next_id_++));
}

void Dispatcher::route(Invocation& invocation) {
  const http::RequestHead& head = invocation.head();
  registry::Match match = catalog_->match(head.method, head.path, head.host);
  CanaryClient client;
  if (match.canary != nullptr) [[unlikely]] {
    const auto side = canary_choice_.choose(head, **match.canary);
    if (side.is_canary) match.meet(*match.canary, head.method);
    client = side.client;
  }
  if (match.kind == registry::Match::Kind::found) {
    invocation.begin(*match.revision, std::move(match.params), client);
    return;
  }
  if (match.kind == registry::Match::Kind::not_found && options_.is_building &&
      options_.is_building(head.path, *catalog_)) {
    building_.push_back(invocation.key());
    invocation.wait_for_build();
    return;
  }
  refuse(invocation, match);
}

void Dispatcher::refuse(Invocation& invocation, const registry::Match& match) {
  const contract::Failure failure = failure_of(match);
  unmatched_[static_cast<std::size_t>(failure.reason)].add();
  invocation.respond_failure(failure, match.allow);
}

void Dispatcher::on_refused(int status) {
  CHECK(status >= 0 && status < kStatusEnd, "status {}", status);
  refused_[static_cast<std::size_t>(status)].add();
}

std::uint64_t Dispatcher::unmatched(Reason reason) const {
  return unmatched_[static_cast<std::size_t>(reason)].value();
}

std::uint64_t Dispatcher::refused(int status) const {
  return refused_[static_cast<std::size_t>(status)].value();
}

void Dispatcher::resume_later(std::uint64_t key) {
  boost::asio::post(loop_.io(), [this, key] {
    if (Invocation* invocation = invocations_.find(key)) invocation->resume();
  });
}

bool Dispatcher::goes_on(int slices) const {
  return slices < kSlicesAtOnce && young_.size() + old_.size() < kFewWaiting;
}

void Dispatcher::queue_for_slice(std::uint64_t key, Duration guest_elapsed) {
  (guest_elapsed < kYoung ? young_ : old_).push_back(key);
  if (std::exchange(is_slice_posted_, true)) return;
  boost::asio::post(loop_.io(), [this] { give_slice(); });
}

void Dispatcher::give_slice() {
  is_slice_posted_ = false;
  const TimePoint until = Clock::now() + kTurn;
  while (Invocation* invocation = next_for_slice()) {
    invocation->drive();
    if (Clock::now() >= until) break;
  }
  if (is_slice_posted_ || (young_.empty() && old_.empty())) return;
  is_slice_posted_ = true;
  boost::asio::post(loop_.io(), [this] { give_slice(); });
}

Invocation* Dispatcher::next_for_slice() {
  while (!young_.empty() || !old_.empty()) {
    const bool is_old = young_.empty() || (is_turn_of_old_ && !old_.empty());
    std::deque<std::uint64_t>& queue = is_old ? old_ : young_;
    const std::uint64_t key = queue.front();
    queue.pop_front();
    Invocation* invocation = invocations_.find(key);
    if (invocation == nullptr) continue;  // its client has left
    is_turn_of_old_ = !is_old;
    return invocation;
  }
  return nullptr;
}

void Dispatcher::wake(void* dispatcher, std::uint64_t key) {
  static_cast<Dispatcher*>(dispatcher)->resume_later(key);
}

engine::SpareInstances& Dispatcher::spares() {
  if (!sweep_timer_.is_armed()) sweep_timer_.arm(Clock::now() + kSparePeriod);
  return spares_;
}

void Dispatcher::sweep_spares() {
  // A run that is under way may leave one.
  const bool is_busy = spares_.sweep() > 0 || admission_.running() > 0;
  if (is_busy) sweep_timer_.arm(Clock::now() + kSparePeriod);
}

void Dispatcher::admit_waiting() {
  // Once around: those that still find no place keep their order.
  for (std::size_t count = waiting_.size(); count > 0; --count) {
    const std::uint64_t key = waiting_.front();
    waiting_.pop_front();
    Invocation* invocation = invocations_.find(key);
    if (invocation != nullptr && !invocation->try_start()) waiting_.push_back(key);
  }
}

}  // namespace funcd::invoke
