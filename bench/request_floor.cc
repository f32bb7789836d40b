// One request again and again, through all that the server has for it: the socket, HTTP, the
// dispatcher, the contract, the engine. On one thread, which is its own client, and without the
// clock that interrupts guests, so that each run of this program executes the same instructions.
//
//   request_floor FOLDER --cache DIR --path PATH [--method M] [--body-bytes N] [--expect TEXT]
//                 [--warm N] [--requests N]
//
// Functions are compiled for any processor of this kind, and kept in the cache: under valgrind,
// which knows fewer instructions than most processors have, they load from there. --requests 0
// only compiles.
//
// Prints one line of JSON: {"requests": N, "cpu_us_per_request": X}. Under callgrind, started with
// --instr-atstart=no, only those N are counted. Exits with 1 when a request is not answered with
// 200, or with something else than TEXT.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/result.h"
#include "engine/engine.h"
#include "files/file_handler.h"
#include "floor.h"
#include "http/server.h"
#include "invoke/dispatcher.h"
#include "registry/registry.h"
#include "storage/code_cache.h"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

namespace funcd {
namespace {

constexpr std::uint64_t kCacheBytesMax = 1ULL << 30;
// Few, as valgrind leaves little room for address space that is only reserved.
constexpr std::uint32_t kInstancesMax = 4;
constexpr std::uint32_t kSpareInstancesMax = 2;

struct Options {
  std::string folder;
  std::string cache;
  std::string path;
  std::string method = "GET";
  std::string expect;
  std::size_t body_bytes = 0;
  std::size_t warm = 20;
  std::size_t requests = 100;
};

Result<Options> parse(std::span<char*> arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (!name.starts_with("--")) {
      options.folder = name;
      continue;
    }
    if (++i == arguments.size()) return fail("{}: needs a value", name);
    const std::string_view value = arguments[i];
    if (name == "--cache") {
      options.cache = value;
    } else if (name == "--path") {
      options.path = value;
    } else if (name == "--method") {
      options.method = value;
    } else if (name == "--expect") {
      options.expect = value;
    } else if (name == "--body-bytes") {
      options.body_bytes = TRY(bench::number_of<std::size_t>(name, value));
    } else if (name == "--warm") {
      options.warm = TRY(bench::number_of<std::size_t>(name, value));
    } else if (name == "--requests") {
      options.requests = TRY(bench::number_of<std::size_t>(name, value));
    } else {
      return fail("{}: unknown option", name);
    }
  }
  if (options.folder.empty() || options.cache.empty() || options.path.empty()) {
    return fail(
        "usage: request_floor FOLDER --cache DIR --path PATH [--method M] [--body-bytes N] "
        "[--expect TEXT] [--warm N] [--requests N]");
  }
  return options;
}

std::string request_of(const Options& options) {
  std::string request =
      fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n", options.method, options.path);
  if (options.body_bytes > 0) {
    request += fmt::format("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n",
                           options.body_bytes);
  }
  return request + "\r\n" + std::string(options.body_bytes, 'x');
}

// A worker's handlers and server, and a client that is connected to them.
class Floor {
 public:
  Floor(http::Listener listener, std::shared_ptr<const registry::Catalog> catalog)
      : endpoint_(listener.endpoint()), server_(loop_, std::move(listener), {}, files_) {
    dispatcher_.publish(std::move(catalog));
  }

  [[nodiscard]] Result<> connect() {
    client_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(client_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      return fail("connect: {}", errno_text(errno));
    }
    const int on = 1;
    ::setsockopt(client_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return {};
  }

  // Sends the request, turns the loop until there is an answer, and reads that.
  [[nodiscard]] Result<std::string_view> exchange(std::string_view request) {
    if (::send(client_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      return fail("send: {}", errno_text(errno));
    }
    for (int turn = 0; turn < kTurnsMax; ++turn) {
      loop_.io().restart();
      loop_.io().poll();
      const ssize_t got = ::recv(client_.get(), answer_.data(), answer_.size(), MSG_DONTWAIT);
      if (got > 0) return std::string_view(answer_.data(), static_cast<std::size_t>(got));
    }
    return fail("no answer");
  }

 private:
  // Of the loop, for one request: guests are not interrupted here.
  static constexpr int kTurnsMax = 1'000;

  Loop loop_;
  invoke::Admission admission_{{}, 1};
  invoke::Dispatcher dispatcher_{
      loop_,
      admission_,
      {.spare_instances_max = kSpareInstancesMax,
       .is_building = [](std::string_view, const registry::Catalog&) { return false; },
       .load = {}}};
  files::JobQueue jobs_;
  files::FileHandler files_{
      loop_,
      jobs_,
      dispatcher_,
      {.source = {}, .has_access_log = false, .may_answer = [this](const http::RequestHead& head) {
         return dispatcher_.yields_to_files(head);
       }}};
  http::Endpoint endpoint_;
  http::Server server_;
  Descriptor client_;
  std::string answer_ = std::string(256U << 10, '\0');
};

Result<> ask(Floor& floor, std::string_view request, const std::string& expect) {
  const std::string_view answer = TRY(floor.exchange(request));
  const std::size_t body = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 200 ") || body == answer.npos) {
    return fail("the answer was '{}'", answer);
  }
  if (expect.empty() || answer.substr(body + 4) == expect) return {};
  return fail("the answer was '{}' instead of '{}'", answer.substr(body + 4), expect);
}

Result<> measure(const Options& options) {
  const auto engine = TRY(engine::Engine::create({.instances_max = kInstancesMax,
                                                  .spare_instances_max = kSpareInstancesMax,
                                                  .is_portable = true}));
  const auto cache = TRY(storage::CodeCache::open(options.cache, kCacheBytesMax));
  registry::RegistryOptions registry_options;
  registry_options.folder = options.folder;
  registry::Registry registry(*engine, cache.get(), registry_options,
                              [](const auto& /*catalog*/) {});
  TRY(registry.build_once());
  if (options.requests == 0) return {};
  Floor floor(TRY(http::Listener::bind({"127.0.0.1", 0})), registry.catalog());
  TRY(floor.connect());
  const std::string request = request_of(options);
  for (std::size_t i = 0; i < options.warm; ++i) TRY(ask(floor, request, options.expect));
  const double before_us = bench::cpu_us();
  CALLGRIND_START_INSTRUMENTATION;
  for (std::size_t i = 0; i < options.requests; ++i) TRY(floor.exchange(request));
  CALLGRIND_STOP_INSTRUMENTATION;
  const double each_us = (bench::cpu_us() - before_us) / static_cast<double>(options.requests);
  TRY(ask(floor, request, options.expect));
  fmt::print("{{\"requests\": {}, \"cpu_us_per_request\": {:.3f}}}\n", options.requests, each_us);
  return {};
}

}  // namespace
}  // namespace funcd

int main(int argc, char** argv) {
  return funcd::bench::run_floor("request_floor", argc, argv, funcd::parse, funcd::measure);
}
