#include "cli/runner.h"

#include <filesystem>
#include <thread>

#include "engine/bell.h"
#include "engine/stdio.h"
#include "engine/task.h"

namespace funcd::cli {
namespace {

engine::GuestInput input_of(const RunRequest& request) {
  engine::GuestInput input;
  for (const auto& argument : request.args) input.args.add(argument);
  for (const auto& [key, value] : request.env) input.env.add(key, value);
  return input;
}

}  // namespace

engine::Ending run_to_end(const engine::Engine& engine, const engine::Program& program,
                          const RunRequest& request) {
  const std::jthread ticker([&engine](const std::stop_token& stop) { engine.run_ticker(stop); });
  engine::Bell bell;
  engine::InheritedStdio stdio;
  engine::TaskOptions options;
  options.mounts = request.mounts;
  options.is_stdio_inherited = true;
  options.waker = bell.waker();
  auto limits = request.limits;
  if (request.timeout) limits.deadline = Clock::now() + *request.timeout;
  engine::Task task(program, input_of(request), stdio, limits, options);
  while (true) {
    switch (task.poll()) {
      case engine::Task::State::done:
        return task.ending();
      case engine::Task::State::runnable:
        break;
      case engine::Task::State::sleeping:
      case engine::Task::State::waiting:
        bell.wait_until(task.wake_at());
        break;
    }
  }
}

Result<std::pair<std::string, std::string>> parse_env(const std::string& text) {
  const auto equals = text.find('=');
  const auto name = text.substr(0, equals);
  if (name.empty()) return fail("--env {}: expected NAME=VALUE", text);
  return std::pair(name, equals == std::string::npos ? std::string() : text.substr(equals + 1));
}

Result<engine::Mount> parse_mount(const std::string& text) {
  const auto separator = text.find("::");
  const auto host = text.substr(0, separator);
  engine::Mount mount;
  mount.guest = separator == std::string::npos ? host : text.substr(separator + 2);
  mount.is_writable = true;
  if (host.empty() || mount.guest.empty()) {
    return fail("--dir {}: expected FOLDER or FOLDER::GUEST-FOLDER", text);
  }
  std::error_code error;
  const auto absolute = std::filesystem::canonical(host, error);
  if (error) return fail("--dir {}: {}: {}", text, host, error.message());
  if (!std::filesystem::is_directory(absolute, error)) {
    return fail("--dir {}: {} is no folder", text, host);
  }
  mount.host = absolute;
  return mount;
}

int exit_code_of(const engine::Ending& ending) {
  constexpr int kCodeMax = 255;
  switch (ending.kind) {
    case engine::EndKind::returned:
      return 0;
    case engine::EndKind::memory_limit:
      return ending.exit_code != 0
                 ? exit_code_of({engine::EndKind::exited, ending.exit_code, {}, {}})
                 : kTrapped;
    case engine::EndKind::exited:
      // The system would keep the lower eight bits, and 256 would look like success.
      return ending.exit_code >= 0 && ending.exit_code <= kCodeMax ? ending.exit_code : 1;
    case engine::EndKind::time_limit:
      return kTimedOut;
    case engine::EndKind::failed:
      return 1;
    default:
      return kTrapped;
  }
}

}  // namespace funcd::cli
