// A module's data is in its memory when its code first looks, however it comes there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "engine/engine_fixture.h"
#include "engine/task.h"

namespace funcd::engine {
namespace {

class SmallData : public ::testing::Test {
 protected:
  // Its fields stand behind an import of proc_exit.
  Program program_of(std::string_view fields) {
    return engine::program_of(
        *engine_,
        fmt::format(
            R"((module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) {}))",
            fields));
  }
  // What it exits with.
  int exit_code_of(std::string_view fields, const char* entry = kCommandEntry) {
    const Ending ending = end_of(program_of(fields), {}, {.entry = entry});
    EXPECT_EQ(ending.kind, EndKind::exited) << ending.message;
    return ending.exit_code;
  }

  std::unique_ptr<Engine> engine_ = new_engine({.instances_max = 4});
};

TEST_F(SmallData, IsThereWhenACommandStarts) {
  EXPECT_EQ(exit_code_of(R"((memory (export "memory") 1)
    (data (i32.const 8) "\07") (data (i32.const 65535) "\05")
    (func (export "_start")
      (call $exit (i32.add (i32.load (i32.const 8)) (i32.load8_u (i32.const 65535))))))"),
            12);
}

TEST_F(SmallData, LaterSegmentsGoOverEarlierOnes) {
  EXPECT_EQ(exit_code_of(R"((memory (export "memory") 1)
    (data (i32.const 0) "\01\02\03") (data (i32.const 1) "\09")
    (func (export "_start") (call $exit (i32.load (i32.const 0)))))"),
            0x030901);
}

TEST_F(SmallData, IsThereWhenAStartFunctionLooks) {
  EXPECT_EQ(exit_code_of(R"((memory (export "memory") 1) (global $seen (mut i32) (i32.const 0))
    (data (i32.const 0) "\06")
    (func $first (global.set $seen (i32.load (i32.const 0)))) (start $first)
    (func (export "_start") (call $exit (global.get $seen))))"),
            6);
}

TEST_F(SmallData, IsThereWhateverIsCalledFirst) {
  EXPECT_EQ(exit_code_of(R"((memory (export "memory") 1) (data (i32.const 0) "\06")
    (func (export "_start")) (func (export "handle") (call $exit (i32.load (i32.const 0)))))",
                         kReactorEntry),
            6);
}

TEST_F(SmallData, IsWrittenOnceHoweverOftenStartIsCalled) {
  EXPECT_EQ(exit_code_of(R"((memory (export "memory") 1) (data (i32.const 0) "\01")
    (func $start (export "_start") (local $count i32)
      (local.set $count (i32.load (i32.const 0)))
      (if (i32.eq (local.get $count) (i32.const 3)) (then (call $exit (local.get $count))))
      (i32.store (i32.const 0) (i32.add (local.get $count) (i32.const 1)))
      (call $start)))"),
            3);
}

TEST_F(SmallData, SegmentsOfTheCodesOwnStayAsTheyAre) {
  EXPECT_EQ(exit_code_of(R"((memory (export "memory") 1)
    (data (i32.const 0) "\01") (data $own "\04\05")
    (func (export "_start")
      (memory.init $own (i32.const 1) (i32.const 0) (i32.const 2))
      (call $exit (i32.load (i32.const 0)))))"),
            0x050401);
  const Program program =
      program_of(R"((memory (export "memory") 1) (data $gone (i32.const 0) "\01")
    (func (export "_start") (memory.init $gone (i32.const 1) (i32.const 0) (i32.const 1))))");
  EXPECT_EQ(end_of(program).kind, EndKind::trapped);
}

TEST_F(SmallData, WhatDoesNotFitIsSeenWithoutARun) {
  const Program program = program_of(R"((memory (export "memory") 1)
    (data (i32.const 65535) "ab") (func (export "_start")))");
  EXPECT_FALSE(engine_->probe(program, 1 << 20).has_value());
}

TEST_F(SmallData, ATraceNamesTheModulesFunctionsOnly) {
  const Program program = program_of(R"((memory (export "memory") 1) (data (i32.const 0) "a")
    (func $inner unreachable) (func $_start (export "_start") (call $inner)))");
  const std::string trace = end_of(program).trace;
  EXPECT_THAT(trace, ::testing::StartsWith("inner"));
  EXPECT_EQ(std::count(trace.begin(), trace.end(), '\n'), 2) << trace;
}

}  // namespace
}  // namespace funcd::engine
