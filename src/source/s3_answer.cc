#include "source/s3_answer.h"

#include <charconv>
#include <pugixml.hpp>

#include "http/percent.h"

namespace funcd::source {
namespace {

Result<ObjectInfo> parse_object(const pugi::xml_node& node, bool is_encoded) {
  ObjectInfo object;
  object.key = node.child_value("Key");
  if (is_encoded) {
    auto key = http::percent_decode(object.key, http::Plus::space);
    if (!key) return fail("the key '{}' cannot be decoded", object.key);
    object.key = std::move(*key);
  }
  object.etag = bare_etag(node.child_value("ETag"));
  const auto bytes = parse_number(node.child_value("Size"));
  if (object.key.empty() || !bytes) {
    return fail("the entry of '{}' lacks its key or size", object.key);
  }
  object.bytes = *bytes;
  object.modified = node.child_value("LastModified");
  return object;
}

}  // namespace

std::string bare_etag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  const bool is_quoted = etag.size() >= 2 && etag.front() == '"' && etag.back() == '"';
  return std::string(is_quoted ? etag.substr(1, etag.size() - 2) : etag);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<ListPage> parse_listing(std::string_view xml) {
  pugi::xml_document document;
  const auto parsed =
      document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed) return fail("the listing is no XML: {} at {}", parsed.description(), parsed.offset);
  const auto root = document.child("ListBucketResult");
  if (!root) {
    return fail("the answer is no listing: it holds <{}>", document.first_child().name());
  }
  const std::string_view truncated = root.child_value("IsTruncated");
  if (truncated != "true" && truncated != "false") {
    return fail("the listing does not tell whether it is whole (IsTruncated)");
  }
  ListPage page;
  page.next = root.child_value("NextContinuationToken");
  if (truncated == "false") page.next.clear();
  if (truncated == "true" && page.next.empty()) {
    return fail("the listing goes on and does not tell where (NextContinuationToken)");
  }
  const bool is_encoded = std::string_view(root.child_value("EncodingType")) == "url";
  for (const auto& node : root.children("Contents")) {
    page.objects.push_back(TRY(parse_object(node, is_encoded)));
  }
  if (const auto count = parse_number(root.child_value("KeyCount"));
      count && *count != page.objects.size()) {
    return fail("the listing announces {} objects and holds {}", *count, page.objects.size());
  }
  return page;
}

ErrorAnswer parse_error(std::string_view xml) {
  pugi::xml_document document;
  ErrorAnswer answer;
  if (!document.load_buffer(xml.data(), xml.size())) return answer;
  const auto root = document.child("Error");
  answer.code = root.child_value("Code");
  answer.message = root.child_value("Message");
  answer.region = root.child_value("Region");
  return answer;
}

}  // namespace funcd::source
