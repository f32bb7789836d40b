#include "telemetry/reason.h"

#include "base/check.h"

namespace funcd {
namespace {

struct ReasonFacts {
  std::string_view name;
  int status;
};

// In the order of the enumerators.
constexpr std::array<ReasonFacts, kReasonCount> kFacts = {{
    {"", 200},
    {"not-found", 404},
    {"method-not-allowed", 405},
    {"bad-request", 400},
    {"request-too-large", 413},
    {"header-too-large", 431},
    {"request-timeout", 408},
    {"bad-input", 422},
    {"bad-output", 502},
    {"output-too-large", 502},
    {"trap", 500},
    {"exit", 500},
    {"memory-limit", 500},
    {"time-limit", 504},
    {"overloaded", 503},
    {"building", 503},
    {"cancelled", 499},  // never sent: there is nobody to send it to
    {"internal", 500},
}};
static_assert(static_cast<std::size_t>(Reason::internal) + 1 == kReasonCount);

const ReasonFacts& facts_of(Reason reason) {
  const auto index = static_cast<std::size_t>(reason);
  CHECK(index < kFacts.size(), "reason {}", index);
  return kFacts[index];
}

}  // namespace

std::string_view name_of(Reason reason) {
  return facts_of(reason).name;
}

int status_of(Reason reason) {
  return facts_of(reason).status;
}

}  // namespace funcd
