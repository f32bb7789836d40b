#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace funcd::log {

enum class Level : std::uint8_t { debug, info, warn, error };
enum class Format : std::uint8_t { text, json };

// One fact of an event. Numbers are formatted by the caller with fmt::to_string.
struct Field {
  std::string_view key;
  std::string_view value;
};

enum class Colours : std::uint8_t { no, yes };
// Whether a descriptor is a terminal whose user wants colours (no-color.org).
[[nodiscard]] Colours colours_of(int descriptor);

// Where events go is stderr; called once, before threads start.
void configure(Level level, Format format);
[[nodiscard]] bool is_enabled(Level level);

// One line: time, level, event, fields: `2026-01-02T03:04:05.678Z info published function=hello`.
// Values with spaces are quoted; control characters are escaped, so that nothing a guest prints can
// forge a line. Thread-safe; a line is written whole. A reader of stderr that does not keep up
// holds its writers back; where stderr is non-blocking, the line is dropped after kStallMax.
void write(Level level, std::string_view event, std::initializer_list<Field> fields);
inline constexpr std::chrono::milliseconds kStallMax{100};

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::debug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::info, event, fields);
}
inline void warn(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::warn, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::error, event, fields);
}

// The line that write() writes, with its newline. JSON: {"time":...,"level":...,"event":...,
// fields as strings}.
[[nodiscard]] std::string format_line(Format format, Colours colours,
                                      std::chrono::system_clock::time_point time, Level level,
                                      std::string_view event, std::span<const Field> fields);

}  // namespace funcd::log
