// What a guest prints, under each contract: whatever the bytes are, there is a failure or a
// response that can be sent. The first byte chooses contract and ending.

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "contract/test_call.h"
#include "registry/json_document.h"

namespace funcd::contract {
namespace {

using registry::ContractKind;

constexpr std::array kContracts = {ContractKind::automatic, ContractKind::data, ContractKind::cgi};

using Calls = std::array<TestCall, 2 * kContracts.size()>;

// Each contract without and with a schema for the output.
Calls make_calls() {
  Calls calls;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    calls[i].revision.contract = kContracts[i % kContracts.size()];
    if (i < kContracts.size()) continue;
    calls[i].set_schema(calls[i].revision.response_schema,
                        R"({"properties":{"a":{"type":"integer"},"b":{"anyOf":[{"type":"number"},
                        {"type":"boolean"}]},"c":{"items":{"$ref":"#"}},"d":{"pattern":"^x",
                        "uniqueItems":true}}})");
  }
  return calls;
}

const registry::Revision& revision_of(std::size_t choice) {
  static const Calls kCalls = make_calls();
  return kCalls[choice % kCalls.size()].revision;
}

// A response never holds what could end its head early, and JSON is JSON.
void check(const http::Response& response) {
  CHECK(response.status >= 200 && response.status <= 599);
  std::string_view fields = response.fields.bytes();
  while (!fields.empty()) {
    const std::size_t end = fields.find("\r\n");
    CHECK(end != fields.npos && end > 0);
    const std::string_view line = fields.substr(0, end);
    CHECK(line.find_first_of(std::string_view("\0\r\n", 3)) == line.npos);
    CHECK(line.find(':') != line.npos);
    fields.remove_prefix(end + 2);
  }
  if (response.content_type == "application/json") CHECK(registry::is_json(response.body));
}

}  // namespace
}  // namespace funcd::contract

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace funcd;
  using namespace funcd::contract;
  if (size == 0) return 0;
  const registry::Revision& revision = revision_of(bytes[0] & 0x0F);
  const http::RequestHead head;
  const Call call{revision, head, {}, {}};
  const int exit_code = bytes[0] >> 6;
  const engine::Ending ending{
      exit_code == 0 ? engine::EndKind::returned : engine::EndKind::exited, exit_code, {}, {}};
  std::string out(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  storage::KvChange kv;
  const auto shaped = shape(call, ending, std::move(out), kv);
  if (const auto* response = std::get_if<http::Response>(&shaped)) {
    check(*response);
  } else {
    const auto& failure = std::get<Failure>(shaped);
    CHECK(failure.reason == Reason::bad_output || failure.reason == Reason::exit);
    check(error_response(failure, ErrorStyle::precise, "1"));
  }
  return 0;
}
