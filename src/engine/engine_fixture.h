#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "engine/engine.h"
#include "engine/task.h"

// What tests begin with: an engine, and programs from text. Of the tests only.
namespace funcd::engine {

inline std::unique_ptr<Engine> new_engine(const EngineOptions& options) {
  auto made = Engine::create(options);
  CHECK(made.has_value(), "{}", made.error().message);
  return std::move(*made);
}

inline std::vector<std::uint8_t> wasm_of(std::string_view text) {
  auto wasm = Engine::wasm_from_text(text);
  CHECK(wasm.has_value(), "{}", wasm.error().message);
  return std::move(*wasm);
}

inline Result<Program> try_program(const Engine& engine, std::string_view text,
                                   FileAccess files = FileAccess::none) {
  return engine.load(TRY(engine.compile(wasm_of(text))), files);
}

inline Program program_of(const Engine& engine, std::string_view text,
                          FileAccess files = FileAccess::none) {
  auto program = try_program(engine, text, files);
  CHECK(program.has_value(), "{}", program.error().message);
  return std::move(*program);
}

// Runs it to its end, with nothing to read, and what it writes unread.
inline Ending end_of(const Program& program, const TaskLimits& limits = {},
                     const TaskOptions& options = {}, const GuestInput& input = {}) {
  BufferedStdio stdio({}, 1 << 10, 1 << 10);
  Task task(program, input, stdio, limits, options);
  while (task.poll() != Task::State::done) {
  }
  return task.ending();
}

}  // namespace funcd::engine
