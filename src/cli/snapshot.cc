#include "engine/snapshot.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "cli/artifact.h"
#include "cli/runner.h"
#include "cli/verbs.h"
#include "engine/snapshot_request.h"
#include "http/target.h"
#include "registry/json_document.h"
#include "server/units.h"

namespace funcd::cli {
namespace {

constexpr const char* kFooter =
    "Makes of a module one that starts from the memory that a run of it has left, as a server "
    "does\n"
    "for reactors and with [snapshot] start = true, and measures both: a fresh instance each "
    "time.\n"
    "Of a component the run is one request, as with [snapshot] warm = true.\n"
    "\n"
    "Examples:\n"
    "  funcd snapshot gojson.wasm --data '{\"name\":\"ada\",\"age\":36}'\n"
    "  funcd snapshot reactor.wasm --warm -o started.wasm --json\n"
    "  funcd snapshot component.wasm --path /users/7";

constexpr std::chrono::milliseconds kMeasured{700};
constexpr std::uint32_t kInstancesMax = 4;

struct Snapshot {
  std::string file;
  std::string output;
  std::string data = "{}";
  std::string path = "/";
  std::vector<std::string> env;
  bool is_warm = false;
  bool is_json = false;
};

struct Measured {
  std::string way;  // "plain", "snapshot"
  std::uint64_t module_bytes = 0;
  std::uint64_t memory_bytes = 0;  // at the start
  double us = 0;                   // an instance and its run
  engine::Asked asked;             // before it starts
};

// The inputs of a request and of the run that leaves the snapshot. A command has its DATA in that
// only where it is warmed up.
struct Inputs {
  engine::RunInput request;
  engine::RunInput build;
};

Result<Inputs> inputs_of(const Snapshot& request, bool is_reactor) {
  Inputs inputs;
  for (engine::RunInput* each : {&inputs.request, &inputs.build}) {
    each->input.args.add(std::filesystem::path(request.file).stem().string());
    for (const auto& text : request.env) {
      const auto [name, value] = TRY(parse_env(text));
      each->input.env.add(name, value);
    }
    if (is_reactor) each->stdin_bytes = request.data;
  }
  if (is_reactor) return inputs;
  inputs.request.input.env.add("DATA", request.data);
  if (request.is_warm) inputs.build.input.env.add("DATA", request.data);
  return inputs;
}

std::string told(const engine::RunOutput& output) {
  return output.ending.message.empty() ? fmt::format("exit code {}", output.ending.exit_code)
                                       : output.ending.message;
}

// Why a run in a fresh instance fails; empty when it does not.
using Run = std::function<std::string(const engine::Program&)>;

Run run_of(const char* entry, engine::Resumption resumption, const engine::RunInput& input) {
  return [entry, resumption, &input](const engine::Program& program) {
    const auto output = engine::run_blocking(program, entry, resumption, input);
    return output.has_ended_well() ? std::string() : told(output);
  };
}

Run run_of(const engine::RequestInput& input) {
  return [&input](const engine::Program& program) {
    return engine::answer_blocking(program, input).failure;
  };
}

Result<Measured> measure(const engine::Engine& engine, std::span<const std::uint8_t> wasm,
                         std::string way, const Run& run) {
  Measured measured{.way = std::move(way), .module_bytes = wasm.size(), .asked = {}};
  const auto code = TRY(engine.compile(wasm));
  const auto program = TRY(engine.load(code, engine::FileAccess::none));
  measured.memory_bytes = program.memory_bytes_min();
  measured.asked = program.asked_before();
  if (const std::string why = run(program); !why.empty()) {
    return fail("its {} run fails: {}", measured.way, why);
  }
  const auto began_at = Clock::now();
  auto now = began_at;
  std::uint64_t runs = 0;
  for (; now - began_at < kMeasured; now = Clock::now(), ++runs) {
    static_cast<void>(run(program));
  }
  measured.us =
      std::chrono::duration<double, std::micro>(now - began_at).count() / static_cast<double>(runs);
  return measured;
}

// How a server is told to start it so; a reactor that is not warmed up starts so by itself.
std::string advice(const Snapshot& request, bool is_warm, bool is_reactor) {
  if (is_reactor && !is_warm) return {};
  return fmt::format("to have it served so: [snapshot] {} = true in {}.toml\n",
                     is_warm ? "warm" : "start",
                     std::filesystem::path(request.file).stem().string());
}

std::string text_of(const std::vector<Measured>& ways) {
  std::string text =
      fmt::format("{:<10}{:>16}{:>12}{:>14}\n", "", "µs per instance", "module", "memory");
  for (const auto& way : ways) {
    text += fmt::format("{:<10}{:>15.1f}{:>12}{:>14}\n", way.way, way.us,
                        server::approximate_size(way.module_bytes),
                        server::approximate_size(way.memory_bytes));
  }
  const double gain = ways.front().us / ways.back().us;
  text += gain >= 1 ? fmt::format("{:.1f} times less\n", gain)
                    : fmt::format("no gain: {:.1f} times as much\n", 1 / gain);
  const auto asked = engine::names_of(ways.back().asked);
  if (!asked.empty()) {
    text += fmt::format("asked for before the snapshot: {}\n", fmt::join(asked, ", "));
  }
  return text;
}

std::string json_of(const std::vector<Measured>& ways) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& way : ways) {
    json[way.way] = {{"us_per_instance", way.us},
                     {"module_bytes", way.module_bytes},
                     {"memory_bytes_min", way.memory_bytes}};
  }
  json["asked_for"] = engine::names_of(ways.back().asked);
  return json.dump(2) + "\n";
}

