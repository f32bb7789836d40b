#include "registry/status_board.h"

#include <utility>

namespace funcd::registry {

std::string_view name_of(FunctionState state) {
  switch (state) {
    case FunctionState::building:
      return "building";
    case FunctionState::live:
      return "live";
    case FunctionState::stale:
      return "stale";
    case FunctionState::failed:
      return "failed";
  }
  return "";
}

void StatusBoard::show(FunctionStatus status) {
  const std::lock_guard lock(mutex_);
  if (status.state == FunctionState::failed) forget_expected(status.name);
  std::string name = status.name;
  functions_.insert_or_assign(std::move(name), std::move(status));
}

void StatusBoard::hide(const std::string& name) {
  const std::lock_guard lock(mutex_);
  forget_expected(name);
  functions_.erase(name);
}

void StatusBoard::show_problems(std::vector<Problem> problems) {
  const std::lock_guard lock(mutex_);
  problems_ = std::move(problems);
}

void StatusBoard::show_source_error(std::string error) {
  const std::lock_guard lock(mutex_);
  source_error_ = std::move(error);
}

void StatusBoard::show_catalog(std::shared_ptr<const Catalog> catalog) {
  const std::lock_guard lock(mutex_);
  catalog_ = std::move(catalog);
  newest_.store(catalog_.get());
  if (expected_numbers_.empty()) return;
  // After it is the newest, or who asks in between would find nothing to wait for.
  for (const auto& revision : catalog_->revisions()) forget_expected(revision->function->name);
}

void StatusBoard::finish_first_scan() {
  is_first_scan_done_.store(true);
}

void StatusBoard::expect(const std::vector<Expected>& functions) {
  RouteTable routes;
  std::vector<std::size_t> by;
  std::map<std::string, std::size_t, std::less<>> numbers;
  for (const Expected& function : functions) {
    const auto same = routes.add(function.route, static_cast<std::uint32_t>(by.size()));
    const std::size_t number = same ? *same : by.size();
    if (!same) by.push_back(0);
    ++by[number];
    numbers.emplace(function.name, number);
  }
  const std::lock_guard lock(mutex_);
  expected_routes_ = std::move(routes);
  expected_by_ = std::move(by);
  expected_numbers_ = std::move(numbers);
  expected_count_ = expected_numbers_.size();
  has_looked_.store(true, std::memory_order_release);
}

void StatusBoard::forget_expected(const std::string& name) {
  const auto number = expected_numbers_.find(name);
  if (number == expected_numbers_.end()) return;
  --expected_by_[number->second];
  expected_numbers_.erase(number);
  expected_count_ = expected_numbers_.size();
}

Status StatusBoard::status() const {
  Status status;
  status.source = source_;
  const std::lock_guard lock(mutex_);
  status.functions.reserve(functions_.size());
  for (const auto& [name, function] : functions_) status.functions.push_back(function);
  status.problems = problems_;
  status.is_first_scan_done = is_first_scan_done();
  status.source_error = source_error_;
  return status;
}

std::shared_ptr<const Catalog> StatusBoard::catalog() const {
  const std::lock_guard lock(mutex_);
  return catalog_;
}

bool StatusBoard::is_building(std::string_view path) const {
  if (!has_looked_.load(std::memory_order_acquire)) return true;
  // Asked for each path that meets nothing: mostly there is nothing to wait for.
  if (expected_count_.load() == 0) return false;
  const std::lock_guard lock(mutex_);
  const auto found = expected_routes_.find(path);
  return found.kind == RouteTable::Found::Kind::found && expected_by_[found.number] > 0;
}

}  // namespace funcd::registry
