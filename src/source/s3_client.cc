#include "source/s3_client.h"

#include <condition_variable>
#include <mutex>
#include <random>
#include <utility>

#include "base/base64.h"
#include "base/file.h"

namespace funcd::source {
namespace {

using Kind = S3Error::Kind;

constexpr std::size_t kPagesMax = 10'000;
constexpr std::size_t kPageObjects = 1'000;
// SHA-256 of nothing.
constexpr std::string_view kEmptyDigest =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

bool may_help(Kind kind) {
  return kind == Kind::unreachable;
}

tl::unexpected<S3Error> garbage(const S3Endpoint& endpoint, const std::string& message) {
  return tl::unexpected(S3Error{
      .kind = Kind::garbage,
      .message = fmt::format("{}: what {} answers is not S3: {}", format_s3_url(endpoint.location),
                             endpoint.host_text, message)});
}

}  // namespace

S3Client::S3Client(S3Endpoint endpoint, CredentialChain& credentials, std::stop_token stop)
    : endpoint_(std::move(endpoint)), credentials_(credentials), stop_(std::move(stop)) {}

std::string S3Client::url_of(std::string_view key) const {
  return fmt::format("{}/{}", endpoint_.url, encode_uri(key, Slash::kept));
}

// Grows, and differs from node to node. False when stopped meanwhile.
bool S3Client::pause(int tries) const {
  static thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_real_distribution<double> share(0.5, 1.0);
  const auto length = kPause * (1 << (tries - 1)) * share(random);
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop_, length, [] { return false; });
  return !stop_.stop_requested();
}

S3Result<WebResponse> S3Client::send_once(WebRequest& request, std::string_view what) {
  auto credentials = credentials_.get();
  if (!credentials) {
    return tl::unexpected(S3Error{
        .kind = Kind::refused,
        .message =
            fmt::format("{}: {}", format_s3_url(endpoint_.location), credentials.error().message)});
  }
  access_key_ = credentials->key;
  request.signature = {
      .key = credentials->key, .secret = credentials->secret, .region = endpoint_.region};
  const auto fields = request.fields.size();
  request.fields.push_back("x-amz-content-sha256: " + (request.body.empty()
                                                           ? std::string(kEmptyDigest)
                                                           : sha256_hex(request.body)));
  if (!credentials->token.empty()) {
    request.fields.push_back("x-amz-security-token: " + credentials->token);
  }
  auto answer = web_.send(request, stop_);
  request.fields.resize(fields);
  if (!answer) {
    auto error = explain(endpoint_, answer.error());
    if (answer.error().is_sinks) error = {.kind = Kind::local, .message = answer.error().message};
    return tl::unexpected(std::move(error));
  }
  // S3 answers 400 where a session's token has expired.
  const bool may_be_old = answer->status == 400 || answer->status == 401 || answer->status == 403;
  if (may_be_old) credentials_.forget();
  if (answer->status >= 500 || answer->status == 429) {
    return tl::unexpected(explain(endpoint_, what, access_key_, *answer));
  }
  return std::move(*answer);
}

S3Result<WebResponse> S3Client::send(WebRequest request, std::string_view what, Tries tries) {
  for (int tried = 1;; ++tried) {
    auto answer = send_once(request, what);
    if (answer || tries == Tries::one || tried == kTriesMax || !may_help(answer.error().kind) ||
        !pause(tried)) {
      return answer;
    }
  }
}

S3Result<std::vector<ObjectInfo>> S3Client::list(std::string_view prefix, std::size_t objects_max) {
  std::vector<ObjectInfo> objects;
  std::string token;
  for (std::size_t pages = 0; pages < kPagesMax; ++pages) {
    WebRequest request;
    const std::string continued =
        token.empty() ? ""
                      : fmt::format("continuation-token={}&", encode_uri(token, Slash::encoded));
    request.url =
        fmt::format("{}?{}encoding-type=url&list-type=2&max-keys={}&prefix={}", endpoint_.list_url,
                    continued, kPageObjects, encode_uri(prefix, Slash::encoded));
    constexpr std::string_view kWhat = "list the objects";
    auto answer = send(std::move(request), kWhat, Tries::some);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status != 200) {
      return tl::unexpected(explain(endpoint_, kWhat, access_key_, *answer));
    }
    auto page = parse_listing(answer->body);
    if (!page) return garbage(endpoint_, page.error().message);
    for (ObjectInfo& object : page->objects) {
      if (!object.key.starts_with(prefix)) {
        return garbage(endpoint_,
                       fmt::format("the listing of '{}' holds '{}'", prefix, object.key));
      }
      objects.push_back(std::move(object));
    }
    if (objects.size() > objects_max) {
      return tl::unexpected(
          S3Error{.kind = Kind::refused,
                  .message = fmt::format("{}: has more than {} objects; name a prefix that holds "
                                         "functions only",
                                         format_s3_url(endpoint_.location), objects_max)});
    }
    if (page->next.empty()) return objects;
    if (page->next == token) return garbage(endpoint_, "the listing does not advance");
    token = std::move(page->next);
  }
  return garbage(endpoint_, "the listing does not end");
}

