#pragma once

#include <cstdint>
#include <string>

#include "contract/cgi_output.h"
#include "engine/stdio.h"
#include "invoke/kept_text.h"
#include "invoke/request_body.h"

namespace funcd::invoke {

// The standard streams of a command: stdin is the request's body as it comes; stdout is kept whole
// up to its limit, unless it may be streamed and begins with a CGI header block: then it is held to
// what the pipe takes until its owner has taken some; stderr is kept up to its limit. Owned by its
// run.
class PipedStdio final : public engine::Stdio {
 public:
  enum class Output : std::uint8_t { whole, streamed_after_header };
  struct Limits {
    std::uint64_t stdout_bytes;
    std::uint64_t stderr_bytes;
  };
  // Of stdout, while it is streamed: a guest that has written as much waits.
  static constexpr std::size_t kPipeBytesMax = 64 << 10;
  static_assert(kPipeBytesMax >= contract::kCgiHeaderBytesMax, "a header is decided on by then");

  PipedStdio(RequestBody& body, Output output, Limits limits)
      : body_(body),
        stdout_bytes_max_(limits.stdout_bytes),
        err_(limits.stderr_bytes),
        start_(output == Output::whole ? contract::OutputStart::other
                                       : contract::OutputStart::undecided) {}

  std::int64_t read(std::span<std::uint8_t> into) override;
  std::int64_t write(int descriptor, std::span<const std::uint8_t> bytes) override;
  [[nodiscard]] bool is_readable() const override;
  [[nodiscard]] bool is_writable(int descriptor) const override;
  [[nodiscard]] bool is_terminal(int /*descriptor*/) const override { return false; }

  // The guest is about to run: what it has waited for before counts no more.
  void forget_waits() { awaits_input_ = awaits_room_ = false; }
  // What it has waited for since is there.
  [[nodiscard]] bool can_go_on() const;
  // Stdout begins with a header block: response and body are to be taken out of out().
  [[nodiscard]] bool has_header() const;
  // What of stdout has not been taken.
  std::string& out() { return out_; }
  [[nodiscard]] const KeptText& err() const { return err_; }

 private:
  [[nodiscard]] bool has_room() const { return out_.size() < kPipeBytesMax || !has_header(); }

  RequestBody& body_;
  std::uint64_t stdout_bytes_max_;
  std::string out_;
  std::uint64_t out_bytes_ = 0;  // ever written
  KeptText err_;
  // Learned when somebody wants to know.
  mutable contract::OutputStart start_;
  mutable std::size_t looked_at_bytes_ = 0;
  mutable bool awaits_input_ = false;
  mutable bool awaits_room_ = false;
};

}  // namespace funcd::invoke
