#include "source/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/file_stamp.h"

namespace funcd::source {
namespace {

using Kind = S3Error::Kind;

S3Error local_error(const std::string& file, const std::string& message) {
  return {.kind = Kind::local,
          .message = fmt::format("{}: {}; make room there or name another folder with --cache-dir",
                                 file, message)};
}

// The file that is written, and what is known of its content.
class Part {
 public:
  explicit Part(const std::string& file) : file_(file) {}
  ~Part() {
    if (fd_ && !is_kept_) ::unlink(file_.c_str());
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  S3Result<> begin() {
    fd_ = Descriptor(
        ::open(file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd_) {
      return tl::unexpected(local_error(file_, "cannot be made: " + errno_text(errno)));
    }
    sha256_ = Sha256();
    bytes_ = 0;
    return {};
  }
  Result<> add(std::span<const std::uint8_t> piece) {
    TRY(write_all(fd_.get(), piece));
    sha256_.add(piece);
    bytes_ += piece.size();
    return {};
  }
  S3Result<std::int64_t> keep() {
    struct stat status {};
    if (::fsync(fd_.get()) != 0 || ::fstat(fd_.get(), &status) != 0) {
      return tl::unexpected(local_error(file_, "cannot be written: " + errno_text(errno)));
    }
    is_kept_ = true;
    return stamp_of(status).modified_ns;
  }
  std::string digest() { return sha256_.hex(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  const std::string& file_;
  Descriptor fd_;
  Sha256 sha256_;
  std::uint64_t bytes_ = 0;
  bool is_kept_ = false;
};

// What the object's metadata or the server says that its content has to be.
struct Expected {
  std::string metadata;
  std::string checksum;
};

std::string digest_problem(const Expected& expected, const std::string& sha256) {
  if (!expected.metadata.empty() && expected.metadata != sha256) {
    return fmt::format("its content has the SHA-256 {}, and its metadata says {}; upload it again",
                       sha256, expected.metadata);
  }
  if (!expected.checksum.empty() && expected.checksum != sha256) {
    return fmt::format("its content has the SHA-256 {}, and the bucket says {}; upload it again",
                       sha256, expected.checksum);
  }
  return "";
}

}  // namespace

S3Result<Download::Outcome> Download::run(S3Client& client, const Request& request,
                                          std::atomic<std::uint64_t>& bytes_read) {
  using Got = S3Client::Got;
  Part part(request.file);
  if (auto begun = part.begin(); !begun) return tl::unexpected(begun.error());
  Expected expected;
  Outcome outcome;
  bool is_longer = false;
  for (int tries = 1;;) {
    const std::uint64_t had = part.bytes();
    auto got = client.get({.key = request.key,
                           .etag = request.etag,
                           .offset = had,
                           .sink = [&](std::span<const std::uint8_t> piece) -> Result<> {
                             is_longer = part.bytes() + piece.size() > request.bytes;
                             if (is_longer) return fail("is longer than listed");
                             bytes_read += piece.size();
                             return part.add(piece);
                           }});
    if (is_longer) {
      outcome.has_changed = true;
      return outcome;
    }
    if (got && got->kind == Got::Kind::is_whole) {
      if (auto begun = part.begin(); !begun) return tl::unexpected(begun.error());
      continue;  // from its beginning; happens once, as the offset is 0 now
    }
    if (got && got->kind != Got::Kind::read) {
      outcome.has_changed = true;
      return outcome;
    }
    if (got) {
      outcome.module_digest = got->head.module_digest;
      if (expected.metadata.empty()) expected.metadata = got->head.sha256;
      if (expected.checksum.empty()) expected.checksum = got->checksum_sha256;
      if (part.bytes() == request.bytes) break;
    } else if (got.error().kind == Kind::refused) {
      outcome.problem = got.error().message;
      return outcome;
    } else if (got.error().kind == Kind::local) {
      return tl::unexpected(local_error(request.file, got.error().message));
    } else if (got.error().kind != Kind::unreachable || tries == kTriesMax) {
      return tl::unexpected(got.error());
    }
    tries = part.bytes() > had ? 1 : tries + 1;
    if (tries > kTriesMax) {
      outcome.problem = fmt::format("ends after {} of {} bytes", part.bytes(), request.bytes);
      return outcome;
    }
    if (!client.pause(tries)) {
      return tl::unexpected(S3Error{.kind = Kind::stopped, .message = "stopped"});
    }
  }
  outcome.sha256 = part.digest();
  outcome.problem = digest_problem(expected, outcome.sha256);
  if (!outcome.problem.empty()) return outcome;
  auto kept = part.keep();
  if (!kept) return tl::unexpected(kept.error());
  outcome.modified_ns = *kept;
  outcome.is_whole = true;
  return outcome;
}

}  // namespace funcd::source
