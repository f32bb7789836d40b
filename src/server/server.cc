#include "server/server.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "http/server_counters.h"
#include "server/bucket.h"
#include "server/smoke.h"

namespace funcd::server {
namespace {

// How often run() looks whether the first scan is done.
// Threads that read public files which the kernel does not have in memory.
constexpr int kReaders = 2;
// Threads that ask new revisions for their smoke requests.
constexpr int kSmokers = 4;
// Instances that are kept back for the builder's probes and for runs that are just ending.
constexpr std::uint32_t kInstancesReserved = 4;

// Instances that wait for another request: of one worker, and of all, as each has mappings and
// memory.
constexpr std::uint32_t kIdleInstancesOfWorker = 64;
constexpr std::uint32_t kIdleInstancesMax = 1'024;
// Those that are as good as new: few pages each, for functions that are called by turns.
constexpr std::uint32_t kSpareInstancesOfWorker = 256;
constexpr std::uint32_t kSpareInstancesMax = 512;

// What one of so many workers has of what all may have.
std::uint32_t share_of(std::size_t workers, std::uint32_t all_max, std::uint32_t worker_max) {
  return std::clamp(all_max / static_cast<std::uint32_t>(workers), 1U, worker_max);
}

std::uint32_t idle_instances_of(std::size_t workers) {
  return share_of(workers, kIdleInstancesMax, kIdleInstancesOfWorker);
}

std::uint32_t spare_instances_of(std::size_t workers) {
  return share_of(workers, kSpareInstancesMax, kSpareInstancesOfWorker);
}

std::string url_of(const http::Endpoint& endpoint) {
  return "http://" + http::format_endpoint(endpoint);
}

// As many listeners as there are loops to accept on; nobody else may have the port.
Result<std::vector<http::Listener>> listen(const http::Endpoint& endpoint, std::size_t count,
                                           std::string_view flag) {
  auto listeners = http::Listener::bind_all(endpoint, count);
  if (listeners) return listeners;
  return fail("{}; choose another with {} HOST:PORT, or stop the process that has it",
              listeners.error().message, flag);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

std::string_view name_of_signal(int signal) {
  return signal == SIGINT ? "SIGINT" : signal == SIGHUP ? "SIGHUP" : "SIGTERM";
}

// Large buffers are mapped each by itself, so that their memory goes back when they do. Left alone,
// the allocator keeps what many large bodies at once have taken.
void give_back_large_buffers() {
  constexpr int kMappedFrom = 1 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kMappedFrom);
  ::mallopt(M_TRIM_THRESHOLD, 2 * kMappedFrom);
}

}  // namespace

Server::Server(const Config& config) : config_(config), signals_(loop_.io(), SIGTERM, SIGINT) {
  // nohup has it ignored, so that the server outlives the terminal.
  if (!is_ignored(SIGHUP)) signals_.add(SIGHUP);
}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::create(const Config& config) {
  give_back_large_buffers();
  std::unique_ptr<Server> server(new Server(config));
  TRY(server->bind());
  TRY(server->make_engine());
  TRY(server->make_source());
  server->make_registry();
  server->make_workers();
  server->make_admin();
  return server;
}

Result<> Server::bind() {
  listeners_ = TRY(listen(config_.listen, config_.workers, "--listen"));
  facts_.listen_url = url_of(listeners_.front().endpoint());
  if (config_.admin) {
    auto admin = TRY(listen(*config_.admin, 1, "--admin"));
    admin_listener_ = std::move(admin.front());
    facts_.admin_url = url_of(admin_listener_->endpoint());
  }
  return {};
}

Result<> Server::make_engine() {
  engine::EngineOptions options;
  options.instances_max = config_.instances_max;
  options.idle_instances_max =
      idle_instances_of(config_.workers) * static_cast<std::uint32_t>(config_.workers);
  options.spare_instances_max =
      spare_instances_of(config_.workers) * static_cast<std::uint32_t>(config_.workers);
  options.memory_bytes_ceiling = config_.ceilings.memory_bytes;
  options.guest_stack_bytes = static_cast<std::uint32_t>(config_.stack_bytes);
  options.has_epochs = config_.has_epochs;
  engine_ = TRY(engine::Engine::create(options));
  compiler_ =
      std::make_unique<engine::CompilerProcess>("/proc/self/exe", *engine_, config_.compiler);
  auto cache = storage::CodeCache::open(config_.cache_dir, config_.cache_bytes_max);
  if (cache) {
    cache_ = std::move(cache).value();
  } else {
    // Worth a warning, not a refusal: everything works, only the next start is slower.
    log::warn("cache.unavailable", {{"error", cache.error().message}});
  }
  return {};
}

Result<> Server::make_source() {
  folder_ = config_.source;
  if (!source::is_s3_url(config_.source)) return {};
  bucket_ = TRY(open_bucket(config_));
  folder_ = bucket_->folder();
  return {};
}

void Server::make_registry() {
  registry::RegistryOptions options;
  options.folder = folder_;
  if (bucket_) {
    options.source_lock = &bucket_->tree_lock();
    options.writable_mounts = registry::WritableMounts::refused;
  }
  options.limits = config_.limits;
  options.ceilings = config_.ceilings;
  options.workers = config_.workers;
  options.baseline = config_.has_baseline ? registry::Baseline::allowed : registry::Baseline::never;
  options.unload_after = config_.unload_after;
  options.compile = [this](std::span<const std::uint8_t> artifact, engine::Tier tier,
                           const std::stop_token& stop) {
    return compiler_->compile(artifact, tier, stop);
  };
  options.smoke = [this](const registry::Revision& revision, const std::stop_token& stop) {
    return run_smoke(revision, kv_.get(), stop);
  };
  options.on_change = [this] {
    if (!registry_->is_first_scan_done()) return;
    boost::asio::post(loop_.io(), [this] { tell_first_scan(); });
  };
  registry_ = std::make_unique<registry::Registry>(
      *engine_, cache_.get(), std::move(options),
      [this](const std::shared_ptr<const registry::Catalog>& catalog) {
        for (const auto& worker : workers_) worker->publish(catalog);
      });
}

void Server::make_workers() {
  invoke::AdmissionLimits limits;
  const std::uint32_t instances = engine_->instances_max();
  const std::uint32_t available =
      instances > kInstancesReserved ? instances - kInstancesReserved : 1;
  limits.running_max =
      config_.concurrency_max > 0 ? std::min(config_.concurrency_max, available) : available;
  limits.waiting_max = config_.queue_max;
  admission_ = std::make_unique<invoke::Admission>(limits, config_.workers);

  kv_ = std::make_unique<storage::SqliteKvStore>(
      kv_file_of(config_, process_environment),
      storage::KvLimits{.store_bytes_max = config_.kv_bytes_max,
                        .is_private = config_.kv_file.empty()});

  http::ServerOptions http = config_.http;
  http.connections_max = std::max<std::size_t>(http.connections_max / config_.workers, 1);
  http.held_bytes_max = std::max<std::uint64_t>(http.held_bytes_max / config_.workers, 1);
  for (std::size_t worker = 0; worker < config_.workers; ++worker) {
    invoke::DispatcherOptions options;
    options.worker = worker;
    options.idle_instances_max = idle_instances_of(config_.workers);
    options.spare_instances_max =
        engine_->options().spare_instances_max / static_cast<std::uint32_t>(config_.workers);
    options.errors = config_.errors;
    options.has_access_log = config_.has_access_log;
    options.queue_timeout = config_.queue_timeout;
    options.build_timeout = config_.build_timeout;
    options.kv = kv_.get();
    options.load = [this](const registry::Revision& revision, auto on_loaded) {
      registry_->load(revision, std::move(on_loaded));
    };
    // In this order: what was built a moment ago is in a catalog that may still be on its way.
    options.is_building = [this](std::string_view path, const registry::Catalog& catalog) {
      return registry_->is_building(path) || !registry_->is_newest(catalog);
    };
    workers_.push_back(std::make_unique<Worker>(std::move(listeners_[worker]), http, *admission_,
                                                std::move(options), file_jobs_, folder_));
  }
  listeners_.clear();
}

void Server::make_admin() {
  facts_.version = FUNCD_VERSION;
  facts_.config_file = config_.config_file;
  if (!source::is_s3_url(config_.source)) {
    facts_.source_path = std::filesystem::absolute(config_.source).lexically_normal().string();
  }
  facts_.workers = config_.workers;
  facts_.instances_max = engine_->instances_max();
  facts_.engine_fingerprint = engine_->fingerprint();
  facts_.started_at = std::chrono::system_clock::now();
  if (!admin_listener_) return;
  AdminContext context{
      .facts = facts_,
      .status = [this] { return status(); },
      .catalog = [this] { return registry_->catalog(); },
      .stats = [this] { return stats(); },
      .is_draining = is_draining_,
  };
  if (bucket_) {
    context.bucket = [this] { return bucket_->status(); };
    context.refresh = [this] { bucket_->refresh(); };
  }
  admin_ = std::make_unique<Admin>(std::move(context));
  admin_server_ = std::make_unique<http::Server>(loop_, std::move(*admin_listener_),
                                                 http::ServerOptions{}, *admin_);
}

void Server::on_first_scan(std::function<void(const registry::Status&)> callback) {
  on_first_scan_ = std::move(callback);
}

void Server::tell_first_scan() {
  if (on_first_scan_) std::exchange(on_first_scan_, nullptr)(status());
}

void Server::await_signals() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (!is_draining_) {
      log::info("draining", {{"cause", name_of_signal(signal)}});
      begin_drain();
    } else if (signal != SIGHUP) {
      // A terminal that closes may say so twice: by its shell, and by the kernel.
      log::warn("stopped", {{"cause", "a second signal"}});
      _exit(128 + signal);
    }
    await_signals();
  });
}

