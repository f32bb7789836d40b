#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "files/public_folder.h"
#include "http/message.h"

namespace funcd::files {

// What a GET or HEAD for a file is answered with: the head, and which bytes of the file follow it.
struct FileResponse {
  http::Response head;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // of the body, also where HEAD leaves it out
};

// Preconditions and ranges as RFC 9110 13 and 14 say: If-Match, If-Unmodified-Since, If-None-Match,
// If-Modified-Since, then Range with If-Range. One range is served; of several the whole file is,
// as RFC 9110 14.2 allows. The validator is weak while the file is so young that it may change
// again within the same tick of the file system's clock. `now_ns` is since 1970.
[[nodiscard]] FileResponse respond_with_file(const http::RequestHead& request, const OpenFile& file,
                                             std::int64_t now_ns);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7).
[[nodiscard]] std::string http_date(std::int64_t seconds);
// Any of the three forms; nothing where it is none.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace funcd::files
