#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/engine.h"
#include "registry/catalog.h"
#include "registry/compile_lane.h"
#include "registry/folder_source.h"
#include "registry/load_lane.h"
#include "registry/manifest.h"
#include "registry/smoke_lane.h"
#include "registry/status.h"
#include "storage/code_cache.h"

namespace funcd::registry {

enum class Baseline : std::uint8_t { allowed, never };
enum class WritableMounts : std::uint8_t { allowed, refused };

struct RegistryOptions {
  std::string folder;       // the source
  Limits limits;            // of functions whose sidecar is silent
  Limits ceilings;          // what a sidecar may ask for at the most
  std::size_t workers = 1;  // how many cells a function's metrics have
  std::uint64_t artifact_bytes_max = 256ULL << 20;
  FolderTiming timing;
  WatchMode watch_mode = WatchMode::automatic;
  // While many functions come at once, catalogs are at least that far apart.
  std::chrono::milliseconds publish_gap{50};
  // A module that is gone is removed after that: rm and cp, or an editor's save, is no removal, and
  // neither is a folder that is deleted whole.
  std::chrono::milliseconds removal_grace{100};
  // Compiles elsewhere, on threads that call run_compiler(): functions go live with baseline code
  // at once where there is no other, and optimized code takes its place. What is to start from a
  // snapshot waits for it, which a thread that calls run_snapshots() makes. Empty: the builder's
  // thread compiles to optimized code itself, and makes snapshots.
  Compile compile;
  // Whether functions go live with baseline code.
  Baseline baseline = Baseline::allowed;
  // Programs that were not used for that long go from memory, and come back from the cache when
  // they are asked for, by a thread that calls run_loader(). What has gone live in an earlier
  // process begins like that. 0: all stay, and are in memory before they go live.
  std::chrono::milliseconds unload_after{0};
  // Held while the source is looked at, so that what others change in it meanwhile is seen whole or
  // not at all. May be null.
  std::mutex* source_lock = nullptr;
  // Whether functions may write to what they mount.
  WritableMounts writable_mounts = WritableMounts::allowed;
  // Tries a revision with a [smoke] request before it goes live; an error keeps it from that.
  // Called by threads that call run_smokes(). Empty: nothing is tried.
  AskSmoke smoke;
  // Called by the builder's thread when status() may say something new. May be empty.
  std::function<void()> on_change;
};

// Turns what lies in the source into a catalog: watches, and for each change reads, hashes,
// validates, compiles (or takes compiled code from the cache), links and instantiates once; then,
// and only then, publishes. A file that does not get through leaves the old revision live. The one
// thread that calls run() decides; what takes long, others do meanwhile.
class Registry {
 public:
  // Gets each new catalog, on the builder's thread.
  using Publish = std::function<void(std::shared_ptr<const Catalog>)>;

  Registry(const engine::Engine& engine, storage::CodeCache* cache, RegistryOptions options,
           Publish publish);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // An error when the source cannot be opened at all; else runs until stopped.
  [[nodiscard]] Result<> run(const std::stop_token& stop);
  // Compiles to that tier what the builder asks for, until stopped. A thread for each tier.
  void run_compiler(engine::Tier tier, const std::stop_token& stop);
  // Makes the snapshots that the builder asks for, until stopped. One thread.
  void run_snapshots(const std::stop_token& stop);
  // Asks revisions for their [smoke] requests, until stopped. Any number of threads.
  void run_smokes(const std::stop_token& stop);
  // Loads what load() asks for, until stopped. One thread.
  void run_loader(const std::stop_token& stop);
  // One pass over the source, no watching, nothing done elsewhere: for `serve --check`, `check`
  // and `list`.
  [[nodiscard]] Result<> build_once();

  // From any thread.
  [[nodiscard]] Status status() const;
  [[nodiscard]] std::shared_ptr<const Catalog> catalog() const;
  // From any thread: whether nobody has looked at the source yet, or a function of that route is
  // known and in no catalog yet, as its first build is under way or has just ended. `path` is a raw
  // request path.
  [[nodiscard]] bool is_building(std::string_view path) const;
  // From any thread: whether no other catalog has been published, or is about to be. What is not
  // building any more was in a catalog before.
  [[nodiscard]] bool is_newest(const Catalog& catalog) const;
  // As in status(), for any thread and without a copy of all of it.
  [[nodiscard]] bool is_first_scan_done() const;
  // From any thread: brings a revision's program into memory; code that the cache has lost is
  // compiled again. `on_loaded` is called on another thread, and only posts; not at all when the
  // registry ends before.
  void load(const Revision& revision, LoadLane::OnLoaded on_loaded);
  // From any thread.
  struct ProgramCounts {
    std::uint32_t loaded = 0;  // in memory now; functions of one artifact share one
    std::uint64_t loads = 0;   // from the cache, since the start
    std::uint64_t unloads = 0;
  };
  [[nodiscard]] ProgramCounts program_counts() const;

 private:
  class Builder;
  std::unique_ptr<Builder> builder_;
};

}  // namespace funcd::registry
