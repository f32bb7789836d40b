#pragma once

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "base/check.h"

namespace funcd::engine {

// Cuts the expression that begins with `opening` out of a text, and returns it.
inline std::string cut(std::string& text, std::string_view opening) {
  const std::size_t begin = text.find(opening);
  CHECK(begin != text.npos, "no {}", opening);
  std::size_t end = begin;
  int depth = 0;
  do {
    depth += text[end] == '(' ? 1 : text[end] == ')' ? -1 : 0;
    ++end;
  } while (depth > 0);
  std::string taken = text.substr(begin, end - begin);
  text.erase(begin, end - begin);
  return taken;
}

inline void put(std::string& text, std::string_view before, std::string_view what) {
  const std::size_t at = text.find(before);
  CHECK(at != text.npos, "no {}", before);
  text.insert(at, what);
}

// What http_component() makes, linked as toolchains link it: memory and allocator are the program's
// own, so what it imports and needs them for comes through a shim, whose table is filled at last.
inline std::string shimmed(std::string text) {
  struct Import {
    std::string_view name;
    std::string_view parameters;
    int count;
  };
  static constexpr std::array<Import, 9> kImports = {
      {{"append", "i32 i32 i32 i32 i32 i32", 6},
       {"consume", "i32 i32", 2},
       {"stream", "i32 i32", 2},
       {"body", "i32 i32", 2},
       {"write", "i32 i32", 2},
       {"finish", "i32 i32 i32 i32", 4},
       {"set", "i32 i32 i32 i32 i64 i32 i32 i32 i32", 9},
       {"say", "i32 i32 i32 i32", 4},
       {"hear", "i32 i64 i32", 3}}};
  cut(text, "(core module $libc");
  cut(text, "(core instance $libc");
  cut(text, "(alias core export $libc \"memory\"");
  cut(text, "(alias core export $libc \"realloc\"");
  cut(text, "(import \"libc\" \"memory\"");
  cut(text, "(import \"libc\" \"reset\"");
  cut(text, "(with \"libc\"");
  put(text, "(data (i32.const 1024)", R"((memory (export "memory") 8)
    (global $next (mut i32) (i32.const 4096))
    (func $reset (global.set $next (i32.const 4096)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    )");
  std::string shim = "(core module $shim (table (export \"$imports\") 9 9 funcref)";
  std::string filler = "(core module $filler (import \"\" \"$imports\" (table 9 9 funcref))";
  std::string given = "(export \"$imports\" (table $shim \"$imports\"))";
  std::string lowered;
  std::string slots;
  for (std::size_t i = 0; i < kImports.size(); ++i) {
    const auto& [name, parameters, count] = kImports[i];
    shim += fmt::format("(func (export \"{}\") (param {})", i, parameters);
    for (int parameter = 0; parameter < count; ++parameter) {
      shim += fmt::format("(local.get {})", parameter);
    }
    // Not in their order, so that a slot is not taken for a number of a function.
    const std::size_t slot = kImports.size() - 1 - i;
    shim += fmt::format("(i32.const {}) (call_indirect (param {})))", slot, parameters);
    filler += fmt::format("(import \"\" \"{}\" (func $f{} (param {})))", i, i, parameters);
    slots.insert(0, fmt::format(" $f{}", i));
    lowered += cut(text, fmt::format("(core func $l_{} ", name));
    given += fmt::format("(export \"{}\" (func $l_{}))", i, name);
    cut(text, fmt::format("(export \"{}\" (func $l_{}))", name, name));
    put(text, "(export \"block\" (func $l_block))",
        fmt::format("(export \"{}\" (func $shim \"{}\"))", name, i));
  }
  put(text, "(core instance $main", shim + ") (core instance $shim (instantiate $shim))");
  put(text, "(func $handle (param \"request\"",
      "(alias core export $main \"memory\" (core memory $memory))"
      "(alias core export $main \"realloc\" (core func $realloc))" +
          lowered + filler + fmt::format("(elem (i32.const 0) func{}))", slots) +
          "(core instance (instantiate $filler (with \"\" (instance " + given + "))))");
  return text;
}

}  // namespace funcd::engine
