#include "cli/admin_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "source/s3_location.h"

namespace funcd::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr std::uint64_t kResponseBytesMax = 256ULL << 20;

// The steps of one request, each begun by the one before. Ends with the context out of work.
class Client {
 public:
  Client(const http::Endpoint& server, const ClientRequest& request)
      : server_(server), resolver_(io_), stream_(io_) {
    request_.method_string(request.method);
    request_.target(request.target);
    request_.version(11);
    request_.set(beast::http::field::host,
                 request.host.empty() ? http::format_endpoint(server) : request.host);
    request_.set(beast::http::field::user_agent, "funcd/" FUNCD_VERSION);
    request_.keep_alive(false);
    if (!request.body.empty()) {
      request_.set(beast::http::field::content_type, "application/json");
      request_.body() = request.body;
    }
    request_.prepare_payload();
    parser_.body_limit(kResponseBytesMax);
    // Its answer tells the length of a body that does not come (RFC 9112 6.3).
    parser_.skip(request.method == "HEAD");
    // One limit for all steps; it stays armed as long as it is not set again.
    stream_.expires_after(request.timeout);
  }

  Result<ClientResponse> run() {
    resolver_.async_resolve(server_.host, std::to_string(server_.port),
                            [this](error_code error, const auto& addresses) {
                              if (!has_failed(error)) connect(addresses);
                            });
    io_.run();
    if (failure_) return fail("{}:{}: {}", server_.host, server_.port, failure_.message());
    const auto& message = parser_.get();
    ClientResponse response;
    response.status = message.result_int();
    response.reason = message["funcd-error"];
    response.body = message.body();
    return response;
  }

 private:
  bool has_failed(error_code error) {
    failure_ = error;
    return static_cast<bool>(error);
  }

  void connect(const asio::ip::tcp::resolver::results_type& addresses) {
    stream_.async_connect(addresses, [this](error_code error, const auto& /*endpoint*/) {
      if (!has_failed(error)) write();
    });
  }
  void write() {
    beast::http::async_write(stream_, request_, [this](error_code error, std::size_t /*size*/) {
      if (!has_failed(error)) read();
    });
  }
  void read() {
    beast::http::async_read(stream_, buffer_, parser_,
                            [this](error_code error, std::size_t /*size*/) { has_failed(error); });
  }

  const http::Endpoint& server_;
  asio::io_context io_;
  asio::ip::tcp::resolver resolver_;
  beast::tcp_stream stream_;
  beast::http::request<beast::http::string_body> request_;
  beast::http::response_parser<beast::http::string_body> parser_;
  beast::flat_buffer buffer_;
  error_code failure_;
};

}  // namespace

Result<ClientResponse> request(const http::Endpoint& server, const ClientRequest& request) {
  return Client(server, request).run();
}

Result<nlohmann::ordered_json> get_json(const http::Endpoint& admin, std::string_view target,
                                        Missing missing) {
  ClientRequest wanted;
  wanted.target = target;
  auto response = request(admin, wanted);
  if (!response) {
    return fail(
        "no funcd answers: {}; start one with funcd serve, or name its admin address with "
        "--admin HOST:PORT",
        response.error().message);
  }
  auto json = nlohmann::ordered_json::parse(response->body, nullptr, false);
  if (json.is_discarded()) {
    return fail("{}:{}: what answers there is no admin address of funcd", admin.host, admin.port);
  }
  if (response->status == 404 && missing == Missing::null) return nullptr;
  if (response->status != 200) {
    const auto detail = json.is_object() ? json.value("detail", std::string()) : std::string();
    return fail("{}:{}: {}: {}", admin.host, admin.port, response->status,
                detail.empty() ? response->body : detail);
  }
  return json;
}

std::string function_path(std::string_view name) {
  return "/v1/functions/" + source::encode_uri(name, source::Slash::encoded);
}

tl::unexpected<Error> not_ours(const http::Endpoint& admin,
                               const nlohmann::ordered_json::exception& error) {
  return fail("{}: this is another version's admin address: {}", http::format_endpoint(admin),
              error.what());
}

}  // namespace funcd::cli
