// What a bucket and those who give credentials say, in any bytes: there is an error, or a value
// that keeps its promises. Input: a byte that chooses who has said it, then what.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "source/credentials.h"
#include "source/deployment_record.h"
#include "source/ini_file.h"
#include "source/object_path.h"
#include "source/s3_answer.h"

namespace funcd::source {
namespace {

void read_listing(std::string_view xml) {
  const auto page = parse_listing(xml);
  if (!page) return;
  for (const ObjectInfo& object : page->objects) {
    if (kind_of_key(object.key) != KeyKind::file) continue;
    CHECK(("/" + object.key + "/").find("/../") == std::string::npos, "{}", object.key);
    CHECK(object.key.front() != '/', "{}", object.key);
  }
}

void read_record(std::string_view text) {
  const auto record = parse_record(text, "f");
  if (!record) return;
  const std::string again = text_of(*record);
  const auto same = parse_record(again, "f");
  CHECK(same.has_value(), "{}", same.error().message);
  CHECK(text_of(*same) == again);
}

}  // namespace
}  // namespace funcd::source

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace funcd::source;  // NOLINT: one function
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 5) {
    case 0:
      read_listing(text);
      break;
    case 1:
      (void)parse_error(text);
      break;
    case 2:
      read_record(text);
      break;
    case 3:
      (void)parse_ini(text);
      break;
    default:
      (void)parse_credentials(text, "http://169.254.169.254");
  }
  return 0;
}
