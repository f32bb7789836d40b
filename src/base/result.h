#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace funcd {

// What went wrong outside of our own code. The message says what failed, on what, and what to do,
// in lower case without a full stop.
struct Error {
  std::string message;
};

// A value or an Error. Never ignored, never thrown.
template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

// return fail("{}: cannot be read", path);
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(fmt::format_string<Args...> text, Args&&... args) {
  return tl::unexpected<Error>(Error{fmt::format(text, std::forward<Args>(args)...)});
}

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// The value of a result that has one; nothing for Result<>.
template <class T>
T take_value(Result<T>&& result) {
  return std::move(*result);
}
inline void take_value(Result<>&& /*result*/) {}

}  // namespace funcd

// auto bytes = TRY(read_file(path)); returns the error to the caller. TRY(check()); for Result<>.
#define TRY(expression)                                    \
  __extension__({                                          \
    auto&& try_result = (expression);                      \
    if (!try_result) [[unlikely]]                          \
      return ::funcd::fail(std::move(try_result).error()); \
    ::funcd::take_value(std::move(try_result));            \
  })
