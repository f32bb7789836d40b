#include "engine/pagemap_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace funcd::engine {
namespace {

using Bounds = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

Bounds merged(const Bounds& bounds, std::size_t regions_max, std::uint64_t gap_bytes_max) {
  std::vector<PageRegion> regions;
  regions.reserve(bounds.size());
  for (const auto& [start, end] : bounds) regions.push_back({start, end, 0});
  regions.resize(merge_regions(regions, regions_max, gap_bytes_max));
  Bounds made;
  for (const PageRegion& each : regions) made.emplace_back(each.start, each.end);
  return made;
}

TEST(PagemapScan, FewRegionsStay) {
  const Bounds three = {{0, 1}, {2, 3}, {8, 9}};
  EXPECT_EQ(merged(three, 3, 100), three);
  EXPECT_EQ(merged(three, 32, 100), three);
  EXPECT_EQ(merged({}, 32, 100), Bounds{});
}

TEST(PagemapScan, ThoseWithTheLeastBetweenThemAreOne) {
  EXPECT_EQ(merged({{0, 1}, {5, 6}, {7, 8}, {20, 21}, {23, 24}}, 3, 100),
            (Bounds{{0, 1}, {5, 8}, {20, 24}}));
  // Gaps of one width: the first ones, and no more than are needed to keep all.
  const Bounds made = merged({{0, 1}, {2, 3}, {4, 5}, {6, 7}}, 2, 100);
  EXPECT_LE(made.size(), 2U);
  EXPECT_EQ(made.front().first, 0U);
  EXPECT_EQ(made.back().second, 7U);
}

TEST(PagemapScan, WhatLiesTooFarApartIsLeftOut) {
  EXPECT_EQ(merged({{0, 1}, {101, 102}, {202, 203}, {303, 304}}, 2, 50),
            (Bounds{{0, 1}, {101, 102}}));
  EXPECT_EQ(merged({{0, 1}, {101, 102}, {202, 203}, {303, 304}}, 2, 120),
            (Bounds{{0, 102}, {202, 203}}));
}

}  // namespace
}  // namespace funcd::engine
