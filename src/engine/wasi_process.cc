#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "engine/host_call.h"
#include "engine/wasi_p1.h"

// Arguments, environment, clocks, randomness, the process itself.
namespace funcd::engine {
namespace {

// Random bytes given before others have their turn.
constexpr std::uint64_t kRandomSliceBytes = 256 << 10;

enum class ClockId : std::uint32_t { realtime, monotonic, process_cpu, thread_cpu };

Answer give_strings(HostCall& call, const StringBlock& strings, std::uint32_t pointers,
                    std::uint32_t buffer) {
  const std::string_view text = strings.bytes();
  const auto into = call.memory.bytes(buffer, text.size());
  if (!into) return call.bad_pointer();
  std::copy(text.begin(), text.end(), into->begin());
  for (std::size_t at = 0; at < text.size(); at = text.find('\0', at) + 1) {
    const auto pointer = static_cast<std::uint32_t>(buffer + at);
    if (!call.memory.store(pointers, pointer)) return call.bad_pointer();
    pointers += sizeof(pointer);
  }
  return Errno::success;
}

Answer give_sizes(HostCall& call, const StringBlock& strings, std::uint32_t count,
                  std::uint32_t bytes) {
  if (!call.memory.store(count, static_cast<std::uint32_t>(strings.count()))) {
    return call.bad_pointer();
  }
  return call.give(bytes, static_cast<std::uint32_t>(strings.bytes().size()));
}

Answer args_get(HostCall& call, std::uint32_t pointers, std::uint32_t buffer) {
  call.guest.asked.environment = true;
  return give_strings(call, call.guest.input.args, pointers, buffer);
}

Answer args_sizes_get(HostCall& call, std::uint32_t count, std::uint32_t bytes) {
  return give_sizes(call, call.guest.input.args, count, bytes);
}

Answer environ_get(HostCall& call, std::uint32_t pointers, std::uint32_t buffer) {
  call.guest.asked.environment = true;
  return give_strings(call, call.guest.input.env, pointers, buffer);
}

Answer environ_sizes_get(HostCall& call, std::uint32_t count, std::uint32_t bytes) {
  return give_sizes(call, call.guest.input.env, count, bytes);
}

// Wasmtime answers `badf` for the CPU-time clocks, which WASI makes optional.
Errno clock_error(std::uint32_t id) {
  return id <= static_cast<std::uint32_t>(ClockId::thread_cpu) ? Errno::badf : Errno::inval;
}

std::uint64_t nanoseconds(auto duration) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
}

Answer clock_res_get(HostCall& call, std::uint32_t id, std::uint32_t result) {
  switch (static_cast<ClockId>(id)) {
    case ClockId::realtime:
    case ClockId::monotonic:
      return call.give<std::uint64_t>(result, 1);
    default:
      return clock_error(id);
  }
}

Answer clock_time_get(HostCall& call, std::uint32_t id, std::uint64_t /*precision*/,
                      std::uint32_t result) {
  call.guest.asked.clock = true;
  switch (static_cast<ClockId>(id)) {
    case ClockId::realtime:
      return call.give(result, nanoseconds(std::chrono::system_clock::now().time_since_epoch()));
    case ClockId::monotonic:
      // From the guest's own start: the host's uptime is none of its business.
      return call.give(result, nanoseconds(Clock::now() - call.guest.started_at));
    default:
      return clock_error(id);
  }
}

Answer random_get(HostCall& call, std::uint32_t buffer, std::uint32_t size) {
  call.guest.asked.random = true;
  const auto all = call.memory.bytes(buffer, size);
  if (!all) return call.bad_pointer();
  std::uint64_t& done = call.guest.call_progress;
  auto slice = all->subspan(done, std::min<std::uint64_t>(size - done, kRandomSliceBytes));
  while (!slice.empty()) {
    const ssize_t got = getrandom(slice.data(), slice.size(), 0);
    if (got < 0 && errno != EINTR) return call.trap("no random bytes from the system");
    if (got > 0) {
      done += static_cast<std::uint64_t>(got);
      slice = slice.subspan(static_cast<std::size_t>(got));
    }
  }
  if (done < size) {
    call.guest.has_yielded = true;
    return Answer::wait();
  }
  done = 0;
  return Errno::success;
}

Answer proc_exit(HostCall& call, std::uint32_t status) {
  call.guest.stop = GuestState::Stop{EndKind::exited, static_cast<int>(status), {}};
  return Answer::stop();
}

Answer proc_raise(HostCall& /*call*/, std::uint32_t signal) {
  constexpr std::uint32_t kSignalEnd = 31;
  return signal < kSignalEnd ? Errno::notsup : Errno::inval;
}

Answer sched_yield(HostCall& call) {
  std::uint64_t& has_waited = call.guest.call_progress;
  if (has_waited == 0) {
    has_waited = 1;
    call.guest.has_yielded = true;
    return Answer::wait();
  }
  has_waited = 0;
  return Errno::success;
}

constexpr std::array kFunctions = {
    host_function<&args_get>("args_get"),
    host_function<&args_sizes_get>("args_sizes_get"),
    host_function<&environ_get>("environ_get"),
    host_function<&environ_sizes_get>("environ_sizes_get"),
    host_function<&clock_res_get>("clock_res_get"),
    host_function<&clock_time_get>("clock_time_get"),
    waiting_host_function<&random_get>("random_get"),
    ending_host_function<&proc_exit>("proc_exit"),
    host_function<&proc_raise>("proc_raise"),
    waiting_host_function<&sched_yield>("sched_yield"),
};

}  // namespace

std::span<const fb_host_function> wasi_process_functions() {
  return kFunctions;
}

}  // namespace funcd::engine
