#include "engine/task.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/bridge_bytes.h"
#include "engine/run_ending.h"
#include "engine/snapshot.h"

namespace funcd::engine {
namespace {

// The pieces of a guest's input as the C strings that Wasmtime's WASI takes.
struct FilesInput {
  FilesInput(const GuestInput& input, const TaskOptions& options) {
    for (const std::string_view arg : input.args.strings()) args.push_back(arg.data());
    for (const std::string_view pair : input.env.strings()) {
      const std::size_t split = pair.find('=');
      texts.emplace_back(pair.substr(0, split));
      texts.emplace_back(pair.substr(split + 1));
    }
    for (const std::string& text : texts) env.push_back(text.c_str());
    for (const Mount& mount : options.mounts) {
      mounts.push_back(mount.host.c_str());
      mounts.push_back(mount.guest.c_str());
      are_writable.push_back(mount.is_writable ? 1 : 0);
    }
  }

  std::vector<const char*> args;
  std::vector<std::string> texts;
  std::vector<const char*> env;
  std::vector<const char*> mounts;
  std::vector<std::uint8_t> are_writable;
};

// Whether Wasmtime's WASI serves the guest: its mounts, or all that a component may import.
bool needs_files(FileAccess files, ProgramKind kind) {
  return files == FileAccess::mounts || kind != ProgramKind::module;
}

}  // namespace

Task::Task(const Program& program, GuestInput input, Stdio& stdio, const TaskLimits& limits,
           const TaskOptions& options)
    : state_(std::move(input), stdio, limits),
      ticker_(*program.ticker_),
      wake_at_(limits.deadline),
      memory_bytes_max_(limits.memory_bytes_max) {
  if (options.resumption == Resumption::from_snapshot) state_.started_at -= kSnapshotTimeMax;
  start(program, limits, options);
}

Task::Task(const SnapshotBuild& snapshot, SnapshotRun run, GuestInput input, Stdio& stdio,
           const TaskLimits& limits)
    : state_(std::move(input), stdio, limits),
      ticker_(*snapshot.ticker_),
      wake_at_(limits.deadline),
      memory_bytes_max_(limits.memory_bytes_max) {
  const fb_limits bridge_limits = {limits.memory_bytes_max, limits.table_elements_max};
  task_ = fb_snapshot_run(snapshot.snapshot_, run == SnapshotRun::build, &state_, &bridge_limits,
                          &usage_);
}

void Task::start(const Program& program, const TaskLimits& limits, const TaskOptions& options) {
  const fb_limits bridge_limits = {limits.memory_bytes_max, limits.table_elements_max};
  BridgeBytes error;
  if (!needs_files(program.files_, program.kind())) {
    task_ = fb_task_new(program.program_, options.entry, &state_, &bridge_limits, &usage_, nullptr,
                        nullptr, options.spares != nullptr ? options.spares->spares_ : nullptr,
                        error.out());
  } else {
    const FilesInput input(state_.input, options);
    static_assert(sizeof(bool) == sizeof(std::uint8_t));
    const fb_files files = {
        .args = input.args.data(),
        .arg_count = input.args.size(),
        .env = input.env.data(),
        .env_count = input.env.size() / 2,
        .mounts = input.mounts.data(),
        .is_writable = reinterpret_cast<const bool*>(input.are_writable.data()),
        .mount_count = input.are_writable.size(),
        .is_inherited_stdio = options.is_stdio_inherited,
    };
    const fb_waker waker = {options.waker.wake, options.waker.context, options.waker.key};
    task_ = fb_task_new(program.program_, options.entry, &state_, &bridge_limits, &usage_, &files,
                        waker.wake != nullptr ? &waker : nullptr, nullptr, error.out());
  }
  if (task_ == nullptr) ending_ = Ending{EndKind::failed, 0, error.text(), {}};
}

Task::~Task() {
  if (task_ != nullptr) fb_task_delete(task_);
}

Task::State Task::poll() {
  if (task_ == nullptr) return State::done;
  if (has_waited_ && Clock::now() >= state_.deadline) {
    ending_ = time_limit_ending();
    fb_task_delete(std::exchange(task_, nullptr));
    return State::done;
  }
  state_.has_yielded = false;
  state_.is_sleeping = false;
  fb_ending ending{};
  bool is_done = false;
  {
    const EpochTicker::Running running(ticker_);
    is_done = fb_task_poll(task_, &ending);
  }
  if (is_done) {
    ending_ = ending_of(ending, state_, usage_, memory_bytes_max_);
    // Frees the instance now: its memory is somebody else's next.
    fb_task_delete(std::exchange(task_, nullptr));
    return State::done;
  }
  has_waited_ = true;
  if (state_.has_yielded) return State::runnable;
  wake_at_ = state_.is_sleeping ? std::min(state_.wake_at, state_.deadline) : state_.deadline;
  return state_.is_sleeping ? State::sleeping : State::waiting;
}

}  // namespace funcd::engine
