#include "engine/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "funcd_bridge.h"

namespace funcd::engine {

std::string_view name_of(Tier tier) {
  switch (tier) {
    case Tier::baseline:
      return "baseline";
    case Tier::optimized:
      return "optimized";
    case Tier::scratch:
      return "scratch";
  }
  return "";
}

namespace {

// Of a module: a component may ask for it through any of its interfaces.
bool is_for_environment(const Extern& import) {
  return import.name.starts_with("args_") || import.name.starts_with("environ_");
}

}  // namespace

Program::Program(fb_program* program, FileAccess files, Tier tier, EpochTicker& ticker,
                 std::shared_ptr<const void> place)
    : program_(program), files_(files), tier_(tier), ticker_(&ticker), place_(std::move(place)) {
  fb_program_externs(
      program_, this,
      [](void* context, const char* module, std::size_t module_size, const char* name,
         std::size_t name_size, const char* type, std::size_t type_size) {
        auto* self = static_cast<Program*>(context);
        if (module_size == 0 && self->is_mark({name, name_size})) return;
        auto& list = module_size > 0 ? self->imports_ : self->exports_;
        list.push_back({std::string(module, module_size), std::string(name, name_size),
                        std::string(type, type_size)});
      });
  switch (fb_program_kind(program_)) {
    case FB_HTTP_COMPONENT:
      kind_ = ProgramKind::http_component;
      break;
    case FB_COMMAND_COMPONENT:
      kind_ = ProgramKind::command_component;
      break;
    case FB_OTHER_COMPONENT:
      kind_ = ProgramKind::other_component;
      break;
    default:
      break;
  }
  asks_for_environment_ = kind_ != ProgramKind::module ||
                          std::any_of(imports_.begin(), imports_.end(), is_for_environment);
  std::uint64_t max = 0;
  fb_program_memory(program_, &memory_bytes_min_, &max);
  if (max != std::numeric_limits<std::uint64_t>::max()) memory_bytes_max_ = max;
}

// Exports by which a snapshot tells of the run that left it.
bool Program::is_mark(std::string_view name) {
  constexpr std::string_view kPrefix = "funcd:asked";
  if (!name.starts_with(kPrefix)) return false;
  // A module's names, or a component's, which are spelled like those of interfaces.
  name.remove_prefix(kPrefix.size());
  if (name == ":clock" || name == "/clock") return asked_before_.clock = true;
  if (name == ":random" || name == "/random") return asked_before_.random = true;
  if (name == ":environment" || name == "/environment") return asked_before_.environment = true;
  return false;
}

Program::Program(Program&& other) noexcept {
  *this = std::move(other);
}

Program& Program::operator=(Program&& other) noexcept {
  std::swap(program_, other.program_);
  files_ = other.files_;
  tier_ = other.tier_;
  ticker_ = other.ticker_;
  kind_ = other.kind_;
  std::swap(place_, other.place_);
  std::swap(imports_, other.imports_);
  std::swap(exports_, other.exports_);
  asks_for_environment_ = other.asks_for_environment_;
  asked_before_ = other.asked_before_;
  memory_bytes_min_ = other.memory_bytes_min_;
  memory_bytes_max_ = other.memory_bytes_max_;
  return *this;
}

Program::~Program() {
  if (program_ != nullptr) fb_program_delete(program_);
}

bool Program::has_export(std::string_view name) const {
  return std::any_of(exports_.begin(), exports_.end(),
                     [&](const Extern& item) { return item.name == name; });
}

bool Program::answers_again() const {
  return kind_ == ProgramKind::http_component &&
         std::any_of(exports_.begin(), exports_.end(), [](const Extern& item) {
           return item.name.starts_with("wasi:http/handler@0.3.");
         });
}

bool Program::is_renewable() const {
  return fb_program_is_renewable(program_);
}

std::string Program::why_no_http() const {
  for (const Extern& item : exports_) {
    if (!item.name.starts_with("wasi:http/")) continue;
    return fmt::format(
        "it exports {}; served are wasi:http/incoming-handler@0.2 and wasi:http/handler@0.3: build "
        "it with tools that target one of these",
        item.name);
  }
  if (kind_ == ProgramKind::command_component) {
    return "it is a command (it exports wasi:cli/run) and answers no requests; 'funcd run' runs "
           "it, "
           "and one that exports wasi:http/incoming-handler is served";
  }
  return "it exports neither wasi:http/incoming-handler@0.2 nor wasi:http/handler@0.3, so it "
         "answers no requests";
}

}  // namespace funcd::engine