// A module that starts from a snapshot, and how fast it does.
struct Made {
  std::vector<std::uint8_t> wasm;
  std::vector<Measured> ways;
};

Result<Made> make_module(const Snapshot& request, const engine::Engine& engine,
                         std::span<const std::uint8_t> artifact,
                         const engine::SnapshotBuild& build) {
  const bool is_reactor = engine::is_reactor(artifact);
  const auto inputs = TRY(inputs_of(request, is_reactor));
  const auto left = build.run(inputs.build);
  if (left.ending.kind != engine::EndKind::returned) {
    return fail("{} fails: {}", build.last_call(), told(left));
  }
  Made made{TRY(build.module(left.asked)), {}};
  const char* entry = is_reactor ? engine::kReactorEntry : engine::kCommandEntry;
  made.ways.push_back(TRY(measure(engine, artifact, "plain",
                                  run_of(entry, engine::Resumption::from_start, inputs.request))));
  made.ways.push_back(
      TRY(measure(engine, made.wasm, "snapshot",
                  run_of(entry, engine::Resumption::from_snapshot, inputs.request))));
  return made;
}

Result<Made> make_component(const Snapshot& request, const engine::Engine& engine,
                            std::span<const std::uint8_t> artifact,
                            const engine::SnapshotBuild& build) {
  std::vector<std::pair<std::string, std::string>> env;
  for (const auto& text : request.env) env.push_back(TRY(parse_env(text)));
  const engine::Surroundings surroundings({.env = env});
  const engine::RequestInput input{.path_with_query = request.path, .surroundings = &surroundings};
  const auto left = engine::answer_blocking(build, engine::Task::SnapshotRun::build, input);
  if (!left.failure.empty()) return fail("{} fails: {}", build.last_call(), left.failure);
  Made made{TRY(build.module({})), {}};
  made.ways.push_back(TRY(measure(engine, artifact, "plain", run_of(input))));
  made.ways.push_back(TRY(measure(engine, made.wasm, "snapshot", run_of(input))));
  return made;
}

Result<> snapshot(const Snapshot& request) {
  const auto artifact = TRY(read_artifact(request.file));
  if (artifact.kind == ArtifactKind::compiled) {
    return fail("{}: this is compiled already; name the .wasm file", request.file);
  }
  engine::EngineOptions options;
  options.instances_max = kInstancesMax;
  const auto engine = TRY(engine::Engine::create(options));
  const std::jthread ticker([&engine](const std::stop_token& stop) { engine->run_ticker(stop); });
  const bool is_component = engine::is_component(artifact.bytes);
  const bool is_warm = request.is_warm || is_component;
  auto build = engine::SnapshotBuild::create(
      *engine, artifact.bytes, is_warm ? engine::WarmUp::one_call : engine::WarmUp::none);
  if (!build) return fail("{}: no snapshot of it: {}", request.file, build.error().message);
  auto made = is_component ? make_component(request, *engine, artifact.bytes, *build)
                           : make_module(request, *engine, artifact.bytes, *build);
  if (!made) return fail("{}: {}", request.file, made.error().message);
  if (!request.output.empty()) TRY(write_file(request.output, made->wasm));
  if (request.is_json) {
    print(json_of(made->ways));
  } else {
    print(text_of(made->ways) + advice(request, is_warm, engine::is_reactor(artifact.bytes)));
  }
  return {};
}

}  // namespace

void add_snapshot(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("snapshot", "Show what starting from a snapshot gains");
  const auto request = std::make_shared<Snapshot>();
  verb->add_option("FILE", request->file, "a .wasm or .wat file")->required();
  verb->add_option("--data", request->data, "DATA of the measured runs (default: {})")
      ->type_name("JSON")
      ->check([](const std::string& data) {
        return registry::is_json(data) ? "" : fmt::format("expected JSON, got '{}'", data);
      });
  verb->add_option("--path", request->path, "what a component is asked for (default: /)")
      ->type_name("PATH")
      ->check([](const std::string& path) {
        return http::is_origin_form(path) ? "" : "write it as a client sends it: /hello?name=n";
      });
  verb->add_option("--env", request->env, "NAME=VALUE for the guest; may be repeated")
      ->type_name("NAME=VALUE")
      ->take_all();
  verb->add_flag("--warm", request->is_warm,
                 "take it after one warm-up call (always so of components)");
  verb->add_option("-o,--output", request->output, "write the module that starts from it")
      ->type_name("FILE");
  verb->add_flag("--json", request->is_json, "print JSON");
  verb->footer(kFooter);
  verb->callback(
      [request, &action] { action = [request] { return code_of(snapshot(*request)); }; });
}

}  // namespace funcd::cli
