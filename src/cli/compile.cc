#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/file.h"
#include "cli/artifact.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "server/units.h"

namespace funcd::cli {
namespace {

constexpr const char* kFooter =
    "The output runs on this version of funcd and this kind of processor only. It is native code:\n"
    "run only what you have compiled yourself.\n"
    "\n"
    "Examples:\n"
    "  funcd compile hello.wasm                  writes hello.cwasm\n"
    "  funcd compile hello.wasm -o /tmp/h.cwasm && funcd run /tmp/h.cwasm";

struct Compile {
  std::string file;
  std::string output;
};

Result<> compile(const Compile& request) {
  const auto artifact = TRY(read_artifact(request.file));
  if (artifact.kind == ArtifactKind::compiled) {
    return fail("{}: this is compiled already", request.file);
  }
  const auto output = request.output.empty()
                          ? std::filesystem::path(request.file).replace_extension(".cwasm").string()
                          : request.output;
  std::error_code ignored;
  if (std::filesystem::equivalent(request.file, output, ignored)) {
    return fail("{}: would be overwritten by its compiled code; name another file with -o", output);
  }
  engine::EngineOptions options;
  options.instances_max = 1;
  const auto engine = TRY(engine::Engine::create(options));
  const auto started_at = Clock::now();
  const auto code = engine->compile(artifact.bytes);
  if (!code) return fail("{}: {}", request.file, code.error().message);
  const auto elapsed = Clock::now() - started_at;
  TRY(write_file(output, *code));
  print(fmt::format("{}: {} from {} in {} ms\n", output, server::approximate_size(code->size()),
                    server::approximate_size(artifact.bytes.size()),
                    std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count()));
  return {};
}

}  // namespace

void add_compile(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("compile", "Compile a module to native code");
  const auto request = std::make_shared<Compile>();
  verb->add_option("FILE", request->file, "a .wasm or .wat file")->required();
  verb->add_option("-o,--output", request->output, "where to (default: FILE with .cwasm)")
      ->type_name("FILE");
  verb->footer(kFooter);
  verb->callback([request, &action] { action = [request] { return code_of(compile(*request)); }; });
}

}  // namespace funcd::cli
