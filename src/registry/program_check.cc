#include "registry/program_check.h"

#include <algorithm>
#include <string>
#include <vector>

namespace funcd::registry {
namespace {

constexpr std::size_t kExportsTold = 12;

// A component has the contract that its exports say, whatever else is asked for is an error.
Result<ContractKind> contract_of(const engine::Program& program, ContractKind wanted) {
  const bool is_for_components = wanted == ContractKind::wasi_http;
  switch (program.kind()) {
    case engine::ProgramKind::module:
      if (is_for_components) {
        return fail("is a module, and contract 'wasi-http' is for components; leave contract out");
      }
      return wanted;
    case engine::ProgramKind::http_component:
      if (wanted != ContractKind::automatic && !is_for_components) {
        return fail("is a component, and contract '{}' is for modules; leave contract out",
                    name_of(wanted));
      }
      return ContractKind::wasi_http;
    default:
      return fail("is a component, but {}", program.why_no_http());
  }
}

// What a sidecar says to a contract that has no use for it would be taken for done.
Result<> check_sections(ContractKind contract, const ProgramWanted& wanted) {
  const Manifest& manifest = wanted.manifest;
  const bool is_component = contract == ContractKind::wasi_http;
  if (is_component && (manifest.request_schema || manifest.response_schema)) {
    return fail("is a component, which gets and gives bodies as they are; remove {} from {}.toml",
                manifest.request_schema ? "[request] schema" : "[response] schema",
                wanted.function);
  }
  if (is_component && !manifest.input.empty()) {
    return fail("is a component, which gets no DATA; remove [input] from {}.toml", wanted.function);
  }
  if (contract != ContractKind::wws && manifest.kv_namespace) {
    return fail("has no store: [kv] is for contract 'wws'; name that, or remove [kv] from {}.toml",
                wanted.function);
  }
  return {};
}

// Only what the standard lets answer again may have to.
Result<> check_reuse(const engine::Program& program, const ProgramWanted& wanted) {
  if (wanted.manifest.reuse <= 1 || program.answers_again()) return {};
  return fail(
      "{}, of which each request has an instance of its own; reuse is for components that export "
      "wasi:http/handler@0.3: remove reuse from {}.toml",
      program.kind() == engine::ProgramKind::module ? "is a module"
                                                    : "is a component of wasi:http 0.2",
      wanted.function);
}

std::string exports_of(const engine::Program& program) {
  std::vector<std::string_view> names;
  for (const engine::Extern& item : program.exports()) {
    if (names.size() == kExportsTold) {
      names.emplace_back("...");
      break;
    }
    names.push_back(item.name);
  }
  return names.empty() ? "it exports nothing"
                       : fmt::format("it exports {}", fmt::join(names, ", "));
}

Result<> check_entry_point(const engine::Program& program, std::string_view name) {
  const auto& exports = program.exports();
  const auto entry = std::find_if(exports.begin(), exports.end(),
                                  [&](const engine::Extern& item) { return item.name == name; });
  if (entry == exports.end()) {
    const bool is_reactor = program.has_export("_initialize");
    return fail("has no {}; {}; build a command with a main function{}", name, exports_of(program),
                is_reactor ? ", or export a function 'handle' from this reactor" : "");
  }
  if (entry->type != "func ()") {
    return fail("its {} is no function without parameters and results, but {}", name, entry->type);
  }
  return {};
}

}  // namespace

Result<ContractKind> check_program(const engine::Engine& engine, const engine::Program& program,
                                   const ProgramWanted& wanted) {
  const Manifest& manifest = wanted.manifest;
  const ContractKind contract = TRY(contract_of(program, wanted.contract));
  if (contract == ContractKind::reactor && !wanted.is_reactor) {
    return fail("is no reactor, which exports _initialize and handle and no _start; {}",
                exports_of(program));
  }
  TRY(check_sections(contract, wanted));
  if (program.kind() == engine::ProgramKind::module) {
    TRY(check_entry_point(program,
                          wanted.is_reactor ? engine::kReactorEntry : engine::kCommandEntry));
    if (!manifest.outbound.allow.empty()) {
      return fail("is a module, which can send no requests; remove [outbound] from {}.toml",
                  wanted.function);
    }
  }
  TRY(check_reuse(program, wanted));
  const std::uint64_t limit = manifest.limits.memory_bytes;
  if (program.memory_bytes_min() > limit) {
    return fail(
        "declares {} of memory at its start, more than its limit of {}; raise "
        "limits.memory in {}.toml",
        format_size(program.memory_bytes_min()), format_size(limit), wanted.function);
  }
  const auto probed = engine.probe(program, limit);
  if (!probed) return fail("no instance of it can be made: {}", probed.error().message);
  return contract;
}

}  // namespace funcd::registry
