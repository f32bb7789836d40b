#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "engine/engine_fixture.h"
#include "engine/http_fixture.h"

namespace funcd::engine {
namespace {

using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

std::string component() {
  return shimmed(http_component(answer_with(1048, 5)));
}

// Core modules of a component, by its sections: id, size in LEB128, content.
int module_count(const Bytes& wasm) {
  constexpr std::size_t kPreambleBytes = 8;
  constexpr std::uint8_t kCoreModule = 1;
  int count = 0;
  for (std::size_t at = kPreambleBytes; at < wasm.size();) {
    if (wasm[at++] == kCoreModule) ++count;
    std::size_t size = 0;
    for (int shift = 0;; shift += 7) {
      const std::uint8_t byte = wasm.at(at++);
      size |= std::size_t{byte & 0x7FU} << shift;
      if (byte < 0x80U) break;
    }
    at += size;
  }
  return count;
}

std::string why_not(const std::string& text) {
  const auto folded = Engine::folded(wasm_of(text));
  return folded ? "it was folded" : folded.error().message;
}

std::string with(std::string text, std::string_view before, std::string_view what) {
  put(text, before, what);
  return text;
}

// That it does the same is what http_task_test asks of folded components.
TEST(Fold, AShimAndWhatFillsItGo) {
  const Bytes wasm = wasm_of(component());
  EXPECT_EQ(module_count(wasm), 3);
  const auto folded = Engine::folded(wasm);
  ASSERT_TRUE(folded) << folded.error().message;
  EXPECT_EQ(module_count(*folded), 2);
}

TEST(Fold, WhatHasBeenFoldedIsLeftAsItIs) {
  const auto folded = Engine::folded(wasm_of(component()));
  ASSERT_TRUE(folded);
  const auto again = Engine::folded(*folded);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "nothing stands between it and what it imports");
}

TEST(Fold, OtherShapesAreLeftAsTheyAre) {
  EXPECT_EQ(why_not(http_component("")), "nothing stands between it and what it imports");
  EXPECT_EQ(why_not("(component)"), "it lowers no function with a memory");
  constexpr std::string_view kFirstData = "(data (i32.const 1024)";
  EXPECT_EQ(why_not(with(component(), kFirstData, "(data \"passive\")")), "it has passive data");
  EXPECT_EQ(why_not(with(component(), kFirstData, "(start $reset)")),
            "a module of it has a start function");
  EXPECT_EQ(why_not(with(component(), kFirstData, "(memory 1)")), "it has two memories");
  EXPECT_EQ(why_not(with(component(), kFirstData, "(@custom \".debug_line\" \"\")")),
            "it has lines of source");
  EXPECT_EQ(why_not(with(component(), "(core instance $main",
                         "(core module $small (func (export \"f\")))"
                         "(core instance (instantiate $small))"
                         "(core instance (instantiate $small))")),
            "a module of it is instantiated twice");
  // The shim's table is somebody else's, too.
  EXPECT_THAT(why_not(with(component(), "(func $handle (param \"request\"",
                           "(core module $spy (import \"shim\" \"$imports\" (table 9 funcref)))"
                           "(core instance (instantiate $spy (with \"shim\" (instance $shim))))")),
              HasSubstr("its shim is used in another way"));
}

TEST(Fold, BytesThatAreNoComponentAreAnError) {
  Bytes wasm = wasm_of(component());
  for (std::size_t size = 0; size < wasm.size(); ++size) {
    (void)Engine::folded(std::span(wasm).first(size));
  }
  // One byte after the other is another: whatever comes of it, nothing is read out of bounds.
  for (std::size_t at = 8; at < wasm.size(); ++at) {
    for (const unsigned change : {0x01U, 0x80U, 0xFFU}) {
      const std::uint8_t before = wasm[at];
      wasm[at] = static_cast<std::uint8_t>(before ^ change);
      (void)Engine::folded(wasm);
      wasm[at] = before;
    }
  }
}

}  // namespace
}  // namespace funcd::engine
