#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace funcd::source {

// What a bucket says of one object.
struct ObjectInfo {
  std::string key;   // the whole one, with the prefix
  std::string etag;  // without quotes; "" where the server knows none
  std::uint64_t bytes = 0;
  std::string modified;  // RFC 3339, so that later ones compare greater
};

// As it stands in a listing or a header field, bare: W/"abc" is abc.
[[nodiscard]] std::string bare_etag(std::string_view etag);
// A whole decimal number and nothing else.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

// One page of a listing.
struct ListPage {
  std::vector<ObjectInfo> objects;
  std::string next;  // to continue with; "" for the last page
};

// Reads an answer of ListObjectsV2. What is cut off, malformed, or contradicts itself is an error:
// half a listing must not pass for a whole one.
[[nodiscard]] Result<ListPage> parse_listing(std::string_view xml);

// The <Error> of an answer; empty members where there is none.
struct ErrorAnswer {
  std::string code;  // "NoSuchBucket"
  std::string message;
  std::string region;  // where the bucket lies, if told
};
[[nodiscard]] ErrorAnswer parse_error(std::string_view xml);

}  // namespace funcd::source
