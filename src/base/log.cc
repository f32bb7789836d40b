#include "base/log.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <mutex>

#include "base/time_text.h"
#include "base/utf8.h"

namespace funcd::log {
namespace {

struct Settings {
  std::atomic<Level> level{Level::info};
  std::atomic<Format> format{Format::text};
  std::atomic<Colours> colours{Colours::no};
};
Settings settings;
std::mutex write_mutex;

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> kLevelColours = {"\x1b[2m", "\x1b[32m", "\x1b[33m",
                                                           "\x1b[31m"};
constexpr std::string_view kNoColour = "\x1b[0m";

// U+0080 to U+009F: terminals take some of them for escape sequences.
bool is_c1_control(std::string_view sequence) {
  return sequence.size() == 2 && sequence[0] == '\xC2' &&
         static_cast<unsigned char>(sequence[1]) < 0xA0;
}

void append_escaped(std::string& line, std::string_view sequence, Format format) {
  switch (sequence[0]) {
    case '"':
      line += "\\\"";
      return;
    case '\\':
      line += "\\\\";
      return;
    case '\n':
      line += "\\n";
      return;
    case '\r':
      line += "\\r";
      return;
    case '\t':
      line += "\\t";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(sequence.back());  // the code of a C1 control too
  line += format == Format::json ? fmt::format("\\u{:04x}", byte) : fmt::format("\\x{:02x}", byte);
}

void append_content(std::string& line, std::string_view text, Format format) {
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const std::string_view sequence = text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
    if (size == 0) {
      // JSON has no bytes that are not UTF-8; U+FFFD stands for them.
      const auto byte = static_cast<unsigned char>(text.data()[-1]);
      if (format == Format::json)
        line += "\\ufffd";
      else
        fmt::format_to(std::back_inserter(line), "\\x{:02x}", byte);
      continue;
    }
    const auto lead = static_cast<unsigned char>(sequence[0]);
    if (lead < 0x20 || lead == 0x7F || lead == '"' || lead == '\\' || is_c1_control(sequence)) {
      append_escaped(line, sequence, format);
    } else {
      line += sequence;
    }
  }
}

void append_quoted(std::string& line, std::string_view text, Format format) {
  line += '"';
  append_content(line, text, format);
  line += '"';
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || c == '"' || c == '\\' || c == '=') return true;
  }
  return false;
}

// True when the descriptor takes bytes again within kStallMax.
bool wait_writable() {
  pollfd entry{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&entry, 1, static_cast<int>(kStallMax.count())) > 0;
}

void write_line(std::string_view line) {
  const std::lock_guard lock(write_mutex);
  while (!line.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, line.data(), line.size());
    if (count >= 0) {
      line.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR && (errno != EAGAIN || !wait_writable())) {
      return;  // nobody is left to be told
    }
  }
}

}  // namespace

Colours colours_of(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const bool is_unwanted = no_color != nullptr && *no_color != '\0';
  return ::isatty(descriptor) == 1 && !is_unwanted ? Colours::yes : Colours::no;
}

void configure(Level level, Format format) {
  settings.level = level;
  settings.format = format;
  settings.colours = format == Format::text ? colours_of(STDERR_FILENO) : Colours::no;
}

bool is_enabled(Level level) {
  return level >= settings.level.load(std::memory_order_relaxed);
}

std::string format_line(Format format, Colours colours, std::chrono::system_clock::time_point time,
                        Level level, std::string_view event, std::span<const Field> fields) {
  const auto index = static_cast<std::size_t>(level);
  std::string line;
  line.reserve(160);
  if (format == Format::json) {
    line += "{\"time\":\"";
    line += format_time_ms(time);
    fmt::format_to(std::back_inserter(line), "\",\"level\":\"{}\",\"event\":", kLevelNames[index]);
    append_quoted(line, event, format);
    for (const Field& field : fields) {
      line += ',';
      append_quoted(line, field.key, format);
      line += ':';
      append_quoted(line, field.value, format);
    }
    line += "}\n";
    return line;
  }
  line += format_time_ms(time);
  line += ' ';
  if (colours == Colours::yes) line += kLevelColours[index];
  line += kLevelNames[index];
  if (colours == Colours::yes) line += kNoColour;
  line += ' ';
  append_content(line, event, format);
  for (const Field& field : fields) {
    line += ' ';
    append_content(line, field.key, format);
    line += '=';
    if (needs_quotes(field.value))
      append_quoted(line, field.value, format);
    else
      line += field.value;
  }
  line += '\n';
  return line;
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (!is_enabled(level)) return;
  write_line(format_line(settings.format, settings.colours, std::chrono::system_clock::now(), level,
                         event, {fields.begin(), fields.size()}));
}

}  // namespace funcd::log
