#pragma once

#include <string_view>

namespace funcd::http {

// Why a request is answered by the session and not by the handler. Static strings.
struct Refusal {
  int status = 0;
  std::string_view reason;  // one word for machines, as in the field funcd-error
  std::string_view detail;  // one sentence for people
};

}  // namespace funcd::http
