// How a slot of memory is made fresh again, mended: see pagemap_scan.cc.
#pragma once

namespace funcd::engine {

// Whether Wasmtime's scans of dirty pages pass through here. When they do not although it scans,
// what one guest has written could be read by another.
[[nodiscard]] bool are_pagemap_scans_seen();

}  // namespace funcd::engine
