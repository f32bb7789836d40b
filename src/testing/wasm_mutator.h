#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace funcd::testing {

using Bytes = std::vector<std::uint8_t>;

struct WasmUnit;

struct WasmSection {
  std::uint8_t id = 0;
  Bytes content;                   // unless it is
  std::unique_ptr<WasmUnit> unit;  // a module or component within a component
};

// A module or a component as its sections, whose sizes are right again when it is written.
struct WasmUnit {
  static constexpr std::size_t kPreambleBytes = 8;
  Bytes preamble;
  std::vector<WasmSection> sections;

  static std::optional<WasmUnit> read(std::span<const std::uint8_t> wasm, int depth_max = 3) {
    if (wasm.size() < kPreambleBytes) return std::nullopt;
    WasmUnit unit;
    unit.preamble.assign(wasm.begin(), wasm.begin() + kPreambleBytes);
    wasm = wasm.subspan(kPreambleBytes);
    while (!wasm.empty()) {
      WasmSection section{.id = wasm.front(), .content = {}, .unit = nullptr};
      wasm = wasm.subspan(1);
      const auto size = read_number(wasm);
      if (!size || *size > wasm.size()) return std::nullopt;
      const auto content = wasm.first(static_cast<std::size_t>(*size));
      wasm = wasm.subspan(content.size());
      std::optional<WasmUnit> within;
      if (depth_max > 0 && unit.may_nest(section.id)) within = read(content, depth_max - 1);
      if (within) {
        section.unit = std::make_unique<WasmUnit>(std::move(*within));
      } else {
        section.content.assign(content.begin(), content.end());
      }
      unit.sections.push_back(std::move(section));
    }
    return unit;
  }

  [[nodiscard]] Bytes bytes() const {
    Bytes all = preamble;
    for (const WasmSection& section : sections) {
      const Bytes content = section.unit ? section.unit->bytes() : section.content;
      all.push_back(section.id);
      append_number(all, content.size());
      all.insert(all.end(), content.begin(), content.end());
    }
    return all;
  }

  // Itself, and all that is within.
  void collect(std::vector<WasmUnit*>& units) {
    units.push_back(this);
    for (WasmSection& section : sections) {
      if (section.unit) section.unit->collect(units);
    }
  }

  // LEB128.
  static std::optional<std::uint64_t> read_number(std::span<const std::uint8_t>& from) {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 35 && !from.empty(); shift += 7) {
      const std::uint8_t byte = from.front();
      from = from.subspan(1);
      number |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) return number;
    }
    return std::nullopt;
  }
  static void append_number(Bytes& to, std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) to.push_back(static_cast<std::uint8_t>(number | 0x80U));
    to.push_back(static_cast<std::uint8_t>(number));
  }

 private:
  [[nodiscard]] bool may_nest(std::uint8_t id) const {
    constexpr std::size_t kLayer = 6;
    return preamble[kLayer] == 1 && (id == 1 || id == 4);
  }
};

// Changes an artifact so that most of it can still be read: whole sections, and bytes within one.
class WasmMutator {
 public:
  explicit WasmMutator(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] Bytes change(std::span<const std::uint8_t> wasm) {
    auto root = WasmUnit::read(wasm);
    if (!root) {
      Bytes bytes(wasm.begin(), wasm.end());
      change_bytes(bytes);
      return bytes;
    }
    std::vector<WasmUnit*> units;
    for (std::size_t changes = 1 + below(kChangesMax); changes > 0; --changes) {
      units.clear();
      root->collect(units);
      change_unit(*units[below(units.size())], units);
    }
    return root->bytes();
  }

 private:
  static constexpr std::size_t kChangesMax = 3;

  [[nodiscard]] std::size_t below(std::size_t end) { return random_() % end; }

  void change_unit(WasmUnit& unit, const std::vector<WasmUnit*>& units) {
    std::vector<WasmSection>& sections = unit.sections;
    if (sections.empty()) return;
    const std::size_t at = below(sections.size());
    const auto place = sections.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(10)) {
      case 0:
        sections.erase(place);
        return;
      case 1:
        std::swap(sections[at], sections[below(sections.size())]);
        return;
      case 2: {  // one of another unit, or of this one once more
        const auto& others = units[below(units.size())]->sections;
        if (others.empty()) return;
        const WasmSection& other = others[below(others.size())];
        if (!other.unit) {
          sections.insert(place, {.id = other.id, .content = Bytes(other.content), .unit = {}});
        }
        return;
      }
      default:
        if (!sections[at].unit) change_bytes(sections[at].content);
    }
  }

  void change_bytes(Bytes& bytes) {
    // Zero, one, and the ends of numbers of one byte, signed or not; many of the highest are a
    // number without an end.
    constexpr std::array<std::uint8_t, 8> kTelling = {0, 1, 2, 0x3f, 0x40, 0x7f, 0x80, 0xff};
    const std::size_t at = below(bytes.size() + 1);
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(8)) {
      case 0:
        bytes.insert(place, static_cast<std::uint8_t>(random_()));
        return;
      case 1:
        if (place != bytes.end()) bytes.erase(place);
        return;
      case 2: {  // a count or an index as large as can be written
        constexpr std::array<std::uint8_t, 5> kMost = {0xff, 0xff, 0xff, 0xff, 0x0f};
        if (place != bytes.end()) bytes.erase(place);
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), kMost.begin(), kMost.end());
        return;
      }
      case 3:
        if (place != bytes.end()) *place = static_cast<std::uint8_t>(random_());
        return;
      case 4:
      case 5:
        if (place != bytes.end()) *place = kTelling[below(kTelling.size())];
        return;
      default:
        if (place != bytes.end()) below(2) == 0 ? ++*place : --*place;
    }
  }

  std::mt19937_64 random_;
};

}  // namespace funcd::testing
