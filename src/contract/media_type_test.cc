#include "contract/media_type.h"

#include <gtest/gtest.h>

namespace funcd::contract {
namespace {

TEST(MediaType, JsonAndFormsAreKnownBesideParametersAndCase) {
  for (const char* type :
       {"application/json", "Application/JSON; charset=utf-8", " application/json ;",
        "application/problem+json", "application/vnd.a.b+JSON;v=1"}) {
    EXPECT_EQ(media_type_of(type), MediaType::json) << type;
  }
  for (const char* type :
       {"application/x-www-form-urlencoded", "APPLICATION/x-www-form-urlencoded;charset=UTF-8"}) {
    EXPECT_EQ(media_type_of(type), MediaType::form) << type;
  }
  for (const char* type : {"", " ", ";", "text/plain", "text/json5", "application/jsonp", "+json",
                           "multipart/form-data; boundary=x", "application/json-seq"}) {
    EXPECT_EQ(media_type_of(type), MediaType::other) << type;
  }
}

}  // namespace
}  // namespace funcd::contract
