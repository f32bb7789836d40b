#include "registry/status_board.h"

#include <gtest/gtest.h>

#include "registry/route.h"

namespace funcd::registry {
namespace {

std::shared_ptr<const Catalog> catalog_of(const std::string& name, const std::string& route) {
  auto revision = std::make_shared<Revision>();
  revision->function = std::make_shared<Function>(name, 1);
  revision->route = route;
  return Catalog::build({revision}).value();
}

class StatusBoardTest : public ::testing::Test {
 protected:
  void expect(const std::vector<std::pair<std::string, std::string>>& functions) {
    std::vector<StatusBoard::Expected> expected;
    for (const auto& [name, route] : functions)
      expected.push_back({name, parse_route(route).value()});
    board_.expect(expected);
  }
  void show(const std::string& name, FunctionState state) {
    FunctionStatus status;
    status.name = name;
    status.state = state;
    board_.show(status);
  }

  StatusBoard board_{"functions"};
};

TEST_F(StatusBoardTest, BeforeTheFirstLookAnyPathMayBeAFunction) {
  EXPECT_TRUE(board_.is_building("/x"));
  expect({});
  EXPECT_FALSE(board_.is_building("/x"));
}

TEST_F(StatusBoardTest, ARouteIsExpectedUntilACatalogHasItsFunction) {
  expect({{"a", "/a/{id}"}, {"b", "/b"}});
  show("a", FunctionState::building);
  EXPECT_TRUE(board_.is_building("/a/1"));
  EXPECT_FALSE(board_.is_building("/c"));
  // A newer file of it is decided before the first one is in a catalog.
  show("a", FunctionState::stale);
  show("a", FunctionState::live);
  EXPECT_TRUE(board_.is_building("/a/1"));
  board_.show_catalog(catalog_of("b", "/b"));
  EXPECT_TRUE(board_.is_building("/a/1"));
  EXPECT_FALSE(board_.is_building("/b"));
  board_.show_catalog(catalog_of("a", "/a/{id}"));
  EXPECT_FALSE(board_.is_building("/a/1"));
}

TEST_F(StatusBoardTest, WhatFailedOrIsGoneIsNotExpected) {
  expect({{"a", "/a"}, {"b", "/b"}});
  show("a", FunctionState::failed);
  EXPECT_FALSE(board_.is_building("/a"));
  board_.hide("b");
  EXPECT_FALSE(board_.is_building("/b"));
}

TEST_F(StatusBoardTest, OfTwoWithOneRouteEitherIsWaitedFor) {
  expect({{"a", "/x/{id}"}, {"b", "/x/{name}"}});
  show("a", FunctionState::failed);
  EXPECT_TRUE(board_.is_building("/x/1"));
  show("b", FunctionState::failed);
  EXPECT_FALSE(board_.is_building("/x/1"));
}

}  // namespace
}  // namespace funcd::registry
