#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "registry/route.h"

namespace funcd::registry {

struct PathParam {
  std::string name;
  std::string value;  // percent-decoded
};

// Routes and a number for each. Filled by one thread, then read by any.
class RouteTable {
 public:
  RouteTable();
  ~RouteTable();
  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;

  // Nothing, or the number that a route of the same shape has; the table is then as before.
  [[nodiscard]] std::optional<std::uint32_t> add(const std::vector<Segment>& route,
                                                 std::uint32_t number);

  struct Found {
    enum class Kind : std::uint8_t { found, not_found, bad_path };
    Kind kind = Kind::not_found;
    std::uint32_t number = 0;
    bool is_static = false;
    std::vector<PathParam> params;  // "*" names what a nameless wildcard took
  };
  // `path` is raw. At each segment a literal wins over a parameter, and that over `*`, so the
  // longest static prefix wins. A path with an empty segment before its last, or with a dot segment
  // (RFC 3986 3.3; clients remove them) in whatever spelling, meets nothing. A static route whose
  // path comes as it was written costs one hash look-up and no allocation.
  [[nodiscard]] Found find(std::string_view path) const;

 private:
  struct Node;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  template <class Value>
  using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

  [[nodiscard]] static std::optional<std::uint32_t> walk(const Node& node,
                                                         std::optional<std::string_view> path,
                                                         std::vector<std::string_view>& taken);

  TextMap<std::uint32_t> statics_;
  std::unique_ptr<Node> root_;
  std::unordered_map<std::uint32_t, std::vector<std::string>> names_;  // of parameters, by number
};

}  // namespace funcd::registry
