#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "registry/catalog.h"
#include "registry/route_table.h"
#include "registry/status.h"

namespace funcd::registry {

// What the builder's thread shows to the others: the catalog and the status. Thread-safe.
class StatusBoard {
 public:
  explicit StatusBoard(std::string source) : source_(std::move(source)) {}

  // From the builder's thread.
  void show(FunctionStatus status);
  void hide(const std::string& name);
  void show_problems(std::vector<Problem> problems);
  void show_source_error(std::string error);
  void show_catalog(std::shared_ptr<const Catalog> catalog);
  void finish_first_scan();
  // A route whose function is in no catalog yet: until one that has it is shown, the function is
  // shown as failed, or it is hidden.
  struct Expected {
    std::string name;
    std::vector<Segment> route;
  };
  void expect(const std::vector<Expected>& functions);

  // From any thread.
  [[nodiscard]] Status status() const;
  [[nodiscard]] std::shared_ptr<const Catalog> catalog() const;
  [[nodiscard]] bool is_building(std::string_view path) const;
  [[nodiscard]] bool is_first_scan_done() const { return is_first_scan_done_.load(); }
  [[nodiscard]] bool is_newest(const Catalog& catalog) const { return newest_.load() == &catalog; }

 private:
  void forget_expected(const std::string& name);

  const std::string source_;
  mutable std::mutex mutex_;
  std::map<std::string, FunctionStatus> functions_;
  std::vector<Problem> problems_;
  std::string source_error_;
  std::atomic<bool> is_first_scan_done_{false};
  std::shared_ptr<const Catalog> catalog_ = std::make_shared<const Catalog>();
  std::atomic<const Catalog*> newest_{nullptr};  // catalog_, once there is one
  RouteTable expected_routes_;
  std::vector<std::size_t> expected_by_;  // by number in the table: how many functions
  std::map<std::string, std::size_t, std::less<>> expected_numbers_;  // by function
  std::atomic<std::size_t> expected_count_{0};
  // Until the first look at the source any path may be that of a function.
  std::atomic<bool> has_looked_{false};
};

}  // namespace funcd::registry
