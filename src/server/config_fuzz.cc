// Any text as a funcd.toml: it is applied or refused with one line that names the file.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/config.h"
#include "server/config_option.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace funcd::server;  // NOLINT: one function
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Config config;
  config.cache_dir = "cache";  // load_config() gives it one
  const auto applied = apply_config_file(config, text, "folder/funcd.toml");
  if (!applied) {
    CHECK(applied.error().message.starts_with("folder/funcd.toml:"), "{}", applied.error().message);
    return 0;
  }
  // What was taken can be shown, and what is shown is taken.
  for (const Option& option : options()) {
    const std::string shown = get_option(config, option);
    Config again;
    const auto set = set_option(again, option, shown);
    CHECK(set.has_value() && get_option(again, option) == shown, "{} = {}", option.key, shown);
  }
  return 0;
}
