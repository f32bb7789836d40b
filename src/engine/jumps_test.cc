// Programs of Go's compiler have their jumps rewritten when they are compiled
// (bridge/src/jumps.rs). The same program without the mark of that compiler is left alone, and has
// to do the same.
#include <gtest/gtest.h>

#include <random>

#include "engine/engine_fixture.h"

namespace funcd::engine {
namespace {

const Engine& the_engine() {
  static const std::unique_ptr<Engine> kEngine = new_engine({.instances_max = 4});
  return *kEngine;
}

// A function as Go's compiler makes one, of blocks that jump about at random. It is entered at the
// block of the number it is given, and returns what tells in which order it met its blocks.
class Shuffled {
 public:
  explicit Shuffled(unsigned seed) : random_(seed), count_(pick(2, 9)), has_loop_(pick(0, 4) > 0) {}

  std::string text() {
    std::string text = "(func $f (param i32) (result i32) (local $n i32) (local $other i32)\n";
    text += has_loop_ ? "(block $exit (loop $head\n" : "(block $exit (block $head\n";
    for (int block = count_ - 1; block >= 0; --block) text += fmt::format("(block $b{} ", block);
    text += "(br_table";
    for (int entry = pick(count_, count_ + 3); entry > 0; --entry) {
      text += fmt::format(" $b{}", pick(0, count_ - 1));
    }
    text += " (local.get 0))\n";
    for (int block = 0; block < count_; ++block) text += fmt::format(") {}\n", code(block));
    return text + "))\n(i32.add (local.get $n) (global.get $met)))\n";
  }
  [[nodiscard]] int count() const { return count_; }

 private:
  int pick(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }

  std::string jump(std::string_view local = "0") {
    return fmt::format("(local.set {} (i32.const {})) (br $head)", local, pick(-1, count_ + 2));
  }

  std::string code(int block) {
    std::string text = fmt::format(
        "(global.set $met (i32.add (i32.mul (global.get $met) (i32.const 31)) (i32.const {}))) "
        "(br_if $exit (i32.gt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) "
        "(i32.const 60)))",
        block + 1);
    const int odd = 1 << pick(0, 3);
    const std::string is_odd = fmt::format("(i32.and (global.get $met) (i32.const {}))", odd);
    switch (pick(0, 9)) {
      case 0:
        return text;
      case 1:
      case 2:
        return text + jump();
      case 3:
      case 4:
      case 5:
        return text + fmt::format("(if {} (then {}))", is_odd, jump());
      case 6:
        return text + fmt::format(
                          "(local.set 0 (i32.rem_u (global.get $met) (i32.const {}))) "
                          "(br $head)",
                          count_ + 1);
      case 7:
        return text + fmt::format("(br_if $head {})", is_odd);
      case 8:
        return text + fmt::format("(block (loop (br_if 1 {}) {}))", is_odd, jump());
      default:
        return text + jump("$other");
    }
  }

  std::mt19937 random_;
  int count_;
  bool has_loop_;
};

std::string module_of(Shuffled& function, bool is_go) {
  std::string calls;
  for (int entry = -1; entry <= function.count() + 1; ++entry) {
    calls +=
        fmt::format("(global.set $met (i32.mul (call $f (i32.const {})) (i32.const 17)))\n", entry);
  }
  return fmt::format(R"((module
    (import "wasi_snapshot_preview1" "fd_write"
      (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (global $met (mut i32) (i32.const 1))
    {}
    (func (export "_start")
      {}
      (i32.store (i32.const 16) (global.get $met))
      (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 4))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    {}))",
                     function.text(), calls, is_go ? R"((@custom "go:buildid" ""))" : "");
}

std::string output_of(const std::string& text) {
  BufferedStdio stdio({}, 1 << 10, 1 << 10);
  const Program program = program_of(the_engine(), text);
  Task task(program, {}, stdio, {}, {});
  while (task.poll() != Task::State::done) {
  }
  EXPECT_EQ(task.ending().kind, EndKind::returned) << task.ending().message;
  return std::string(stdio.out());
}

TEST(JumpsTest, WhatIsThreadedDoesTheSame) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    Shuffled plain(seed);
    Shuffled threaded(seed);
    const std::string text = module_of(threaded, true);
    ASSERT_EQ(output_of(text), output_of(module_of(plain, false))) << text;
  }
}

// Code that is the same would show nothing.
TEST(JumpsTest, OnlyWhatGoHasMadeIsThreaded) {
  const auto code_of = [](std::string_view section) {
    Shuffled function(1);
    std::string text = module_of(function, false);
    text.insert(text.rfind(')'), fmt::format("(@custom \"{}\" \"\")", section));
    auto code = the_engine().compile(wasm_of(text));
    CHECK(code.has_value(), "{}", code.error().message);
    return std::move(*code);
  };
  EXPECT_EQ(code_of("one"), code_of("another"));
  EXPECT_NE(code_of("one"), code_of("go:buildid"));
}

}  // namespace
}  // namespace funcd::engine
