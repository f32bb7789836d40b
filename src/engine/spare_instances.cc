#include "engine/spare_instances.h"

#include "funcd_bridge.h"

namespace funcd::engine {

SpareInstances::SpareInstances(std::uint32_t count_max) : spares_(fb_spares_new(count_max)) {}

SpareInstances::~SpareInstances() {
  fb_spares_delete(spares_);
}

std::size_t SpareInstances::sweep() {
  return fb_spares_sweep(spares_);
}

}  // namespace funcd::engine
