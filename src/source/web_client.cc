#include "source/web_client.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "source/curl_library.h"

namespace funcd::source {
namespace {

constexpr int kStatusOk = 200;
constexpr int kStatusPartial = 206;
constexpr std::size_t kFieldsMax = 200;

using FieldList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;
using CurlHandle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

// What the callbacks of one transfer share.
struct Transfer {
  const WebRequest& request;
  const std::stop_token& stop;
  WebResponse response;
  std::string sink_error;
  std::size_t sent = 0;
  bool is_head_told = false;

  [[nodiscard]] bool goes_to_sink() const {
    return request.on_body && (response.status == kStatusOk || response.status == kStatusPartial);
  }
  Result<> tell_head() {
    if (std::exchange(is_head_told, true) || !request.on_head) return {};
    return request.on_head(response.status, response.fields);
  }
};

std::size_t on_field(char* bytes, std::size_t /*one*/, std::size_t count, void* self) {
  auto& response = static_cast<Transfer*>(self)->response;
  const std::string_view line = trimmed({bytes, count}, " \t\r\n");
  if (line.starts_with("HTTP/")) {  // of "100 Continue" too: the last one counts
    response.fields.clear();
    const auto space = line.find(' ');
    response.status = space == std::string_view::npos ? 0 : std::atoi(line.data() + space);
    return count;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || response.fields.size() >= kFieldsMax) return count;
  response.fields[lower(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
  return count;
}

std::size_t on_body(char* bytes, std::size_t /*one*/, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.goes_to_sink()) {
    auto taken = transfer.tell_head();
    if (taken) {
      taken = transfer.request.on_body({reinterpret_cast<const std::uint8_t*>(bytes), count});
    }
    if (taken) return count;
    transfer.sink_error = taken.error().message;
    return 0;
  }
  if (transfer.response.body.size() + count > transfer.request.body_bytes_max) {
    transfer.sink_error =
        fmt::format("the answer has more than {} bytes", transfer.request.body_bytes_max);
    return 0;
  }
  transfer.response.body.append(bytes, count);
  return count;
}

std::size_t on_send(char* into, std::size_t one, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const auto rest = transfer.request.body.subspan(transfer.sent);
  const std::size_t size = std::min(rest.size(), one * count);
  std::memcpy(into, rest.data(), size);
  transfer.sent += size;
  if (transfer.request.on_sent) {
    transfer.request.on_sent(transfer.sent, transfer.request.body.size());
  }
  return size;
}

int on_seek(void* self, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  transfer.sent = static_cast<std::size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int on_progress(void* self, curl_off_t /*down_total*/, curl_off_t /*down*/, curl_off_t /*up_total*/,
                curl_off_t /*up*/) {
  return static_cast<Transfer*>(self)->stop.stop_requested() ? 1 : 0;
}

FieldList fields_of(const WebRequest& request, const CurlLibrary& curl) {
  curl_slist* list = nullptr;
  for (const std::string& field : request.fields) list = curl.slist_append(list, field.c_str());
  // Neither is wanted: the one would cost a round trip, the other would be sent as a form's.
  list = curl.slist_append(list, "Expect:");
  list = curl.slist_append(list, "Content-Type:");
  return {list, curl.slist_free_all};
}

// What to do about a certificate that is not trusted. The words are OpenSSL's.
std::string_view remedy_of(std::string_view words) {
  const auto has = [words](std::string_view part) {
    return words.find(part) != std::string_view::npos;
  };
  if (has("expired") || has("not yet valid")) {
    return "; have it renewed, or set this machine's clock with NTP";
  }
  if (has("target host name")) return "; name the server as its certificate does";
  return "; name the certificate authority's file in AWS_CA_BUNDLE if it is one of your own";
}

// curl's words for it, in ours where they would not help.
std::string message_of(CURLcode code, const char* detail, const CurlLibrary& curl) {
  std::string text = *detail != '\0' ? detail : curl.easy_strerror(code);
  while (text.ends_with('.') || text.ends_with('\n')) text.pop_back();
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  if (code == CURLE_PEER_FAILED_VERIFICATION) text += remedy_of(text);
  if (code == CURLE_SSL_CACERT_BADFILE) text += "; check AWS_CA_BUNDLE";
  const bool is_plain = text.find("wrong version number") != std::string::npos;
  if (code == CURLE_SSL_CONNECT_ERROR && is_plain) {
    text += "; if it speaks no TLS, begin its address with http://";
  }
  return text;
}

}  // namespace

struct WebClient::Handle {
  explicit Handle(const CurlLibrary& library)
      : curl(library), easy(curl.easy_init(), curl.easy_cleanup) {
    CHECK(easy != nullptr);
  }

  void prepare(const WebRequest& request, Transfer& transfer, curl_slist* fields, char* detail);

  const CurlLibrary& curl;
  CurlHandle easy;
};

WebClient::WebClient() = default;
WebClient::~WebClient() = default;
WebClient::WebClient(WebClient&&) noexcept = default;
WebClient& WebClient::operator=(WebClient&&) noexcept = default;

void WebClient::Handle::prepare(const WebRequest& request, Transfer& transfer, curl_slist* fields,
                                char* detail) {
  const auto set = [this](CURLoption option, auto value) {
    curl.easy_setopt(easy.get(), option, value);
  };
  curl.easy_reset(easy.get());  // keeps the connection
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PATH_AS_IS, 1L);  // as it is signed
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, detail);
  set(CURLOPT_USERAGENT, "funcd/" FUNCD_VERSION);
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  if (!request.has_proxy) set(CURLOPT_NOPROXY, "*");
  if (const char* bundle = std::getenv("AWS_CA_BUNDLE"); bundle != nullptr && *bundle != '\0') {
    set(CURLOPT_CAINFO, bundle);
  }

