#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace funcd {

// Why an invocation has failed: the word in the header `funcd-error`, in logs and in metrics.
enum class Reason : std::uint8_t {
  none,
  not_found,
  method_not_allowed,
  bad_request,  // the request itself: a path that cannot be decoded, a body that is no JSON
  request_too_large,
  header_too_large,
  request_timeout,  // the body did not arrive in time
  bad_input,
  bad_output,
  output_too_large,
  trap,
  exit,
  memory_limit,
  time_limit,
  overloaded,
  building,
  cancelled,  // the client hung up
  internal,
};
inline constexpr std::size_t kReasonCount = 18;

// "not-found"; "" for none.
[[nodiscard]] std::string_view name_of(Reason reason);
// The status of interface `errors = "precise"`: 404 for not_found.
[[nodiscard]] int status_of(Reason reason);

}  // namespace funcd
