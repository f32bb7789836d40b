#include "engine/program.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "funcd_bridge.h"

namespace funcd::engine {

Program::Program(fb_program* program, FileAccess files, EpochTicker& ticker)
    : program_(program), files_(files), ticker_(&ticker) {
  fb_program_externs(
      program_, this,
      [](void* context, const char* module, std::size_t module_size, const char* name,
         std::size_t name_size, const char* type, std::size_t type_size) {
        auto* self = static_cast<Program*>(context);
        auto& list = module_size > 0 ? self->imports_ : self->exports_;
        list.push_back({std::string(module, module_size), std::string(name, name_size),
                        std::string(type, type_size)});
      });
  std::uint64_t max = 0;
  fb_program_memory(program_, &memory_bytes_min_, &max);
  if (max != std::numeric_limits<std::uint64_t>::max()) memory_bytes_max_ = max;
}

Program::Program(Program&& other) noexcept {
  *this = std::move(other);
}

Program& Program::operator=(Program&& other) noexcept {
  std::swap(program_, other.program_);
  files_ = other.files_;
  ticker_ = other.ticker_;
  std::swap(imports_, other.imports_);
  std::swap(exports_, other.exports_);
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

}  // namespace funcd::engine
