#pragma once

#include <span>

#include "funcd_bridge.h"

namespace funcd::engine {

// WASI preview 1 for guests without mounts: all functions of wasi_snapshot_preview1.witx, with the
// error numbers that Wasmtime's own implementation gives for descriptors 0 to 2. Each room of it is
// one file.
[[nodiscard]] std::span<const fb_host_function> wasi_process_functions();     // args to sched_yield
[[nodiscard]] std::span<const fb_host_function> wasi_descriptor_functions();  // fd_*
[[nodiscard]] std::span<const fb_host_function> wasi_path_functions();        // path_*, sock_*
[[nodiscard]] std::span<const fb_host_function> wasi_poll_functions();        // poll_oneoff

// All of them, for the linker.
[[nodiscard]] std::span<const fb_host_function> wasi_p1_functions();

}  // namespace funcd::engine
