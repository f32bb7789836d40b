#pragma once

#include <cstddef>
#include <cstdint>

struct fb_spares;

namespace funcd::engine {

// Instances of finished runs, made as good as new, for the next runs of the same programs: of those
// whose code has been found to leave nothing that cannot be written back (bridge/src/spares.rs).
// Used by one thread, on which all tasks run that are given it; outlives them.
class SpareInstances {
 public:
  // How many modules and how many components at the most: those of all threads together are no more
  // than their engine's spare_instances_max.
  explicit SpareInstances(std::uint32_t count_max);
  ~SpareInstances();
  SpareInstances(const SpareInstances&) = delete;
  SpareInstances& operator=(const SpareInstances&) = delete;

  // Drops those that no run has wanted since the last call but one. How many there still are.
  std::size_t sweep();

 private:
  friend class Task;
  friend class HttpTask;

  fb_spares* spares_;
};

}  // namespace funcd::engine
