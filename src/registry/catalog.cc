#include "registry/catalog.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/text.h"

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

// A Host field's name in lower case, without port and final dot; empty when it is too long for one.
std::string_view host_name_of(std::string_view host, std::array<char, kHostBytesMax>& buffer) {
  const std::size_t colon = host.rfind(':');
  if (colon != host.npos && host.find(']', colon) == host.npos) host = host.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() > buffer.size()) return {};
  std::transform(host.begin(), host.end(), buffer.begin(), [](char c) { return lower(c); });
  return {buffer.data(), host.size()};
}

}  // namespace

void Match::meet(const std::shared_ptr<const Revision>& met, std::string_view method) {
  if (!is_allowed(met->manifest.methods, method)) {
    kind = Kind::method_not_allowed;
    allow = allow_of(met->manifest.methods);
    return;
  }
  kind = Kind::found;
  revision = &met;
}

Result<std::shared_ptr<const Catalog>> Catalog::build(Revisions revisions, bool has_public_folder,
                                                      const Revisions& canaries) {
  auto catalog = std::make_shared<Catalog>();
  catalog->has_public_folder_ = has_public_folder;
  catalog->revisions_ = std::move(revisions);
  for (std::uint32_t i = 0; i < catalog->revisions_.size(); ++i) {
    const Revision& revision = *catalog->revisions_[i];
    const std::string& host = revision.manifest.host;
    RouteTable& routes = host.empty() ? catalog->routes_ : catalog->hosts_[host];
    const auto taken = routes.add(TRY(parse_route(revision.route)), i);
    if (taken) {
      return fail("route {}{}: is that of both '{}' and '{}'; give one of them another route", host,
                  revision.route, catalog->revisions_[*taken]->function->name,
                  revision.function->name);
    }
  }
  if (!canaries.empty()) catalog->canaries_.resize(catalog->revisions_.size());
  for (const auto& canary : canaries) {
    const auto beside = std::ranges::find_if(catalog->revisions_, [&canary](const auto& revision) {
      return revision->function->name == canary->function->name;
    });
    CHECK(beside != catalog->revisions_.end(), "{}", canary->function->title);
    catalog->canaries_[static_cast<std::size_t>(beside - catalog->revisions_.begin())] = canary;
  }
  return catalog;
}

std::shared_ptr<const Revision> Catalog::find_title(std::string_view title) const {
  for (const Revisions* among : {&revisions_, &canaries_}) {
    for (const auto& revision : *among) {
      if (revision != nullptr && revision->function->title == title) return revision;
    }
  }
  return nullptr;
}

bool Catalog::has(const Revision& revision) const {
  const auto is_it = [&revision](const auto& each) { return each.get() == &revision; };
  return std::ranges::any_of(revisions_, is_it) || std::ranges::any_of(canaries_, is_it);
}

RouteTable::Found Catalog::find(std::string_view path, std::string_view host) const {
  std::array<char, kHostBytesMax> buffer;
  const std::string_view name = host_name_of(host, buffer);
  if (name.empty()) return {};
  if (const auto at = hosts_.find(name); at != hosts_.end()) {
    auto found = at->second.find(path);
    if (found.kind != RouteTable::Found::Kind::not_found) return found;
  }
  std::array<char, kHostBytesMax + 2> pattern;
  pattern[0] = '*';
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    const std::string_view suffix = name.substr(dot);
    std::copy(suffix.begin(), suffix.end(), pattern.begin() + 1);
    const auto at = hosts_.find(std::string_view(pattern.data(), suffix.size() + 1));
    if (at == hosts_.end()) continue;
    auto found = at->second.find(path);
    if (found.kind != RouteTable::Found::Kind::not_found) return found;
  }
  return {};
}

Match Catalog::match(std::string_view method, std::string_view path, std::string_view host) const {
  RouteTable::Found found;
  if (!hosts_.empty()) found = find(path, host);
  if (found.kind == RouteTable::Found::Kind::not_found) found = routes_.find(path);
  Match match;
  if (found.kind == RouteTable::Found::Kind::not_found) return match;
  if (found.kind == RouteTable::Found::Kind::bad_path) {
    match.kind = Match::Kind::bad_path;
    return match;
  }
  match.is_static = found.is_static;
  match.params = std::move(found.params);
  match.meet(revisions_[found.number], method);
  if (!canaries_.empty() && canaries_[found.number] != nullptr) {
    match.canary = &canaries_[found.number];
  }
  return match;
}

}  // namespace funcd::registry