void Server::begin_drain() {
  if (is_draining_.exchange(true)) return;
  workers_draining_ = workers_.size();
  const TimePoint deadline = Clock::now() + config_.drain_timeout;
  for (const auto& worker : workers_) {
    worker->drain(deadline,
                  [this] { boost::asio::post(loop_.io(), [this] { on_worker_drained(); }); });
  }
}

void Server::on_worker_drained() {
  if (--workers_draining_ == 0) loop_.stop();
}

void Server::request_stop() {
  boost::asio::post(loop_.io(), [this] { begin_drain(); });
}

Result<> Server::run() {
  for (const auto& worker : workers_) worker->start();
  std::jthread ticker([this](const std::stop_token& stop) { engine_->run_ticker(stop); });
  std::jthread stores([this](const std::stop_token& stop) { kv_->run(stop); });
  std::vector<std::jthread> readers;
  for (int reader = 0; reader < kReaders; ++reader) {
    readers.emplace_back([this](const std::stop_token& stop) { file_jobs_.run(stop); });
  }
  std::jthread looker;
  if (bucket_) looker = std::jthread([this](const std::stop_token& stop) { bucket_->run(stop); });
  std::jthread builder([this](const std::stop_token& stop) {
    auto done = build(stop);
    if (done) return;
    boost::asio::post(loop_.io(), [this, error = std::move(done).error()] {
      builder_error_ = error;
      begin_drain();
    });
  });
  std::jthread loader([this](const std::stop_token& stop) { registry_->run_loader(stop); });
  std::vector<std::jthread> compilers;
  for (const auto tier : {engine::Tier::baseline, engine::Tier::optimized}) {
    compilers.emplace_back(
        [this, tier](const std::stop_token& stop) { registry_->run_compiler(tier, stop); });
  }
  compilers.emplace_back([this](const std::stop_token& stop) { registry_->run_snapshots(stop); });
  std::vector<std::jthread> smokers;
  for (int smoker = 0; smoker < kSmokers; ++smoker) {
    smokers.emplace_back([this](const std::stop_token& stop) { registry_->run_smokes(stop); });
  }
  await_signals();
  loop_.run();
  for (auto& compiler : compilers) compiler.request_stop();
  // The builder first: it publishes to workers.
  builder.request_stop();
  builder.join();
  smokers.clear();  // they write to the stores
  loader.request_stop();
  loader.join();
  for (const auto& worker : workers_) worker->stop();
  // After the workers, which write to it; it posts to loops that have ended, and are still there.
  stores.request_stop();
  stores.join();
  readers.clear();
  if (builder_error_) return fail(*builder_error_);
  return {};
}

