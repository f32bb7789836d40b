#include "registry/catalog.h"

#include <algorithm>
#include <utility>

namespace funcd::registry {
namespace {

bool is_allowed(const std::vector<std::string>& methods, std::string_view method) {
  if (methods.empty()) return true;
  // RFC 9110 9.3.2: what answers GET answers HEAD.
  return std::any_of(methods.begin(), methods.end(), [method](const std::string& allowed) {
    return allowed == method || (method == "HEAD" && allowed == "GET");
  });
}

// The value of an Allow field (RFC 9110 10.2.1).
std::string allow_of(const std::vector<std::string>& methods) {
  const bool names_head = std::find(methods.begin(), methods.end(), "HEAD") != methods.end();
  std::string allow;
  for (const std::string& method : methods) {
    if (!allow.empty()) allow += ", ";
    allow += method;
    if (method == "GET" && !names_head) allow += ", HEAD";
  }
  return allow;
}

}  // namespace

Result<std::shared_ptr<const Catalog>> Catalog::build(
    std::vector<std::shared_ptr<const Revision>> revisions) {
  auto catalog = std::make_shared<Catalog>();
  catalog->revisions_ = std::move(revisions);
  for (std::uint32_t i = 0; i < catalog->revisions_.size(); ++i) {
    const Revision& revision = *catalog->revisions_[i];
    const auto taken = catalog->routes_.add(TRY(parse_route(revision.route)), i);
    if (taken) {
      return fail("route {}: is that of both '{}' and '{}'; give one of them another route",
                  revision.route, catalog->revisions_[*taken]->function->name,
                  revision.function->name);
    }
  }
  return catalog;
}

Match Catalog::match(std::string_view method, std::string_view path) const {
  auto found = routes_.find(path);
  Match match;
  if (found.kind == RouteTable::Found::Kind::not_found) return match;
  if (found.kind == RouteTable::Found::Kind::bad_path) {
    match.kind = Match::Kind::bad_path;
    return match;
  }
  const auto& revision = revisions_[found.number];
  if (!is_allowed(revision->manifest.methods, method)) {
    match.kind = Match::Kind::method_not_allowed;
    match.allow = allow_of(revision->manifest.methods);
    return match;
  }
  match.kind = Match::Kind::found;
  match.revision = &revision;
  match.params = std::move(found.params);
  return match;
}

}  // namespace funcd::registry
