#include "engine/engine.h"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <thread>
#include <utility>

#include "base/check.h"
#include "engine/bridge_bytes.h"
#include "engine/pagemap_scan.h"
#include "engine/run_ending.h"
#include "engine/task.h"
#include "engine/wasi_p1.h"

namespace funcd::engine {
namespace {

// Each is made ready at start: 3 µs and two mappings, for its stack's guard. The rest of what the
// kernel maps by default is for some 10,000 programs.
constexpr std::uint32_t kInstancesMaxDefault = 2'000;
constexpr std::uint32_t kInstancesMin = 16;
constexpr std::uint32_t kInstancesPerSpare = 4;  // at least
constexpr std::uint32_t kTableElementsMax = 100'000;
// Mappings that a live instance takes (memory, its image, stack and guards) and that a slot keeps
// in the other of the two pools for modules, ten in all where both were in use, one more for
// tables; and those that the rest of the process needs. Past vm.max_map_count the pool would wait
// for ever.
constexpr std::uint32_t kMappingsPerInstance = 11;
// Without a stack, and of modules or of components.
constexpr std::uint32_t kMappingsPerSpare = 7;
constexpr std::uint32_t kMappingsReserved = 5'000;
constexpr std::uint32_t kMappingsPerProgram = 3;
constexpr std::uint32_t kMaxMapCountDefault = 65'530;
// Addresses that a slot takes of each pool, and how many pools there may be: of modules two, and of
// components that are called concurrently.
constexpr std::uint64_t kReservedBytesPerSlot = (4ULL << 30) + (64ULL << 20);
constexpr std::uint64_t kPoolsMax = 3;
// Compiling less leaves little behind.
constexpr std::size_t kTrimmedArtifactBytes = 256U << 10;
// A module whose start function runs longer does not go live.
constexpr std::chrono::seconds kProbeTimeout{5};

bool on_epoch(void* context) {
  auto* guest = static_cast<GuestState*>(context);
  if (Clock::now() < guest->deadline) {
    guest->has_yielded = true;
    return false;
  }
  const Ending ending = time_limit_ending();
  guest->stop = GuestState::Stop{ending.kind, 0, ending.message};
  return true;
}

std::int64_t on_read(void* context, std::uint8_t* into, std::size_t size) {
  return static_cast<GuestState*>(context)->stdio.read({into, size});
}

std::int64_t on_write(void* context, int descriptor, const std::uint8_t* bytes, std::size_t size) {
  auto* guest = static_cast<GuestState*>(context);
  const std::int64_t taken = guest->stdio.write(descriptor, {bytes, size});
  if (taken == Stdio::kFull) {
    guest->stop = GuestState::Stop{EndKind::output_limit, 0, "wrote more than its limit"};
  }
  return taken;
}

bool on_ready(void* context, int descriptor) {
  const Stdio& stdio = static_cast<GuestState*>(context)->stdio;
  return descriptor == 0 ? stdio.is_readable() : stdio.is_writable(descriptor);
}

std::int64_t on_written(const std::uint8_t* base, std::size_t size, fb_region* regions,
                        std::size_t count_max) {
  static_assert(sizeof(fb_region) == sizeof(PageRegion));
  return written_regions({base, size}, {reinterpret_cast<PageRegion*>(regions), count_max});
}

// Of an instance that is made to see whether it can be.
class DroppedStdio final : public Stdio {
 public:
  std::int64_t read(std::span<std::uint8_t> /*into*/) override { return 0; }
  std::int64_t write(int /*descriptor*/, std::span<const std::uint8_t> bytes) override {
    return static_cast<std::int64_t>(bytes.size());
  }
  [[nodiscard]] bool is_readable() const override { return true; }
  [[nodiscard]] bool is_terminal(int /*descriptor*/) const override { return false; }
};

const fb_host& host() {
  static const fb_host kHost = {
      .module = "wasi_snapshot_preview1",
      .functions = wasi_p1_functions().data(),
      .function_count = wasi_p1_functions().size(),
      .on_epoch = &on_epoch,
      .read = &on_read,
      .write = &on_write,
      .is_ready = &on_ready,
      .written = &on_written,
      .page_faults = &page_faults,
  };
  return kHost;
}

std::uint32_t max_map_count() {
  std::ifstream file("/proc/sys/vm/max_map_count");
  std::uint32_t count = 0;
  return file >> count ? count : kMaxMapCountDefault;
}

// What the process needs beside instances that run.
std::uint64_t mappings_reserved(const EngineOptions& options) {
  return std::uint64_t{options.idle_instances_max} * kMappingsPerInstance + kMappingsReserved;
}

std::uint32_t instances_that_fit(const EngineOptions& options) {
  const std::uint64_t mappings = max_map_count();
  const std::uint64_t reserved = mappings_reserved(options);
  if (mappings <= reserved) return kInstancesMin;
  return std::max(static_cast<std::uint32_t>((mappings - reserved) / kMappingsPerInstance),
                  kInstancesMin);
}

// Whether there are as many addresses as the pools reserve. Small processors have fewer, and so has
// a process under `ulimit -v` or the thread sanitizer.
bool has_addresses_for(const EngineOptions& options) {
  const std::uint32_t spares =
      std::min(options.spare_instances_max, options.instances_max / kInstancesPerSpare);
  const std::size_t bytes =
      (kPoolsMax * (options.instances_max + std::uint64_t{spares}) + options.idle_instances_max) *
      kReservedBytesPerSlot;
  void* const reserved =
      ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return false;
  ::munmap(reserved, bytes);
  return true;
}

std::uint32_t default_instances(EngineOptions options, std::uint32_t fit) {
  options.instances_max = std::min(fit, kInstancesMaxDefault);
  while (options.instances_max > kInstancesMin && !has_addresses_for(options)) {
    options.instances_max = std::max(options.instances_max / 2, kInstancesMin);
  }
  return options.instances_max;
}

// Most of what is left is for programs.
std::uint32_t spares_that_fit(const EngineOptions& options) {
  constexpr std::uint32_t kShare = 4;
  const std::uint64_t taken =
      std::uint64_t{options.instances_max} * kMappingsPerInstance + mappings_reserved(options);
  const std::uint64_t mappings = max_map_count();
  const std::uint64_t left = mappings > taken ? mappings - taken : 0;
  return std::min(options.instances_max / kInstancesPerSpare,
                  static_cast<std::uint32_t>(left / kShare / kMappingsPerSpare));
}

std::uint32_t programs_that_fit(const EngineOptions& options) {
  constexpr std::uint32_t kProgramsMin = 16;
  const std::uint64_t taken = std::uint64_t{options.instances_max} * kMappingsPerInstance +
                              std::uint64_t{options.spare_instances_max} * kMappingsPerSpare +
                              mappings_reserved(options);
  const std::uint32_t mappings = max_map_count();
  if (mappings <= taken) return kProgramsMin;
  return std::max(static_cast<std::uint32_t>(mappings - taken) / kMappingsPerProgram, kProgramsMin);
}

Result<fb_engine*> make_engine(const EngineOptions& options, Tier tier) {
  const fb_engine_options bridge_options = {
      .instances_max = options.instances_max,
      .idle_instances_max = options.idle_instances_max,
      .spare_instances_max = options.spare_instances_max,
      .table_elements_max = kTableElementsMax,
      .memory_bytes_ceiling = options.memory_bytes_ceiling,
      .keep_resident_bytes = options.keep_resident_bytes,
      .guest_stack_bytes = options.guest_stack_bytes,
      .has_epochs = options.has_epochs,
      .is_baseline = tier == Tier::baseline,
      .is_portable = options.is_portable,
  };
  BridgeBytes error;
  fb_engine* engine = fb_engine_new(&bridge_options, &host(), error.out());
  if (engine == nullptr) return fail("the WebAssembly engine: {}", error.text());
  return engine;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::create(const EngineOptions& options) {
  const std::uint32_t fit = instances_that_fit(options);
  if (options.instances_max > fit) {
    return fail(
        "{} instances at once do not fit into vm.max_map_count: at most {} do; raise it with "
        "'sysctl vm.max_map_count={}' or ask for fewer",
        options.instances_max, fit,
        options.instances_max * kMappingsPerInstance + mappings_reserved(options));
  }
  std::unique_ptr<Engine> engine(new Engine(options));
  if (options.instances_max == 0) {
    engine->options_.instances_max = default_instances(options, fit);
  }
  engine->options_.spare_instances_max =
      std::min(options.spare_instances_max, spares_that_fit(engine->options_));
  if (options.programs_max == 0) {
    engine->options_.programs_max = programs_that_fit(engine->options_);
  }
  engine->engine_ = TRY(make_engine(engine->options_, Tier::optimized));
  CHECK(!fb_has_pagemap_scan() || are_pagemap_scans_seen());
  open_pagemap();
  engine->fingerprint_ = fmt::format("{:016x}", fb_engine_fingerprint(engine->engine_));
  return engine;
}

Engine::~Engine() {
  if (engine_ != nullptr) fb_engine_delete(engine_);
  if (baseline_ != nullptr) fb_engine_delete(baseline_);
}

Result<fb_engine*> Engine::engine_of(Tier tier) const {
  if (tier != Tier::baseline) return engine_;
  if (fb_engine* engine = baseline_.load(std::memory_order_acquire)) return engine;
  const std::lock_guard lock(baseline_mutex_);
  if (baseline_ == nullptr) baseline_ = TRY(make_engine(options_, Tier::baseline));
  return baseline_.load();
}

Result<std::vector<std::uint8_t>> Engine::compile(std::span<const std::uint8_t> wasm,
                                                  Tier tier) const {
  fb_engine* engine = TRY(engine_of(tier));
  BridgeBytes code;
  BridgeBytes error;
  const auto compile = tier == Tier::scratch ? fb_snapshot_compile : fb_compile;
  const bool is_compiled = compile(engine, wasm.data(), wasm.size(), code.out(), error.out());
  // A compiler leaves tens of MiB and more in the allocator's arenas.
  if (wasm.size() > kTrimmedArtifactBytes) malloc_trim(0);
  if (!is_compiled) return fail("{}", error.text());
  return std::vector<std::uint8_t>(code.bytes().begin(), code.bytes().end());
}

Result<std::shared_ptr<const void>> Engine::take_place() const {
  if (programs_->fetch_add(1) >= options_.programs_max) {
    programs_->fetch_sub(1);
    return fail(
        "{} programs are loaded, as many as fit into vm.max_map_count beside {} instances; raise "
        "it with 'sysctl vm.max_map_count=N', or allow fewer instances",
        options_.programs_max, options_.instances_max);
  }
  return std::shared_ptr<const void>(
      programs_.get(), [programs = programs_](const void*) { programs->fetch_sub(1); });
}

Result<Program> Engine::load_file(const std::string& path, FileAccess files) const {
  auto place = TRY(take_place());
  BridgeBytes error;
  fb_program* program =
      fb_program_load(engine_, path.c_str(), nullptr, 0, files == FileAccess::mounts, error.out());
  if (program == nullptr) return fail("{}", error.text());
  return Program(program, files, Tier::optimized, *ticker_, std::move(place));
}

Result<Program> Engine::load(std::span<const std::uint8_t> code, FileAccess files,
                             Tier tier) const {
  auto place = TRY(take_place());
  fb_engine* engine = TRY(engine_of(tier));
  BridgeBytes error;
  fb_program* program = fb_program_load(engine, nullptr, code.data(), code.size(),
                                        files == FileAccess::mounts, error.out());
  if (program == nullptr) return fail("{}", error.text());
  return Program(program, files, tier, *ticker_, std::move(place));
}

Result<> Engine::probe(const Program& program, std::uint64_t memory_bytes_max) const {
  DroppedStdio stdio;
  TaskLimits limits;
  limits.memory_bytes_max = memory_bytes_max;
  limits.deadline = Clock::now() + kProbeTimeout;
  Task task(program, GuestInput{}, stdio, limits, {.entry = kInstantiateOnly});
  while (true) {
    switch (task.poll()) {
      case Task::State::done:
        if (task.ending().kind == EndKind::returned) return {};
        return fail("cannot be instantiated: {}", task.ending().message);
      case Task::State::runnable:
        break;
      case Task::State::sleeping:
      case Task::State::waiting:
        return fail("cannot be instantiated: its start function waits");
    }
  }
}

void Engine::run_ticker(const std::stop_token& stop) const {
  ticker_->run(stop, [this] {
    fb_engine_tick(engine_);
    if (const fb_engine* baseline = baseline_.load(std::memory_order_acquire)) {
      fb_engine_tick(baseline);
    }
  });
}

Result<std::vector<std::uint8_t>> Engine::folded(std::span<const std::uint8_t> wasm) {
  BridgeBytes folded;
  BridgeBytes error;
  if (!fb_fold(wasm.data(), wasm.size(), folded.out(), error.out())) {
    return fail("{}", error.text());
  }
  return std::vector<std::uint8_t>(folded.bytes().begin(), folded.bytes().end());
}

Result<std::vector<std::uint8_t>> Engine::wasm_from_text(std::string_view wat) {
  BridgeBytes wasm;
  BridgeBytes error;
  if (!fb_text_to_wasm(reinterpret_cast<const std::uint8_t*>(wat.data()), wat.size(), wasm.out(),
                       error.out())) {
    return fail("{}", error.text());
  }
  return std::vector<std::uint8_t>(wasm.bytes().begin(), wasm.bytes().end());
}

}  // namespace funcd::engine
