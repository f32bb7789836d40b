#pragma once

#include <array>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "base/loop.h"
#include "contract/contract.h"
#include "engine/spare_instances.h"
#include "http/exchange.h"
#include "http/server_counters.h"
#include "invoke/admission.h"
#include "invoke/canary_choice.h"
#include "invoke/idle_instances.h"
#include "invoke/invocation.h"
#include "invoke/invocation_table.h"
#include "registry/catalog.h"
#include "storage/kv_store.h"
#include "telemetry/reason.h"

namespace funcd::invoke {

struct DispatcherOptions {
  std::size_t worker = 0;  // of which this is the dispatcher: its cell in metrics
  // That wait for another request at once; the engine has room for those of all workers.
  std::size_t idle_instances_max = 0;
  std::uint32_t spare_instances_max = 0;  // of modules, and of components
  contract::ErrorStyle errors = contract::ErrorStyle::precise;
  bool has_access_log = false;
  std::chrono::milliseconds queue_timeout{5'000};   // of an invocation that waits for its turn
  std::chrono::milliseconds build_timeout{30'000};  // of a request for a function's first build
  // Whether a path that this catalog does not know may be known by a later one.
  std::function<bool(std::string_view path, const registry::Catalog& catalog)> is_building;
  // Brings a revision's program into memory; registry::Registry::load().
  std::function<void(const registry::Revision& revision, std::function<void(Result<>)> on_loaded)>
      load;
  storage::KvStore* kv = nullptr;  // of functions whose contract has a store
};

// One worker's way from requests to invocations: matches each against the catalog of the moment
// and sees it to its response. Everything is for the loop's thread unless it says so.
class Dispatcher final : public http::Handler {
 public:
  Dispatcher(Loop& loop, Admission& admission, DispatcherOptions options);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // From now on requests meet this catalog. Invocations in flight keep the revision they have.
  void publish(std::shared_ptr<const registry::Catalog> catalog);
  // No instance waits for another request any more.
  void drain() { idle_.close(); }

  // Whether a public file goes before what the catalog has for this path: a function of a route
  // with parameters, or none.
  [[nodiscard]] bool yields_to_files(const http::RequestHead& head) const;

  void on_request(http::Exchange& exchange) override;
  void on_refused(int status) override;

  [[nodiscard]] bool has_access_log() const { return options_.has_access_log; }

  // Instances that wait for another request. From any thread.
  [[nodiscard]] std::size_t instances_idle() const { return idle_.size(); }
  // Requests that met no function, by reason. From any thread.
  [[nodiscard]] std::uint64_t unmatched(Reason reason) const;
  // Requests that were answered before any function was looked for, by status. From any thread.
  [[nodiscard]] std::uint64_t refused(int status) const;
  static constexpr int kStatusEnd = 600;

 private:
  friend class Invocation;

  // What on_request and a new catalog do with a request.
  void route(Invocation& invocation);
  void refuse(Invocation& invocation, const registry::Match& match);
  // Has an invocation that waits go on, once other work of the loop had its turn.
  void resume_later(std::uint64_t key);
  // A callback for another thread: posts its result to the invocation, if that is still there.
  template <class T>
  [[nodiscard]] std::function<void(T)> posting(std::uint64_t key,
                                               void (Invocation::*on_result)(T)) {
    return [this, key, on_result](T result) {
      boost::asio::post(loop_.io(), [this, key, on_result, result = std::move(result)]() mutable {
        Invocation* invocation = invocations_.find(key);
        if (invocation != nullptr) (invocation->*on_result)(std::move(result));
      });
    };
  }
  // Whether a guest that has used up so many slices has its next one at once. A quick one is then
  // over before another is begun, which may have its instance while that is in the caches.
  [[nodiscard]] bool goes_on(int slices) const;
  // Has a guest that used up its slice wait for its next one.
  void queue_for_slice(std::uint64_t key, Duration guest_elapsed);
  // Gives guests their slices, for about as long as one takes: however many want one, the loop
  // looks at its connections in between.
  void give_slice();
  [[nodiscard]] Invocation* next_for_slice();
  // An engine::Waker's.
  static void wake(void* dispatcher, std::uint64_t key);
  // Where runs leave their instances and find them.
  [[nodiscard]] engine::SpareInstances& spares();
  void sweep_spares();
  // Tries those that wait, oldest first.
  void admit_waiting();

  Loop& loop_;
  Admission& admission_;
  DispatcherOptions options_;
  std::shared_ptr<const registry::Catalog> catalog_;
  std::uint64_t publications_ = 0;  // of catalogs, so far
  IdleInstances idle_;
  engine::SpareInstances spares_;
  Timer sweep_timer_;
  InvocationTable<Invocation> invocations_;
  // Keys of guests that want a slice. Those that have had little take turns with those that have
  // had much, so that a run of some milliseconds does not wait for all that spin.
  std::deque<std::uint64_t> young_;
  std::deque<std::uint64_t> old_;
  bool is_turn_of_old_ = false;
  bool is_slice_posted_ = false;
  std::deque<std::uint64_t> waiting_;   // keys; of admission
  std::deque<std::uint64_t> building_;  // keys; of requests for a first build
  std::uint64_t next_id_;
  CanaryChoice canary_choice_;
  std::array<http::Counter, kReasonCount> unmatched_;
  std::array<http::Counter, kStatusEnd> refused_;
};

}  // namespace funcd::invoke
