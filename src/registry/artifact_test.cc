#include "registry/artifact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

namespace funcd::registry {
namespace {

using ::testing::HasSubstr;

std::string told(std::string_view bytes) {
  const auto result =
      check_artifact({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  return result ? "module" : result.error().message;
}

TEST(Artifact, AModuleIsKnownByItsMagic) {
  EXPECT_EQ(told(std::string_view("\0asm\1\0\0\0", 8)), "module");
  EXPECT_EQ(told(std::string_view("\0asm\1\0\0\0\1\2", 10)), "module");
}

TEST(Artifact, AComponentIsKnownByItsVersionAndLayer) {
  EXPECT_EQ(told(std::string_view("\0asm\x0d\0\1\0", 8)), "module");
  EXPECT_EQ(told(std::string_view("\0asm\x0c\0\1\0", 8)),
            "is WebAssembly of a version that is not known: 0c 00 01 00");
}

TEST(Artifact, WhatElseItIsIsSaid) {
  EXPECT_EQ(told("\x7f"
                 "ELF\2"),
            "not a WebAssembly module: begins with 7f 45 4c 46 (an ELF file: native code, or "
            "compiled already); build it with --target wasm32-wasip1");
  EXPECT_THAT(told("(module)"), HasSubstr("(WebAssembly text); convert it with wat2wasm"));
  EXPECT_THAT(told("#!/bin/sh"), HasSubstr("(a script)"));
  EXPECT_THAT(told("\x1f\x8b\x08"), HasSubstr("(gzip); unpack it"));
  EXPECT_EQ(told("hi"),
            "not a WebAssembly module: begins with 68 69, not 00 61 73 6d; build it "
            "with --target wasm32-wasip1");
}

TEST(Artifact, APartIsNoModule) {
  EXPECT_THAT(told(""), HasSubstr("is empty"));
  EXPECT_EQ(told(std::string_view("\0asm\1", 5)), "is cut off after 5 bytes; copy it again");
  EXPECT_EQ(told(std::string_view("\0asm\2\0\0\0", 8)),
            "is WebAssembly of a version that is not known: 02 00 00 00");
}

}  // namespace
}  // namespace funcd::registry
