#include "registry/route_table.h"

#include <utility>

#include "http/percent.h"

namespace funcd::registry {
namespace {

// The text is known to decode.
std::string decoded(std::string_view text) {
  return *http::percent_decode(text);
}

bool is_encoded(std::string_view text) {
  return text.find('%') != std::string_view::npos;
}

bool is_decodable(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return false;
  if (!is_encoded(path)) return true;
  const auto text = http::percent_decode(path);
  return text && text->find('\0') == std::string::npos;
}

// "." and "..", with dots perhaps written %2e.
bool is_dot_segment(std::string_view segment) {
  if (segment.empty() || segment.size() > 6) return false;
  const std::string text = decoded(segment);
  return text == "." || text == "..";
}

// Takes the first segment off a path; nothing is left after the last one.
std::string_view take_segment(std::optional<std::string_view>& path) {
  const std::size_t slash = path->find('/');
  const std::string_view segment = path->substr(0, slash);
  if (slash == std::string_view::npos)
    path.reset();
  else
    path->remove_prefix(slash + 1);
  return segment;
}

bool has_unmatchable_segment(std::string_view path) {
  std::optional<std::string_view> left = path.substr(1);
  while (left) {
    const std::string_view segment = take_segment(left);
    if (is_dot_segment(segment) || (segment.empty() && left)) return true;
  }
  return false;
}

}  // namespace

struct RouteTable::Node {
  TextMap<std::unique_ptr<Node>> literals;
  std::unique_ptr<Node> parameter;
  std::optional<std::uint32_t> end;   // the route that ends here
  std::optional<std::uint32_t> rest;  // the route whose '*' stands here
};

RouteTable::RouteTable() : root_(std::make_unique<Node>()) {}
RouteTable::~RouteTable() = default;
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;

std::optional<std::uint32_t> RouteTable::add(const std::vector<Segment>& route,
                                             std::uint32_t number) {
  Node* node = root_.get();
  std::optional<std::uint32_t>* place = nullptr;
  std::vector<std::string> names;
  for (const Segment& segment : route) {
    if (segment.kind != Segment::Kind::literal) names.push_back(segment.text);
    if (segment.kind == Segment::Kind::rest) {
      place = &node->rest;
      break;
    }
    auto& next =
        segment.kind == Segment::Kind::literal ? node->literals[segment.text] : node->parameter;
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  if (place == nullptr) place = &node->end;
  if (place->has_value()) return *place;
  *place = number;
  if (is_static(route))
    statics_.emplace(shape_of(route), number);
  else
    names_.emplace(number, std::move(names));
  return std::nullopt;
}

RouteTable::Found RouteTable::find(std::string_view path) const {
  if (const auto at = statics_.find(path); at != statics_.end()) {
    return {Found::Kind::found, at->second, true, {}};
  }
  if (!is_decodable(path)) return {Found::Kind::bad_path, 0, false, {}};
  if (path.empty() || path.front() != '/') return {};
  if (names_.empty() && !is_encoded(path)) return {};
  if (has_unmatchable_segment(path)) return {};

  std::vector<std::string_view> taken;
  const auto number = walk(*root_, path.substr(1), taken);
  if (!number) return {};
  Found found{Found::Kind::found, *number, taken.empty(), {}};
  if (taken.empty()) return found;
  const auto& names = names_.at(*number);
  found.params.reserve(taken.size());
  for (std::size_t i = 0; i < taken.size(); ++i) {
    found.params.push_back({names[i], decoded(taken[i])});
  }
  return found;
}

// Tries what is nearer to the path first and comes back when it leads nowhere. A node is visited at
// most once for each path, as only one way leads to it.
std::optional<std::uint32_t> RouteTable::walk(const Node& node,
                                              std::optional<std::string_view> path,
                                              std::vector<std::string_view>& taken) {
  if (!path) return node.end;
  std::optional<std::string_view> left = path;
  const std::string_view segment = take_segment(left);

  const auto literal =
      is_encoded(segment) ? node.literals.find(decoded(segment)) : node.literals.find(segment);
  if (literal != node.literals.end()) {
    if (const auto number = walk(*literal->second, left, taken)) return number;
  }
  if (node.parameter && !segment.empty()) {
    taken.push_back(segment);
    if (const auto number = walk(*node.parameter, left, taken)) return number;
    taken.pop_back();
  }
  if (node.rest) taken.push_back(*path);
  return node.rest;
}

}  // namespace funcd::registry