S3Result<std::optional<S3Client::Head>> S3Client::head(const std::string& key) {
  WebRequest request;
  request.method = "HEAD";
  request.url = url_of(key);
  const std::string what = "look at " + key;
  auto answer = send(std::move(request), what, Tries::some);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 404) return std::nullopt;
  if (answer->status != 200) {
    return tl::unexpected(explain(endpoint_, what, access_key_, *answer));
  }
  return Head{.etag = bare_etag(answer->field("etag")),
              .bytes = parse_number(answer->field("content-length")).value_or(0),
              .sha256 = answer->field(std::string(kDigestField)),
              .module_digest = answer->field(std::string(kModuleField))};
}

S3Result<S3Client::Got> S3Client::get(const Get& request) {
  Got got;
  WebRequest web;
  web.url = url_of(request.key);
  web.fields.emplace_back("x-amz-checksum-mode: ENABLED");
  if (!request.etag.empty()) web.fields.push_back(fmt::format("If-Match: \"{}\"", request.etag));
  if (request.offset > 0) web.fields.push_back(fmt::format("Range: bytes={}-", request.offset));
  constexpr std::string_view kIsWhole = "whole";
  web.on_head = [&](int status, const auto& fields) -> Result<> {
    const auto field = [&fields](const std::string& name) {
      const auto found = fields.find(name);
      return found == fields.end() ? std::string() : found->second;
    };
    got.head.etag = bare_etag(field("etag"));
    got.head.sha256 = field(std::string(kDigestField));
    got.head.module_digest = field(std::string(kModuleField));
    got.head.bytes = parse_number(field("content-length")).value_or(0) + request.offset;
    if (!request.etag.empty() && got.head.etag != request.etag) got.kind = Got::Kind::changed;
    if (request.offset > 0 &&
        (status != 206 ||
         !field("content-range").starts_with(fmt::format("bytes {}-", request.offset)))) {
      got.kind = Got::Kind::is_whole;
    }
    if (got.kind != Got::Kind::read) return fail("{}", kIsWhole);
    const auto checksum = decode_base64(field("x-amz-checksum-sha256"));
    if (checksum && checksum->size() == 32 && request.offset == 0) {
      got.checksum_sha256 = hex_of(*checksum);
    }
    return {};
  };
  web.on_body = request.sink;
  const std::string what = "read " + request.key;
  auto answer = send(std::move(web), what, Tries::one);
  if (!answer && got.kind != Got::Kind::read) return got;
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 404 && parse_error(answer->body).code != "NoSuchBucket") {
    got.kind = Got::Kind::gone;
  } else if (answer->status == 412) {
    got.kind = Got::Kind::changed;
  } else if (answer->status != 200 && answer->status != 206) {
    return tl::unexpected(explain(endpoint_, what, access_key_, *answer));
  }
  return got;
}

S3Result<std::optional<S3Client::Text>> S3Client::get_text(const std::string& key,
                                                           std::uint64_t bytes_max) {
  for (int tried = 1;; ++tried) {
    Text text;
    auto got = get({.key = key,
                    .etag = {},
                    .offset = 0,
                    .sink = [&](std::span<const std::uint8_t> piece) -> Result<> {
                      if (text.text.size() + piece.size() > bytes_max) {
                        return fail("{}: has more than {} bytes", key, bytes_max);
                      }
                      text.text.append(piece.begin(), piece.end());
                      return {};
                    }});
    if (!got) {
      if (tried < kTriesMax && may_help(got.error().kind) && pause(tried)) continue;
      return tl::unexpected(got.error());
    }
    if (got->kind == Got::Kind::gone) return std::nullopt;
    text.etag = got->head.etag;
    return text;
  }
}

S3Result<bool> S3Client::put(const Put& request) {
  WebRequest web;
  web.method = "PUT";
  web.url = url_of(request.key);
  web.body = request.content;
  web.fields.push_back(fmt::format("{}: {}", kDigestField, sha256_hex(request.content)));
  if (!request.module_digest.empty()) {
    web.fields.push_back(fmt::format("{}: {}", kModuleField, request.module_digest));
  }
  web.on_sent = request.on_sent;
  if (!request.if_etag.empty()) {
    web.fields.push_back(fmt::format("If-Match: \"{}\"", request.if_etag));
  }
  if (request.is_new_only) web.fields.emplace_back("If-None-Match: *");
  const std::string what = "write " + request.key;
  // A conditional one that was lost may have been done: to send it again could tell the wrong tale.
  const bool has_condition = request.is_new_only || !request.if_etag.empty();
  auto answer = send(std::move(web), what, has_condition ? Tries::one : Tries::some);
  if (!answer) return tl::unexpected(answer.error());
  const bool is_gone = answer->status == 404 && parse_error(answer->body).code == "NoSuchKey";
  if (answer->status == 412 || answer->status == 409 || is_gone) return false;
  if (answer->status != 200) {
    return tl::unexpected(explain(endpoint_, what, access_key_, *answer));
  }
  return true;
}

S3Result<> S3Client::remove(const std::string& key) {
  WebRequest request;
  request.method = "DELETE";
  request.url = url_of(key);
  const std::string what = "remove " + key;
  auto answer = send(std::move(request), what, Tries::some);
  if (!answer) return tl::unexpected(answer.error());
  const bool is_gone = answer->status == 404 && parse_error(answer->body).code != "NoSuchBucket";
  if (answer->status != 200 && answer->status != 204 && !is_gone) {
    return tl::unexpected(explain(endpoint_, what, access_key_, *answer));
  }
  return {};
}

}  // namespace funcd::source
