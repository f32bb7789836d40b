#include "registry/manifest.h"

#include <algorithm>
#include <array>

#include "http/characters.h"
#include "http/target.h"
#include "registry/manifest_canary.h"
#include "registry/manifest_outbound.h"
#include "registry/route.h"
#include "registry/toml_table.h"

namespace funcd::registry {
namespace {

constexpr std::array<std::string_view, 6> kContracts = {"auto", "data",      "cgi",
                                                        "wws",  "wasi-http", "reactor"};

Result<> read_contract(const toml::node& node, ContractKind& contract) {
  const std::string name = TRY(string_of(node));
  const auto known = std::find(kContracts.begin(), kContracts.end(), name);
  if (known == kContracts.end()) {
    return fail("no contract is named '{}'; there are {}", name, fmt::join(kContracts, ", "));
  }
  contract = static_cast<ContractKind>(known - kContracts.begin());
  return {};
}

// RFC 9110 5.6.2: token; methods are case-sensitive, and those in use are upper case.
Result<> check_method(const std::string& method) {
  if (!http::is_token(method)) {
    return fail("'{}' is no method; write methods as \"GET\", \"POST\"", method);
  }
  if (std::any_of(method.begin(), method.end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
    return fail("'{}' is never sent; methods are upper case: \"GET\", \"POST\"", method);
  }
  return {};
}

Result<> read_methods(const toml::node& node, std::vector<std::string>& methods) {
  const toml::array& array = *TRY(array_of(node));
  if (array.empty()) return fail("names no method; leave the key out to allow all");
  for (const toml::node& item : array) {
    std::string method = TRY(string_of(item));
    TRY(check_method(method));
    if (std::find(methods.begin(), methods.end(), method) != methods.end()) {
      return fail("'{}' appears twice", method);
    }
    methods.push_back(std::move(method));
  }
  return {};
}

Result<> read_route(const toml::node& node, std::optional<std::string>& route) {
  route = TRY(string_of(node));
  TRY(parse_route(*route));
  return {};
}

// A name of the DNS (RFC 1123 2.1), with "*." before it for all names below it.
Result<> read_host(const toml::node& node, std::string& host) {
  const std::string text = TRY(string_of(node));
  std::string_view left = text;
  if (left.starts_with("*.")) left.remove_prefix(2);
  const bool is_name =
      text.size() <= kHostBytesMax && !left.empty() && left.front() != '.' && left.back() != '.' &&
      left.find("..") == std::string_view::npos &&
      std::all_of(left.begin(), left.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
      });
  if (!is_name) {
    return fail(
        "'{}' is no host; write \"api.example.com\" or \"*.example.com\", in lower case "
        "and without a port",
        text);
  }
  host = text;
  return {};
}

// Functions that name one store share it.
Result<> read_kv(const toml::table& table, std::string_view file, Manifest& manifest) {
  return TomlTable(table, "kv", file).read({{"namespace", [&](const toml::node& node) -> Result<> {
                                               std::string name = TRY(string_of(node));
                                               if (name.empty() || name.size() > kKvNameBytesMax ||
                                                   name.find('\0') != std::string::npos) {
                                                 return fail("a store's name has 1 to {} bytes",
                                                             kKvNameBytesMax);
                                               }
                                               manifest.kv_namespace = std::move(name);
                                               return {};
                                             }}});
}

// Of a schema or a mount. That it stays inside of the functions folder shows when it is resolved.
Result<std::string> relative_path_of(const toml::node& node) {
  std::string path = TRY(string_of(node));
  if (path.empty() || path.find('\0') != std::string::npos) return fail("'{}' is no path", path);
  if (path.front() == '/') {
    return fail("{} is absolute; write a path inside of the functions folder", path);
  }
  return path;
}

Result<> read_env(const toml::table& table, std::string_view file, Manifest& manifest) {
  return TomlTable(table, "env", file)
      .read_all([&](std::string_view key, const toml::node& node) -> Result<> {
        std::string value = TRY(string_of(node));
        if (key.empty() || key.find('=') != std::string_view::npos ||
            key.find('\0') != std::string_view::npos) {
          return fail("a variable's name is not empty and has no '='");
        }
        if (value.find('\0') != std::string::npos) return fail("a variable's value has no NUL");
        manifest.env.emplace_back(key, std::move(value));
        return {};
      });
}

Result<> read_input(const toml::table& table, std::string_view file, Manifest& manifest) {
  return TomlTable(table, "input", file)
      .read_all([&](std::string_view key, const toml::node& node) -> Result<> {
        manifest.input.emplace_back(key, TRY(json_of(node)));
        return {};
      });
}

Result<> read_schema(const toml::node& section, std::string_view name, std::string_view file,
                     std::optional<std::string>& schema, std::uint32_t& line) {
  return TomlTable(*TRY(table_of(section)), name, file)
      .read({{"schema", [&](const toml::node& node) -> Result<> {
                schema = TRY(relative_path_of(node));
                line = node.source().begin.line;
                return {};
              }}});
}

Result<> read_size(const toml::node& node, std::uint64_t min, std::uint64_t max,
                   std::uint64_t& bytes) {
  if (!node.is_string()) return fail("expected a string such as \"64MiB\", got {}", kind_of(node));
  const std::string text = TRY(string_of(node));
  bytes = TRY(parse_size(text));
  if (bytes < min) return fail("{} is below the least that works, {}", text, format_size(min));
  if (bytes > max) {
    return fail("{} is above what the server allows, {}", text, format_size(max));
  }
  return {};
}

Result<> read_timeout(const toml::node& node, const Limits& ceilings, Limits& limits) {
  if (!node.is_string()) return fail("expected a string such as \"10s\", got {}", kind_of(node));
  const std::string text = TRY(string_of(node));
  limits.timeout = TRY(parse_duration(text));
  if (limits.timeout < kLimitsMin.timeout) {
    return fail("{} is below the least that works, {}", text, format_duration(kLimitsMin.timeout));
  }
  if (limits.timeout > ceilings.timeout) {
    return fail("{} is above what the server allows, {}", text, format_duration(ceilings.timeout));
  }
  return {};
}

Result<> read_limits(const toml::table& table, std::string_view file, const Limits& ceilings,
                     Limits& limits) {
  return TomlTable(table, "limits", file)
      .read({
          {"timeout", [&](const toml::node& node) { return read_timeout(node, ceilings, limits); }},
          {"memory",
           [&](const toml::node& node) {
             return read_size(node, kLimitsMin.memory_bytes, ceilings.memory_bytes,
                              limits.memory_bytes);
           }},
          {"request_body",
           [&](const toml::node& node) {
             return read_size(node, kLimitsMin.request_body_bytes, ceilings.request_body_bytes,
                              limits.request_body_bytes);
           }},
          {"response_body",
           [&](const toml::node& node) {
             return read_size(node, kLimitsMin.response_body_bytes, ceilings.response_body_bytes,
                              limits.response_body_bytes);
           }},
          {"stderr",
           [&](const toml::node& node) {
             return read_size(node, kLimitsMin.stderr_bytes, ceilings.stderr_bytes,
                              limits.stderr_bytes);
           }},
          {"concurrency",
           [&](const toml::node& node) -> Result<> {
             limits.concurrency = static_cast<std::uint32_t>(
                 TRY(integer_of(node, kLimitsMin.concurrency, ceilings.concurrency)));
             return {};
           }},
      });
}

Result<> read_guest_path(const toml::node& node, std::string& guest) {
  guest = TRY(string_of(node));
  if (guest.empty() || guest.front() != '/' || guest.find('\0') != std::string::npos) {
    return fail("'{}' is not absolute; write it as the guest sees it: \"/data\"", guest);
  }
  const std::string walled = guest + "/";
  if (walled.find("/../") != std::string::npos || walled.find("/./") != std::string::npos) {
    return fail("'{}' has a '.' or '..'; write the path that it means", guest);
  }
  while (guest.size() > 1 && guest.back() == '/') guest.pop_back();
  return {};
}

Result<MountSpec> read_mount(const toml::node& node, std::string_view file) {
  const toml::table& table = *TRY(table_of(node));
  MountSpec mount;
  const auto read_host = [&mount](const toml::node& value) -> Result<> {
    mount.host = TRY(relative_path_of(value));
    mount.line = value.source().begin.line;
    return {};
  };
  const auto read_guest = [&mount](const toml::node& value) {
    return read_guest_path(value, mount.guest);
  };
  const auto read_writable = [&mount](const toml::node& value) -> Result<> {
    mount.is_writable = TRY(boolean_of(value));
    return {};
  };
  TRY(TomlTable(table, "mounts", file)
          .read({{"host", read_host}, {"guest", read_guest}, {"writable", read_writable}}));
  const auto line = node.source().begin.line;
  if (mount.host.empty()) return fail("{}:{}: a mount without 'host'", file, line);
  if (mount.guest.empty()) return fail("{}:{}: a mount without 'guest'", file, line);
  return mount;
}

Result<> read_snapshot(const toml::table& table, std::string_view file, Manifest& manifest) {
  SnapshotSpec& snapshot = manifest.snapshot;
  const auto read_start = [&snapshot](const toml::node& node) -> Result<> {
    snapshot.starts = TRY(boolean_of(node));
    return {};
  };
  const auto read_warm = [&snapshot](const toml::node& node) -> Result<> {
    snapshot.is_warm = TRY(boolean_of(node));
    return {};
  };
  TRY(TomlTable(table, "snapshot", file).read({{"start", read_start}, {"warm", read_warm}}));
  if (snapshot.is_warm && snapshot.starts == false) {
    return fail("warm = true with start = false: there is no snapshot that could be warmed up");
  }
  return {};
}

Result<> read_mounts(const toml::node& node, std::string_view file, Manifest& manifest) {
  if (!node.is_array()) return fail("expected [[mounts]], got {}", kind_of(node));
  for (const toml::node& item : *node.as_array()) {
    MountSpec mount = TRY(read_mount(item, file));
    for (const MountSpec& earlier : manifest.mounts) {
      if (earlier.guest == mount.guest) {
        return fail("{}:{}: two mounts have the guest path {}", file, item.source().begin.line,
                    mount.guest);
      }
    }
    manifest.mounts.push_back(std::move(mount));
  }
  return {};
}

// How many requests an instance answers; 0 and 1 are one for each request.
Result<> read_reuse(const toml::node& node, std::uint32_t& reuse) {
  reuse = std::max(static_cast<std::uint32_t>(TRY(integer_of(node, 0, kReuseMax))), 1U);
  return {};
}

Result<> read_smoke(const toml::table& table, std::string_view file, Manifest& manifest) {
  Smoke& smoke = manifest.smoke.emplace();
  const auto read_path = [&smoke](const toml::node& node) -> Result<> {
    smoke.path = TRY(string_of(node));
    if (http::is_origin_form(smoke.path)) return {};
    return fail("'{}' is no path; write it as a client sends it: \"/hello?name=n\"", smoke.path);
  };
  const auto read_status = [&smoke](const toml::node& node) -> Result<> {
    smoke.expect_status = static_cast<int>(TRY(integer_of(node, 200, 599)));
    return {};
  };
  TRY(TomlTable(table, "smoke", file).read({{"path", read_path}, {"expect_status", read_status}}));
  if (smoke.path.empty()) return fail("[smoke] without 'path'");
  return {};
}

Result<> read_manifest(const toml::table& root, std::string_view file, const Limits& ceilings,
                       Manifest& manifest) {
  const auto in_table = [file](auto read, Manifest& into) {
    return [=, &into](const toml::node& node) -> Result<> {
      return read(*TRY(table_of(node)), file, into);
    };
  };
  return TomlTable(root, "", file)
      .read({
          {"contract",
           [&](const toml::node& node) { return read_contract(node, manifest.contract); }},
          {"route", [&](const toml::node& node) { return read_route(node, manifest.route); }},
          {"host", [&](const toml::node& node) { return read_host(node, manifest.host); }},
          {"methods", [&](const toml::node& node) { return read_methods(node, manifest.methods); }},
          {"input", in_table(read_input, manifest)},
          {"request",
           [&](const toml::node& node) {
             return read_schema(node, "request", file, manifest.request_schema,
                                manifest.lines.request_schema);
           }},
          {"response",
           [&](const toml::node& node) {
             return read_schema(node, "response", file, manifest.response_schema,
                                manifest.lines.response_schema);
           }},
          {"env", in_table(read_env, manifest)},
          {"kv", in_table(read_kv, manifest)},
          {"limits",
           [&](const toml::node& node) -> Result<> {
             return read_limits(*TRY(table_of(node)), file, ceilings, manifest.limits);
           }},
          {"reuse", [&](const toml::node& node) { return read_reuse(node, manifest.reuse); }},
          {"snapshot", in_table(read_snapshot, manifest)},
          {"outbound", in_table(read_outbound, manifest)},
          {"smoke", in_table(read_smoke, manifest)},
          {"canary", in_table(read_canary, manifest)},
          {"mounts", [&](const toml::node& node) { return read_mounts(node, file, manifest); }},
      });
}

}  // namespace

std::string_view name_of(ContractKind kind) {
  return kContracts[static_cast<std::size_t>(kind)];
}

Result<Manifest> parse_manifest(std::string_view toml, std::string_view file,
                                const Limits& defaults, const Limits& ceilings) {
  Manifest manifest;
  manifest.limits = defaults;
  try {
    TRY(read_manifest(toml::parse(toml), file, ceilings, manifest));
  } catch (const toml::parse_error& error) {
    return fail("{}:{}: {}", file, error.source().begin.line, error.description());
  }
  return manifest;
}

std::vector<std::string> mount_hosts_of(std::string_view toml) {
  std::vector<std::string> hosts;
  try {
    const toml::table root = toml::parse(toml);
    const toml::array* mounts = root["mounts"].as_array();
    if (mounts == nullptr) return hosts;
    for (const toml::node& mount : *mounts) {
      if (!mount.is_table()) continue;
      if (auto host = (*mount.as_table())["host"].value<std::string>()) {
        hosts.push_back(std::move(*host));
      }
    }
  } catch (const toml::parse_error&) {
    // parse_manifest() says what is wrong.
  }
  return hosts;
}

}  // namespace funcd::registry
