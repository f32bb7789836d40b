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
  // Has it meet a revision: found, or method_not_allowed.
  void meet(const std::shared_ptr<const Revision>& met, std::string_view method);

  enum class Kind : std::uint8_t { found, not_found, method_not_allowed, bad_path };
  Kind kind = Kind::not_found;
  const std::shared_ptr<const Revision>* revision = nullptr;  // of the catalog, when found
  // That of the function which is met, whether it allows the method or not; null where there is
  // none. Who is to meet it instead is the caller's to say, by meet().
  const std::shared_ptr<const Revision>* canary = nullptr;
  bool is_static = false;  // the route that is met has neither parameters nor a wildcard
  std::vector<PathParam> params;
  std::string allow;  // "GET, HEAD, POST", when the method is not allowed
};

// Routes to revisions at one moment. Immutable: a change makes a new catalog.
class Catalog {
 public:
  Catalog() = default;
  using Revisions = std::vector<std::shared_ptr<const Revision>>;
  // Two revisions with one route are an error that names both functions. Canaries, one of a
  // function at the most, have their function's route.
  [[nodiscard]] static Result<std::shared_ptr<const Catalog>> build(Revisions revisions,
                                                                    bool has_public_folder = false,
                                                                    const Revisions& canaries = {});

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
  // Those of revisions(), in their order, with a null for each that has none; or empty.
  [[nodiscard]] std::span<const std::shared_ptr<const Revision>> canaries() const {
    return canaries_;
  }
  // The revision of a function, or of a canary, by its title.
  [[nodiscard]] std::shared_ptr<const Revision> find_title(std::string_view title) const;
  // Whether it is one of its revisions or canaries.
  [[nodiscard]] bool has(const Revision& revision) const;

 private:
  [[nodiscard]] RouteTable::Found find(std::string_view path, std::string_view host) const;

  Revisions revisions_;
  Revisions canaries_;  // of the revisions at the same places, or null; empty when all are
  bool has_public_folder_ = false;
  RouteTable routes_;  // of functions without a host, to places in revisions_
  std::map<std::string, RouteTable, std::less<>> hosts_;  // "api.example.com", "*.example.com"
};

}  // namespace funcd::registry
