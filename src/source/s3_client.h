#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "source/credentials.h"
#include "source/s3_error.h"

namespace funcd::source {

// Under which object metadata the SHA-256 of an object's content stands.
inline constexpr std::string_view kDigestField = "x-amz-meta-funcd-sha256";
// And that of the module which a sidecar or schema was deployed with.
inline constexpr std::string_view kModuleField = "x-amz-meta-funcd-module";

// Requests to one bucket: signed, tried again where that may help. Keys are whole ones, with the
// prefix. For one thread; several clients share the credentials.
class S3Client {
 public:
  // How often a request that may be repeated is sent at the most, and the pause after the first.
  static constexpr int kTriesMax = 3;
  static constexpr std::chrono::milliseconds kPause{100};

  // `credentials` outlives this. Every request ends when `stop` is requested.
  S3Client(S3Endpoint endpoint, CredentialChain& credentials, std::stop_token stop);

  // All objects whose key begins with the prefix, page by page; more than objects_max are an error.
  [[nodiscard]] S3Result<std::vector<ObjectInfo>> list(std::string_view prefix,
                                                       std::size_t objects_max);

  // What is there under a key; nothing when there is no such object.
  struct Head {
    std::string etag;
    std::uint64_t bytes = 0;
    std::string sha256;         // as its metadata says; "" when it does not
    std::string module_digest;  // likewise, of the module that it belongs to
  };
  [[nodiscard]] S3Result<std::optional<Head>> head(const std::string& key);

  // A part of an object, from `offset` to its end, as long as its ETag is that. The sink gets the
  // content in pieces. One try only, as the sink has had some of it.
  struct Get {
    std::string key;
    std::string etag;  // "" for any
    std::uint64_t offset = 0;
    std::function<Result<>(std::span<const std::uint8_t>)> sink;
  };
  struct Got {
    enum class Kind : std::uint8_t { read, changed, gone, is_whole };
    // is_whole: the server has sent it from its beginning though a part was asked for; nothing of
    // it went to the sink.
    Kind kind = Kind::read;
    Head head;                    // bytes: those of the whole object
    std::string checksum_sha256;  // hex, of the whole object, where the server knows it
  };
  [[nodiscard]] S3Result<Got> get(const Get& request);
  // A small object as a whole; nothing when it is not there.
  struct Text {
    std::string text;
    std::string etag;
  };
  [[nodiscard]] S3Result<std::optional<Text>> get_text(const std::string& key,
                                                       std::uint64_t bytes_max);

  // Writes an object. False: the condition did not hold, nothing was written.
  struct Put {
    std::string key;
    std::span<const std::uint8_t> content;
    std::string if_etag = {};        // only over this version; "" for any
    bool is_new_only = false;        // only where there is none
    std::string module_digest = {};  // of the module that it is a sidecar or schema of
    std::function<void(std::uint64_t sent, std::uint64_t total)> on_sent = nullptr;
  };
  [[nodiscard]] S3Result<bool> put(const Put& request);
  // No error when there is no such object.
  [[nodiscard]] S3Result<> remove(const std::string& key);

  // Waits before another try; false when it is not worth one, as all is to stop.
  [[nodiscard]] bool pause(int tries) const;
  [[nodiscard]] const S3Endpoint& endpoint() const { return endpoint_; }

 private:
  enum class Tries : std::uint8_t { one, some };
  [[nodiscard]] S3Result<WebResponse> send(WebRequest request, std::string_view what, Tries tries);
  [[nodiscard]] S3Result<WebResponse> send_once(WebRequest& request, std::string_view what);
  [[nodiscard]] std::string url_of(std::string_view key) const;
  S3Endpoint endpoint_;
  CredentialChain& credentials_;
  std::stop_token stop_;
  WebClient web_;
  std::string access_key_;  // of the last request, for messages
};

}  // namespace funcd::source