// The builder's thread.
Result<> Server::build(const std::stop_token& stop) {
  if (bucket_) TRY(bucket_->await_copy(stop, config_.s3_wait));
  if (stop.stop_requested()) return {};
  return registry_->run(stop);
}

registry::Status Server::status() const {
  registry::Status status = registry_->status();
  if (bucket_) add_bucket(status, bucket_->status());
  return status;
}

ServerStats Server::stats() const {
  ServerStats stats;
  stats.requests_in_flight = admission_->running();
  stats.requests_waiting = admission_->waiting();
  for (const auto& worker : workers_) stats.instances_idle += worker->dispatcher().instances_idle();
  const auto programs = registry_->program_counts();
  stats.programs_loaded = programs.loaded;
  stats.program_loads = programs.loads;
  stats.program_unloads = programs.unloads;
  const auto sum = [this](auto count_of) {
    std::uint64_t total = 0;
    for (const auto& worker : workers_) total += count_of(worker->dispatcher());
    return total;
  };
  for (const auto& worker : workers_) {
    stats.connections_open += worker->counters().connections_open.value();
    stats.connections_accepted += worker->counters().connections_accepted.value();
    stats.connections_refused += worker->counters().connections_refused.value();
    stats.accept_failures += worker->counters().accept_failures.value();
    stats.timeouts += worker->counters().timeouts.value();
    stats.hangups += worker->counters().hangups.value();
  }
  for (std::size_t index = 1; index < kReasonCount; ++index) {
    const auto reason = static_cast<Reason>(index);
    const std::uint64_t count = sum([&](const auto& each) { return each.unmatched(reason); });
    if (count > 0) stats.unmatched.emplace_back(name_of(reason), count);
  }
  for (int status = 0; status < invoke::Dispatcher::kStatusEnd; ++status) {
    const std::uint64_t count = sum([&](const auto& each) { return each.refused(status); });
    if (count > 0) stats.refused.emplace_back(status, count);
  }
  return stats;
}

}  // namespace funcd::server
