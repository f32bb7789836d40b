#pragma once

#include <cstdint>
#include <string_view>

namespace funcd::contract {

// What a request body's content-type says of it, as far as DATA is concerned.
enum class MediaType : std::uint8_t {
  json,  // application/json, or any type that ends in +json (RFC 6839 3.1)
  form,  // application/x-www-form-urlencoded
  other,
};

// Of a content-type field's value; parameters such as charset do not count.
[[nodiscard]] MediaType media_type_of(std::string_view content_type);

}  // namespace funcd::contract
