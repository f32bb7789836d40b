#include "invoke/response_stream.h"

#include <algorithm>
#include <utility>

#include "contract/cgi_output.h"

namespace funcd::invoke {

std::optional<contract::Failure> ResponseStream::begin(
    http::Response& response, std::optional<std::uint64_t> content_length) {
  const bool has_body =
      response.status != 204 && response.status != 304 && exchange_.head().method != "HEAD";
  if (has_body) length_ = content_length;
  if (is_longer_with(response.body.size())) {
    return contract::wrong_length(response.body.size(), *length_);
  }
  status_ = response.status;
  http::Response head = std::exchange(response, {});
  add_client_cookie(head, client_);
  if (head.body.size() > http::Exchange::kWriteBytesMax) {
    response.body = head.body.substr(http::Exchange::kWriteBytesMax);
    head.body.resize(http::Exchange::kWriteBytesMax);
  }
  bytes_ = head.body.size();
  is_writable_ = exchange_.begin(std::move(head), content_length);
  return std::nullopt;
}

std::optional<contract::Failure> ResponseStream::write(std::string& bytes) {
  if (is_longer_with(bytes.size())) {
    return contract::wrong_length(bytes_ + bytes.size(), *length_);
  }
  std::string_view rest = bytes;
  while (is_writable_ && !rest.empty()) {
    const std::string_view now = rest.substr(0, http::Exchange::kWriteBytesMax);
    rest.remove_prefix(now.size());
    bytes_ += now.size();
    is_writable_ = exchange_.write(now);
  }
  bytes.erase(0, bytes.size() - rest.size());
  return std::nullopt;
}

std::optional<contract::Failure> ResponseStream::check_end(std::string_view bytes) const {
  if (!length_ || bytes_ + bytes.size() == *length_) return std::nullopt;
  return contract::wrong_length(bytes_ + bytes.size(), *length_);
}

}  // namespace funcd::invoke
