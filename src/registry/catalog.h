#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/revision.h"
#include "registry/route_table.h"

namespace funcd::registry {

// What a request's path and method meet.
struct Match {
  enum class Kind : std::uint8_t { found, not_found, method_not_allowed, bad_path };
  Kind kind = Kind::not_found;
  const std::shared_ptr<const Revision>* revision = nullptr;  // of the catalog, when found
  bool is_static = false;         // the route that is met has neither parameters nor a wildcard
  std::vector<PathParam> params;  // names are of the catalog
  std::string allow;              // "GET, HEAD, POST", when the method is not allowed
};

// Routes to revisions at one moment. Immutable: a change makes a new catalog.
class Catalog {
 public:
  Catalog() = default;
  // Two revisions with one route are an error that names both functions.
  [[nodiscard]] static Result<std::shared_ptr<const Catalog>> build(
      std::vector<std::shared_ptr<const Revision>> revisions, bool has_public_folder = false);

  // Functions of the request's host come before those of a wildcard, the longest first, and those
  // before functions without a host. `host` may have a port, and any case.
  //
  // `path` is raw: split at '/', then each segment percent-decoded once (RFC 3986 2.4). The longest
  // static prefix wins; a parameter takes one segment that is not empty, `*` all that is left,
  // perhaps nothing. An empty or a dot segment meets nothing. A path that does not decode, or
  // decodes to a NUL, is a bad_path. HEAD matches where GET does.
  [[nodiscard]] Match match(std::string_view method, std::string_view path,
                            std::string_view host = {}) const;

  // Whether the source has a folder of files that are served as they are.
  [[nodiscard]] bool has_public_folder() const { return has_public_folder_; }
  [[nodiscard]] std::span<const std::shared_ptr<const Revision>> revisions() const {
    return revisions_;
  }

 private:
  [[nodiscard]] RouteTable::Found find(std::string_view path, std::string_view host) const;

  std::vector<std::shared_ptr<const Revision>> revisions_;
  bool has_public_folder_ = false;
  RouteTable routes_;  // of functions without a host, to places in revisions_
  std::map<std::string, RouteTable, std::less<>> hosts_;  // "api.example.com", "*.example.com"
};

}  // namespace funcd::registry
