#include "registry/snapshot_maker.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/utf8.h"
#include "engine/snapshot_request.h"
#include "registry/json_document.h"
#include "registry/output_pieces.h"

namespace funcd::registry {
namespace {

using engine::EndKind;
using engine::RequestInput;
using engine::RequestOutput;
using engine::RunInput;
using engine::RunOutput;
using SnapshotRun = engine::Task::SnapshotRun;

// A reason that nobody asks for any more.
constexpr std::string_view kStopped = "it was stopped";
// Of what a run says on stderr, in a reason.
constexpr std::size_t kLineBytesMax = 200;
// Of a program that prints something else each time: how many plain runs are looked at, how long
// that may take, and of how large an output.
constexpr std::size_t kPlainRunsMax = 8;
constexpr std::chrono::seconds kInPiecesTime{2};
constexpr std::size_t kInPiecesBytesMax = 1 << 20;

// The defaults of [input], as a request without parameters has them.
std::string default_data(const Manifest& manifest) {
  std::string data = "{";
  for (const auto& [key, json] : manifest.input) {
    if (data.size() > 1) data += ',';
    append_json_string(data, key);
    data += ':';
    data += json;
  }
  return data += '}';
}

// Of another request than the warm-up: the defaults changed, as their types allow.
std::string changed_data(const Manifest& manifest) {
  auto data = nlohmann::ordered_json::object();
  for (const auto& [key, json] : manifest.input) {
    auto& value = data[key] = nlohmann::ordered_json::parse(json, nullptr, false);
    if (value.is_string()) {
      value = value.get<std::string>() + " too";
    } else if (value.is_boolean()) {
      value = !value.get<bool>();
    } else if (value.is_number_integer()) {
      const auto number = value.get<std::int64_t>();
      value = number == std::numeric_limits<std::int64_t>::max() ? 0 : number + 1;
    } else if (value.is_number()) {
      value = value.get<double>() + 1;
    }
  }
  return data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// Of a request that is nothing like it, and what else comes with that.
constexpr std::string_view kOtherData = R"({"funcd":"another request than the warm-up"})";
constexpr std::string_view kOtherBody = "the body of another request\n";
constexpr std::string_view kOtherArgument = "another";

// What every run is given: the environment of the sidecar.
RunInput common_input(const SnapshotMaker::Order& order) {
  RunInput input;
  input.input.args.add(order.function);
  for (const auto& [key, value] : order.manifest.env) input.input.env.add(key, value);
  input.memory_bytes_max = order.manifest.limits.memory_bytes;
  input.output_bytes_max = order.manifest.limits.response_body_bytes;
  return input;
}

// A run for a request with that DATA, which outlives it.
RunInput request_of(const SnapshotMaker::Order& order, std::string_view data) {
  RunInput input = common_input(order);
  if (order.is_reactor) {
    input.stdin_bytes = data;
  } else {
    input.input.env.add("DATA", data);
  }
  return input;
}

// The same for a request that is none like the warm-up.
RunInput other_request_of(const SnapshotMaker::Order& order, std::string_view data) {
  RunInput input = request_of(order, data);
  if (order.is_reactor) return input;
  input.stdin_bytes = kOtherBody;
  input.input.args.add(kOtherArgument);
  return input;
}

// How it ended, and what it said of that.
std::string told(const RunOutput& run) {
  if (!run.ending.message.empty()) return run.ending.message;
  std::string text = fmt::format("it exits with code {}", run.ending.exit_code);
  const std::string_view line =
      std::string_view(run.err).substr(0, std::min(run.err.find('\n'), kLineBytesMax));
  if (!line.empty()) text += ": " + printable(line);
  return text;
}

bool end_alike(const RunOutput& one, const RunOutput& other) {
  return one.ending.kind == other.ending.kind && one.ending.exit_code == other.ending.exit_code;
}

// Why a run from the snapshot is not what a plain run is; empty when it is.
std::string difference(const engine::SnapshotBuild& build, const engine::Program& program,
                       const char* entry, const RunInput& request) {
  const auto resume = [&] {
    return engine::run_blocking(program, entry, engine::Resumption::from_snapshot, request);
  };
  const RunOutput plain = build.run_plain(request);
  const RunOutput resumed = resume();
  if (!end_alike(plain, resumed)) {
    const bool is_well = resumed.has_ended_well() && resumed.ending.exit_code == 0;
    return fmt::format("a run from it ends otherwise than a plain one: {}",
                       is_well ? "well" : told(resumed));
  }
  if (plain.out == resumed.out) return {};
  std::vector<std::string> plainly = {plain.out, build.run_plain(request).out};
  if (plainly.front() == plainly.back()) {
    return "a run from it prints something else than a plain one";
  }
  if (plain.out.size() > kInPiecesBytesMax) return {};
  const std::vector<std::string> from_it = {resumed.out, resume().out};
  const TimePoint until = Clock::now() + kInPiecesTime;
  do {
    plainly.push_back(build.run_plain(request).out);
  } while (plainly.size() < kPlainRunsMax && Clock::now() < until);
  return difference_in_pieces(plainly, from_it);
}

// What a component is asked before its snapshot, and by the runs that are compared.
std::string_view warm_up_path(const Manifest& manifest) {
  return manifest.smoke ? std::string_view(manifest.smoke->path) : "/";
}

// It sees the environment of the sidecar, and may send requests to nobody.
engine::Surroundings surroundings_of(const Manifest& manifest) {
  return engine::Surroundings({.env = manifest.env});
}

RequestInput request_of(const Manifest& manifest, const engine::Surroundings& surroundings) {
  return {.path_with_query = warm_up_path(manifest),
          .surroundings = &surroundings,
          .memory_bytes_max = manifest.limits.memory_bytes,
          .body_bytes_max = manifest.limits.response_body_bytes};
}

// As difference() of modules: a component that never answers the same twice only has to answer with
// the same status.
std::string difference(const engine::SnapshotBuild& build, const engine::Program& program,
                       const RequestInput& request) {
  const RequestOutput plain = engine::answer_blocking(build, SnapshotRun::plain, request);
  const RequestOutput resumed = engine::answer_blocking(program, request);
  if (plain == resumed) return {};
  if (plain.failure != resumed.failure) {
    return fmt::format("a run from it ends otherwise than a plain one: {}",
                       resumed.failure.empty() ? "well" : resumed.failure);
  }
  const bool answers_the_same =
      plain == engine::answer_blocking(build, SnapshotRun::plain, request);
  if (!answers_the_same && plain.head.status == resumed.head.status) return {};
  return fmt::format("a run from it answers GET {} otherwise than a plain one",
                     request.path_with_query);
}

}  // namespace

std::string SnapshotMaker::digest_of(const Order& order) {
  const RunInput input = common_input(order);
  return sha256_hex(
      fmt::format("snapshot {}\n{}\n{}\n{}\n{}\n{}\n{}", engine::snapshot_recipe(), order.digest,
                  order.manifest.snapshot.is_warm, sha256_hex(input.input.args.bytes()),
                  sha256_hex(input.input.env.bytes()), sha256_hex(default_data(order.manifest)),
                  warm_up_path(order.manifest)));
}

Result<SnapshotMaker::Made> SnapshotMaker::make(const Order& order) {
  const engine::Engine& engine = loader_.engine();
  const auto warm_up =
      order.manifest.snapshot.is_warm ? engine::WarmUp::one_call : engine::WarmUp::none;
  const auto compile_scratch = [this, &order](std::span<const std::uint8_t> wasm) {
    return compile(wasm, engine::Tier::scratch, order.stop);
  };
  const auto build =
      engine::SnapshotBuild::create(engine, order.artifact, warm_up, compile_scratch);
  if (!build) return Made{nullptr, build.error().message};
  if (engine::is_component(order.artifact)) return make_component(order, *build);

  // A command that is not warmed up has no request yet.
  const bool is_warm = order.manifest.snapshot.is_warm;
  const std::string data = default_data(order.manifest);
  const RunOutput left =
      build->run(order.is_reactor || is_warm ? request_of(order, data) : common_input(order));
  if (left.ending.kind != EndKind::returned) {
    const std::string call = build->last_call();
    std::string why = fmt::format("its {} fails before the snapshot: {}", call, told(left));
    const bool is_well = left.ending.kind == EndKind::exited && left.ending.exit_code == 0;
    if (is_well) why += ", and has to return instead of exiting";
    if (order.is_reactor && call == "_initialize") return fail("{}", why);
    return Made{nullptr, std::move(why)};
  }
  const auto code = code_of(order, *build, left.asked);
  if (!code) return Made{nullptr, code.error().message};
  const auto program = TRY(engine.load(*code, engine::FileAccess::none));

  const auto difference_for = [&](RunInput request) -> std::string {
    if (order.stop.stop_requested()) return std::string(kStopped);
    request.timeout = std::min(order.manifest.limits.timeout, request.timeout);
    const char* entry = order.is_reactor ? engine::kReactorEntry : engine::kCommandEntry;
    return difference(*build, program, entry, request);
  };
  std::string why = difference_for(request_of(order, data));
  if (is_warm) {
    const std::string changed = changed_data(order.manifest);
    for (const std::string_view other : {std::string_view(changed), kOtherData}) {
      if (!why.empty()) break;
      why = difference_for(other_request_of(order, other));
      if (!why.empty()) why += ", for another request than its warm-up";
    }
  }
  if (!why.empty()) return Made{nullptr, std::move(why)};
  return keep(order, *code);
}

Result<SnapshotMaker::Made> SnapshotMaker::make_component(const Order& order,
                                                          const engine::SnapshotBuild& build) {
  const engine::Surroundings surroundings = surroundings_of(order.manifest);
  RequestInput request = request_of(order.manifest, surroundings);
  const RequestOutput left = engine::answer_blocking(build, SnapshotRun::build, request);
  if (!left.failure.empty()) {
    return Made{nullptr, fmt::format("its {} (GET {}) fails: {}", build.last_call(),
                                     request.path_with_query, left.failure)};
  }
  const auto code = code_of(order, build, {});
  if (!code) return Made{nullptr, code.error().message};
  const auto program = TRY(loader_.engine().load(*code, engine::FileAccess::none));
  if (order.stop.stop_requested()) return Made{nullptr, std::string(kStopped)};
  request.timeout = std::min(order.manifest.limits.timeout, request.timeout);
  if (auto why = difference(build, program, request); !why.empty()) {
    return Made{nullptr, std::move(why)};
  }
  return keep(order, *code);
}

// The code of what starts from what the build has left.
Result<std::vector<std::uint8_t>> SnapshotMaker::code_of(const Order& order,
                                                         const engine::SnapshotBuild& build,
                                                         const engine::Asked& asked) {
  const auto wasm = TRY(build.module(asked));
  return compile(wasm, engine::Tier::optimized, order.stop);
}

Result<std::vector<std::uint8_t>> SnapshotMaker::compile(std::span<const std::uint8_t> wasm,
                                                         engine::Tier tier,
                                                         const std::stop_token& stop) const {
  if (!compile_elsewhere_) return loader_.engine().compile(wasm, tier);
  return compile_elsewhere_(wasm, tier, stop);
}

Result<SnapshotMaker::Made> SnapshotMaker::keep(const Order& order,
                                                std::span<const std::uint8_t> code) {
  const CodeName name{.digest = digest_of(order), .files = engine::FileAccess::none};
  return Made{TRY(loader_.take_code(code, name, engine::Tier::optimized)), {}};
}

}  // namespace funcd::registry
