// What a client sends: whatever query, path and body are, DATA is JSON, or there is a failure whose
// words are the client's fault. The input is cut in three at newlines; the first byte chooses the
// type of the body and whether there is a schema.

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "contract/data_input.h"
#include "contract/test_call.h"
#include "registry/json_document.h"

namespace {

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace funcd;
  using namespace funcd::contract;
  if (size == 0) return 0;
  static const auto kSchema =
      registry::JsonSchema::parse(R"({"properties":{"n":{"type":"number"},"l":{"type":"array",
          "items":{"type":"integer"}}},"additionalProperties":{"maxLength":9}})",
                                  "fuzz.schema.json")
          .value();
  std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  TestCall test;
  test.revision.manifest.input = {{"s", "\"x\""}, {"i", "1"}, {"b", "true"}, {"a", "[1.5]"}};
  if ((bytes[0] & 4) != 0) test.revision.request_schema = kSchema;
  test.head.query = take_line(text);
  test.params = {{"id", std::string(take_line(text))}};
  const std::string_view type =
      (bytes[0] & 1) != 0 ? "application/json" : "application/x-www-form-urlencoded";
  if ((bytes[0] & 2) != 0) test.set_body(type, text);
  std::string data = "kept";
  const auto failure = append_data(test.call(), data);
  if (failure) {
    CHECK(failure->reason == Reason::bad_request || failure->reason == Reason::bad_input);
    const http::Response response = error_response(*failure, ErrorStyle::precise, "1");
    CHECK(registry::is_json(response.body));
  } else {
    CHECK(data.starts_with("kept"));
    CHECK(registry::is_json(std::string_view(data).substr(4)), "{}", data);
  }
  return 0;
}
