#include "contract/media_type.h"

#include "http/message.h"

namespace funcd::contract {

MediaType media_type_of(std::string_view content_type) {
  constexpr std::string_view kSuffix = "+json";
  constexpr std::string_view kSpace = " \t";
  std::string_view essence = content_type.substr(0, content_type.find(';'));
  const std::size_t first = essence.find_first_not_of(kSpace);
  if (first == essence.npos) return MediaType::other;
  essence = essence.substr(first, essence.find_last_not_of(kSpace) - first + 1);
  if (http::equals_ignoring_case(essence, "application/json")) return MediaType::json;
  if (http::equals_ignoring_case(essence, "application/x-www-form-urlencoded")) {
    return MediaType::form;
  }
  const bool has_suffix =
      essence.size() > kSuffix.size() &&
      http::equals_ignoring_case(essence.substr(essence.size() - kSuffix.size()), kSuffix);
  return has_suffix ? MediaType::json : MediaType::other;
}

}  // namespace funcd::contract
