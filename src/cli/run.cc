#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <memory>

#include "cli/artifact.h"
#include "cli/runner.h"
#include "cli/verbs.h"
#include "registry/manifest.h"

namespace funcd::cli {
namespace {

constexpr const char* kFooter =
    "The program sees nothing of the host but what is given here: no environment variable, no "
    "file.\n"
    "Exit code: the program's own; 134 after a trap, 124 after the time limit.\n"
    "\n"
    "Examples:\n"
    "  funcd run hello.wasm\n"
    "  funcd run --env DATA='{\"age\": 36}' gojson.wasm\n"
    "  funcd run --dir ./data::/data files.wasm -- --verbose /data/a.txt\n"
    "  funcd run --timeout 2s --memory 64MiB hello.wasm";

struct Run {
  std::string file;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::vector<std::string> dirs;
  std::string timeout;
  std::string memory = "4GiB";
};

Result<RunRequest> request_of(const Run& run) {
  RunRequest request;
  request.args = {std::filesystem::path(run.file).filename().string()};
  request.args.insert(request.args.end(), run.args.begin(), run.args.end());
  for (const auto& text : run.env) request.env.push_back(TRY(parse_env(text)));
  for (const auto& text : run.dirs) request.mounts.push_back(TRY(parse_mount(text)));
  auto memory = registry::parse_size(run.memory);
  if (!memory) return fail("--memory: {}", memory.error().message);
  request.limits.memory_bytes_max = *memory;
  if (!run.timeout.empty()) {
    const auto timeout = registry::parse_duration(run.timeout);
    if (!timeout) return fail("--timeout: {}", timeout.error().message);
    request.timeout = *timeout;
  }
  return request;
}

Result<engine::Program> load(const engine::Engine& engine, const std::string& file,
                             engine::FileAccess files) {
  const auto artifact = TRY(read_artifact(file));
  if (artifact.kind == ArtifactKind::compiled) {
    auto program = engine.load(artifact.bytes, files);
    if (!program) {
      return fail("{}: {}; compile it again with funcd compile", file, program.error().message);
    }
    return program;
  }
  auto code = engine.compile(artifact.bytes);
  if (!code) return fail("{}: {}", file, code.error().message);
  auto program = engine.load(*code, files);
  if (!program) return fail("{}: {}", file, program.error().message);
  return program;
}

// A limit as it was given: the engine counts in MiB.
std::string told(const Run& run, const engine::Ending& ending) {
  if (ending.kind != engine::EndKind::memory_limit) return ending.message;
  return fmt::format("wanted more memory or table than its limit of {}", run.memory);
}

int run_once(const Run& run) {
  const auto request = request_of(run);
  if (!request) return report(request.error(), kWrongUsage);
  engine::EngineOptions options;
  options.instances_max = 1;
  const auto engine = engine::Engine::create(options);
  if (!engine) return report(engine.error(), kBad);
  const auto files =
      request->mounts.empty() ? engine::FileAccess::none : engine::FileAccess::mounts;
  const auto program = load(**engine, run.file, files);
  if (!program) return report(program.error(), kBad);
  const auto ending = run_to_end(**engine, *program, *request);
  if (ending.kind == engine::EndKind::time_limit) {
    print_error(
        fmt::format("funcd: {}: ran longer than its time limit of {}\n", run.file, run.timeout));
  } else if (!ending.message.empty()) {
    print_error(fmt::format("funcd: {}: {}\n{}", run.file, told(run, ending), ending.trace));
    if (!ending.trace.empty() && !ending.trace.ends_with('\n')) print_error("\n");
  }
  return exit_code_of(ending);
}

}  // namespace

void add_run(CLI::App& app, Action& action, std::vector<std::string> arguments) {
  auto* verb = app.add_subcommand("run", "Run a WASI program once, on this terminal");
  const auto run = std::make_shared<Run>();
  verb->add_option("FILE", run->file, "a .wasm or .wat file, or one made by funcd compile")
      ->required();
  verb->add_option("ARGS", run->args, "arguments of the program; after -- they may begin with -");
  verb->add_option("--env", run->env, "an environment variable of the program")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  verb->add_option("--dir", run->dirs, "a folder that the program may use, and its name there")
      ->type_name("HOST::GUEST")
      ->allow_extra_args(false);
  verb->add_option("--timeout", run->timeout, "end it after this long (default: never)")
      ->type_name("DURATION");
  verb->add_option("--memory", run->memory, "memory it may have")
      ->type_name("SIZE")
      ->capture_default_str();
  verb->footer(kFooter);
  verb->callback([run, &action, arguments = std::move(arguments)] {
    run->args.insert(run->args.end(), arguments.begin(), arguments.end());
    action = [run] { return run_once(*run); };
  });
}

}  // namespace funcd::cli