  set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  set(CURLOPT_HTTPHEADER, fields);
  if (request.method == "HEAD") set(CURLOPT_NOBODY, 1L);
  if (request.method == "PUT") {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_READFUNCTION, on_send);
    set(CURLOPT_READDATA, &transfer);
    set(CURLOPT_SEEKFUNCTION, on_seek);
    set(CURLOPT_SEEKDATA, &transfer);
  }
  if (request.signature) {
    const auto& [key, secret, region] = *request.signature;
    set(CURLOPT_AWS_SIGV4, fmt::format("aws:amz:{}:s3", region).c_str());
    set(CURLOPT_USERNAME, key.c_str());
    set(CURLOPT_PASSWORD, secret.c_str());
  }

  set(CURLOPT_CONNECTTIMEOUT_MS, long{request.timeouts.connect.count()});
  set(CURLOPT_TIMEOUT_MS, long{request.timeouts.whole.count()});
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, long{request.timeouts.stall.count()});
  set(CURLOPT_HEADERFUNCTION, on_field);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, on_progress);
  set(CURLOPT_XFERINFODATA, &transfer);
}

tl::expected<WebResponse, WebError> WebClient::send(const WebRequest& request,
                                                    const std::stop_token& stop) {
  if (!handle_) {
    const auto curl = CurlLibrary::get();
    if (!curl) return tl::unexpected(WebError{.message = curl.error().message, .is_ours = true});
    handle_ = std::make_unique<Handle>(**curl);
  }
  const CurlLibrary& curl = handle_->curl;
  Transfer transfer{.request = request, .stop = stop, .response = {}, .sink_error = {}};
  std::array<char, CURL_ERROR_SIZE> detail{};
  const FieldList fields = fields_of(request, curl);
  handle_->prepare(request, transfer, fields.get(), detail.data());
  const CURLcode code = curl.easy_perform(handle_->easy.get());
  if (!transfer.sink_error.empty()) {
    return tl::unexpected(WebError{.message = transfer.sink_error, .is_sinks = true});
  }
  if (code != CURLE_OK) {
    return tl::unexpected(WebError{
        .message = message_of(code, detail.data(), curl),
        .is_stopped = code == CURLE_ABORTED_BY_CALLBACK,
        .is_distrust = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE});
  }
  // An empty body has no piece.
  if (transfer.goes_to_sink()) {
    if (auto told = transfer.tell_head(); !told) {
      return tl::unexpected(WebError{.message = told.error().message, .is_sinks = true});
    }
  }
  return std::move(transfer.response);
}

std::string WebResponse::field(const std::string& name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? "" : found->second;
}

}  // namespace funcd::source
