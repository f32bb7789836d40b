// Routes and paths of any bytes: no path crashes the catalog, a static route meets its own path,
// and what a wildcard takes is never a way up.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "registry/catalog.h"

namespace funcd::registry {
namespace {

std::shared_ptr<const Revision> revision_for(std::string route) {
  auto revision = std::make_shared<Revision>();
  revision->function = std::make_shared<Function>(route, 1);
  revision->route = std::move(route);
  return revision;
}

// Lines; the last one is the path.
std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n' && lines.size() < 20) {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  return lines;
}

void check_params(const Match& match) {
  if (match.kind != Match::Kind::found) return;
  const bool has_rest = (*match.revision)->route.ends_with("*") ||
                        (*match.revision)->route.find("{*") != std::string::npos;
  for (const PathParam& param : match.params) {
    CHECK(param.value.find('\0') == std::string::npos);
    CHECK(param.value != "." && param.value != "..", "{}", param.value);
    const bool is_rest = has_rest && &param == &match.params.back();
    CHECK(is_rest || !param.value.empty(), "{}", param.name);
  }
}

}  // namespace
}  // namespace funcd::registry

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace funcd::registry;  // NOLINT: the whole program is about it
  auto lines = lines_of({reinterpret_cast<const char*>(data), size});
  const std::string path = std::move(lines.back());
  lines.pop_back();
  std::vector<std::shared_ptr<const Revision>> revisions;
  for (std::string& line : lines) {
    if (parse_route(line)) revisions.push_back(revision_for(std::move(line)));
  }
  auto catalog = Catalog::build(std::move(revisions));
  if (!catalog) return 0;  // two with one route
  check_params((*catalog)->match("GET", path));
  for (const auto& revision : (*catalog)->revisions()) {
    if (!is_static(parse_route(revision->route).value())) continue;
    const Match match = (*catalog)->match("GET", revision->route);
    CHECK(match.kind == Match::Kind::found && *match.revision == revision, "{}", revision->route);
  }
  return 0;
}
