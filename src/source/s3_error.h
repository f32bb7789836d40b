#pragma once

#include <string>
#include <tl/expected.hpp>

#include "source/s3_answer.h"
#include "source/s3_endpoint.h"
#include "source/web_client.h"

namespace funcd::source {

// Why a bucket did not do what it was asked for.
struct S3Error {
  enum class Kind : std::uint8_t {
    unreachable,  // no answer, or one that another time may bring another: 5xx, "slow down"
    refused,      // it says no, and will again: credentials, rights, names
    garbage,      // what answers makes no sense as S3
    local,        // our own disk
    stopped,      // by us
  };
  Kind kind = Kind::unreachable;
  std::string message;  // names the bucket, the cause and the remedy
};

template <class T = void>
using S3Result = tl::expected<T, S3Error>;

// What an answer that is no success means. `what` is "list the objects" or "read hello.wasm".
[[nodiscard]] S3Error explain(const S3Endpoint& endpoint, std::string_view what,
                              const std::string& access_key, const WebResponse& answer);
[[nodiscard]] S3Error explain(const S3Endpoint& endpoint, const WebError& error);

}  // namespace funcd::source
