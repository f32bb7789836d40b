#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcd::cli {

inline constexpr int kDone = 0;
inline constexpr int kBad = 1;         // the thing asked about is bad
inline constexpr int kWrongUsage = 2;  // the question is

// Prints "funcd: <message>" on stderr and returns the code.
[[nodiscard]] int report(const Error& error, int code);

// For CLI11's check(): what is wrong with a text that is to be a count, which -1 is not; else "".
[[nodiscard]] std::string count_problem(const std::string& text);

// kDone, or that of an error, which it reports.
[[nodiscard]] int code_of(const Result<>& result);

// Text on stdout, at once: who reads it may be waiting at a pipe. That it could not be written
// shows in the process's exit code only.
void print(std::string_view text);
void print_error(std::string_view text);  // on stderr, as it is

// What the chosen verb does once the whole command line has been read; returns the exit code.
using Action = std::function<int()>;

// One verb each: adds a subcommand, which sets `action` when it is chosen.
void add_serve(CLI::App& app, Action& action);
// `arguments` is what stood after "--".
void add_run(CLI::App& app, Action& action, std::vector<std::string> arguments);
void add_check(CLI::App& app, Action& action);
void add_compile(CLI::App& app, Action& action);
void add_snapshot(CLI::App& app, Action& action);
void add_import(CLI::App& app, Action& action);
void add_list(CLI::App& app, Action& action);
void add_status(CLI::App& app, Action& action);
void add_logs(CLI::App& app, Action& action);
void add_invoke(CLI::App& app, Action& action);
void add_deploy(CLI::App& app, Action& action);
void add_revisions(CLI::App& app, Action& action);
void add_canary(CLI::App& app, Action& action);
void add_promote(CLI::App& app, Action& action);
void add_rollback(CLI::App& app, Action& action);

}  // namespace funcd::cli
