#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/timer_wheel.h"
#include "contract/contract.h"
#include "http/exchange.h"
#include "invoke/canary_choice.h"
#include "invoke/command_run.h"
#include "invoke/component_run.h"
#include "invoke/request_body.h"
#include "invoke/run.h"
#include "registry/catalog.h"
#include "storage/kv_store.h"

namespace funcd::invoke {

class Dispatcher;

// One request on its way through a function: reads the body, waits for its turn, runs the guest,
// responds, and is counted. Owned by its dispatcher's table, which it leaves as its last act.
class Invocation final : public http::ExchangeListener {
 public:
  Invocation(std::uint64_t key, Dispatcher& dispatcher, http::Exchange& exchange, std::uint64_t id);
  ~Invocation();
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;

  // The request has met a function: from here on this object sees to everything.
  void begin(std::shared_ptr<const registry::Revision> revision,
             std::vector<registry::PathParam> params, CanaryClient client = {});
  // Nobody to run: responds at once.
  void respond_failure(const contract::Failure& failure, std::string_view allow = {});

  // Runs if there is a place now. False: still waiting.
  [[nodiscard]] bool try_start();
  // Its turn for a slice, or for a look at the time, has come.
  void drive();
  // What its run may wait for is there: goes on, unless its turn comes anyway.
  void resume();

  // No catalog so far has its function: it is told so when that takes too long since it has come.
  void wait_for_build();

  [[nodiscard]] std::uint64_t key() const { return key_; }
  [[nodiscard]] const http::RequestHead& head() const { return exchange_.head(); }

  void on_body(std::string_view body) override;
  void on_body_part(std::string_view part) override;
  void on_body_end() override;
  void on_body_error(http::BodyError error) override;
  void on_writable() override;
  void on_hangup() override;

 private:
  enum class Phase : std::uint8_t { routing, reading, loading, waiting, running };

  // Is told this reason when that time comes.
  void wait_until(TimePoint end, Reason reason);
  // The body is there, or comes as the guest reads it.
  void admit();
  // The program is not in memory.
  void await_program();
  void on_program(Result<> loaded);
  void start();
  // The function's store has been read, or changed.
  void on_kv_read(std::variant<storage::KvSnapshot, storage::KvFailure> read);
  void on_kv_written(std::optional<storage::KvFailure> failure);
  void launch();
  void launch_command(const engine::TaskLimits& limits);
  void launch_component(const engine::TaskLimits& limits);
  // For the next request to this revision, if it can answer one.
  void keep_instance(ComponentRun& run);
  void on_timer();
  [[nodiscard]] contract::Call call() const;
  void finish();
  // The whole response, and what it keeps.
  void keep(Run::Whole whole);
  // The function's own failures may have a style of their own, all others have the server's.
  void fail(const contract::Failure& failure, contract::ErrorStyle style);
  void fail(const contract::Failure& failure);
  // Counts, logs, leaves the table, responds: `this` is gone.
  void conclude(http::Response response, Reason reason, std::string_view detail);
  // All of that but the response, which is for the exchange that is returned.
  [[nodiscard]] http::Exchange& leave(int status, Reason reason, std::string_view detail,
                                      std::uint64_t bytes_out);
  void record(int status, Reason reason, std::uint64_t bytes_out);
  void log(int status, Reason reason, std::string_view detail) const;
  [[nodiscard]] std::string id_text() const;

  std::uint64_t key_;
  Dispatcher& dispatcher_;
  http::Exchange& exchange_;
  RequestBody body_;
  std::uint64_t id_;
  TimePoint began_at_;
  std::uint64_t publication_ = 0;  // the dispatcher's, when this met its revision
  Phase phase_ = Phase::routing;
  Reason patience_reason_ = Reason::none;
  Timer timer_;
  std::shared_ptr<const registry::Revision> revision_;
  registry::LazyProgram::Pin program_;  // of the revision, from admit() on
  std::vector<registry::PathParam> params_;
  CanaryClient client_;       // to be told who it is
  std::string document_;      // for stdin, where the contract has one
  storage::KvSnapshot kv_;    // where the contract has a store
  http::Response response_;   // while it waits for the store
  bool is_answered_ = false;  // response_ is set
  bool is_driving_ = false;   // within drive()
  bool is_queued_ = false;    // for a slice
  int slices_ = 0;            // that the guest has used up
  // The run, and who it is: one without memory of its own.
  std::variant<std::monostate, CommandRun, ComponentRun> guest_;
  Run* run_ = nullptr;
};

}  // namespace funcd::invoke
