#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/program.h"

struct fb_engine;

namespace funcd::engine {

struct EngineOptions {
  // Instances alive at once, over all functions. 0: as many as the kernel's vm.max_map_count
  // allows, at most 2,000.
  std::uint32_t instances_max = 0;
  // Beside those: instances that wait for another request.
  std::uint32_t idle_instances_max = 0;
  // And those that are as good as new, of modules and as many of components: a quarter of
  // instances_max at the most, and fewer where vm.max_map_count leaves little.
  std::uint32_t spare_instances_max = 0;
  // Programs loaded at once. 0: as many as vm.max_map_count allows beside the instances.
  std::uint32_t programs_max = 0;
  // What one instance's memory may be limited to at the most.
  std::uint64_t memory_bytes_ceiling = 4ULL << 30;
  // Pages of a finished instance that stay mapped for the next one, zeroed or restored.
  std::uint64_t keep_resident_bytes = 4ULL << 20;
  std::uint32_t guest_stack_bytes = 512U << 10;
  // Interruption by epochs: without it a tight loop cannot be stopped. Off only to measure it.
  bool has_epochs = true;
  // Code for any processor of this kind rather than for this one: to count instructions, which then
  // are the same everywhere.
  bool is_portable = false;
};

// Wasmtime, set up for many short runs: pooled instances, copy-on-write memories, guests on
// fibers. One for the process; thread-safe; outlives everything made from it.
class Engine {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Engine>> create(const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Names all that compiled code depends on: engine version, settings, CPU features.
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }
  // As they are: instances_max and programs_max are never 0 here, spare_instances_max is what fits.
  [[nodiscard]] const EngineOptions& options() const { return options_; }
  [[nodiscard]] std::uint32_t instances_max() const { return options_.instances_max; }
  // Programs in memory now.
  [[nodiscard]] std::uint32_t programs_loaded() const { return programs_->load(); }

  // Validates and compiles an artifact, or to Tier::scratch what a SnapshotBuild asks for. Takes
  // milliseconds to seconds and all cores. The baseline
  // compiler refuses some artifacts that the optimizing one takes.
  [[nodiscard]] Result<std::vector<std::uint8_t>> compile(std::span<const std::uint8_t> wasm,
                                                          Tier tier = Tier::optimized) const;

  // Makes optimized code runnable: reads the file by mapping it. The file must be one that this
  // process, or one that it trusts, has compiled: its native code is run as it is.
  [[nodiscard]] Result<Program> load_file(const std::string& path, FileAccess files) const;
  // From memory, where it is copied; of either tier.
  [[nodiscard]] Result<Program> load(std::span<const std::uint8_t> code, FileAccess files,
                                     Tier tier = Tier::optimized) const;

  // Makes one instance under the limit without running its entry point: an error says why not. May
  // run the module's start function, for some seconds at the most.
  [[nodiscard]] Result<> probe(const Program& program, std::uint64_t memory_bytes_max) const;

  // Interrupts guests each millisecond, until stopped: without it they neither yield nor end in
  // time. One thread of the process runs it.
  void run_ticker(const std::stop_token& stop) const;

  // What compile() makes of a component of WASI 0.2 before it does: the same with fewer core
  // modules, as bridge/src/fold.rs says. An error: why it is compiled as it is.
  [[nodiscard]] static Result<std::vector<std::uint8_t>> folded(std::span<const std::uint8_t> wasm);

  // Text format to binary, for tests and tools.
  [[nodiscard]] static Result<std::vector<std::uint8_t>> wasm_from_text(std::string_view wat);

 private:
  friend class SnapshotBuild;
  explicit Engine(const EngineOptions& options) : options_(options) {}
  // The engine that compiles and runs code of that tier; null with an error when it cannot be made.
  [[nodiscard]] Result<fb_engine*> engine_of(Tier tier) const;

  // A place among the programs that the kernel can map, given back when it is dropped.
  [[nodiscard]] Result<std::shared_ptr<const void>> take_place() const;

  EngineOptions options_;
  fb_engine* engine_ = nullptr;
  mutable std::mutex baseline_mutex_;
  mutable std::atomic<fb_engine*> baseline_{nullptr};  // made when it is first needed
  std::string fingerprint_;
  std::shared_ptr<std::atomic<std::uint32_t>> programs_ =
      std::make_shared<std::atomic<std::uint32_t>>(0);
  std::unique_ptr<EpochTicker> ticker_ = std::make_unique<EpochTicker>();
};

}  // namespace funcd::engine
