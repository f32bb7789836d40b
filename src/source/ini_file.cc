#include "source/ini_file.h"

#include "base/text.h"

namespace funcd::source {
namespace {

constexpr std::string_view kSpaces = " \t\r";

}  // namespace

IniFile parse_ini(std::string_view text) {
  IniFile file;
  std::string section;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view raw = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const std::string_view line = trimmed(raw, kSpaces);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (raw.front() == ' ' || raw.front() == '\t') continue;
    if (line.front() == '[') {
      section = trimmed(line.substr(1, line.find(']') - 1), kSpaces);
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string key = lower(trimmed(line.substr(0, equals), kSpaces));
    file[section][key] = trimmed(line.substr(equals + 1), kSpaces);
  }
  return file;
}

}  // namespace funcd::source
