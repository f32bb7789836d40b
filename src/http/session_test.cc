#include "http/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "http/server_fixture.h"

namespace funcd::http {
namespace {

using testing::Client;
using testing::Recorder;
using testing::TestServer;
using testing::text_response;
using testing::without_dates;
using std::string_literals::operator""s;

std::string plain(std::string_view body, std::string_view extra = "") {
  return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\ncontent-type: text/plain\r\n" + std::string(extra) + "\r\n" + std::string(body);
}

std::string last(std::string_view body) {
  return plain(body, "connection: close\r\n");
}

// All that is sent when the session itself refuses a request.
std::string refused(int status, std::string_view reason, std::string_view detail) {
  const std::string body = "{\"detail\":\"" + std::string(detail) + "\",\"reason\":\"" +
                           std::string(reason) + "\",\"invocation\":null}";
  return "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_phrase(status)) +
         "\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\ncontent-type: application/json\r\nconnection: close\r\nfuncd-error: " +
         std::string(reason) + "\r\n\r\n" + body;
}

std::string repeated(std::string_view text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

constexpr std::string_view kEnd = "GET /end HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";

struct Case {
  const char* name;
  std::string input;   // ends the connection
  std::string output;  // without dates
};

std::vector<Case> good_cases() {
  const std::string end = last("GET /end");
  return {
      {"keep-alive", "GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n" + std::string(kEnd),
       plain("GET /a?b=c") + end},
      {"close", "GET / HTTP/1.1\r\nhost:h\r\nconnection: foo, Close\r\n\r\n", last("GET /")},
      {"http/1.0 closes", "GET / HTTP/1.0\r\n\r\n", last("GET /")},
      {"http/1.0 keep-alive",
       "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" + std::string(kEnd),
       plain("GET /", "connection: keep-alive\r\n") + end},
      {"pipelined",
       repeated("GET /1 HTTP/1.1\r\nhost: h\r\n\r\n", 1) +
           "POST /2 HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc"
           "GET /3 HTTP/1.1\r\nhost: h\r\n\r\n" +
           std::string(kEnd),
       plain("GET /1") + plain("POST /2 [abc]") + plain("GET /3") + end},
      {"nothing after close is answered", std::string(kEnd) + std::string(kEnd), end},
      {"head", "HEAD /x HTTP/1.1\r\nhost: h\r\n\r\n" + std::string(kEnd),
       "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-type: text/plain\r\n\r\n" + end},
      {"empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nhost: h\r\n\r\n\r\n" + std::string(kEnd),
       plain("GET /") + end},
      {"unknown method", "BREW-IT /pot HTTP/1.1\r\nhost: h\r\n\r\n" + std::string(kEnd),
       plain("BREW-IT /pot") + end},
      {"lower-case method is another one", "head / HTTP/1.1\r\nhost: h\r\n\r\n" + std::string(kEnd),
       plain("head /") + end},
      {"absolute target", "GET http://other:1/p?q HTTP/1.1\r\nhost: h\r\n\r\n" + std::string(kEnd),
       plain("GET /p?q") + end},
      {"asterisk", "OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n" + std::string(kEnd),
       "HTTP/1.1 204 No Content\r\n\r\n" + end},
      {"empty host", "GET / HTTP/1.1\r\nhost:\r\n\r\n" + std::string(kEnd), plain("GET /") + end},
      {"raw bytes above ascii in the target",
       "GET /\xC3\xA9 HTTP/1.1\r\nhost: h\r\n\r\n" + std::string(kEnd),
       plain("GET /\xC3\xA9") + end},
      {"content-length zero",
       "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n" + std::string(kEnd),
       plain("POST /") + end},
      {"content-length with leading zeros",
       "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 003\r\n\r\nabc" + std::string(kEnd),
       plain("POST / [abc]") + end},
      {"chunked",
       "POST / HTTP/1.1\r\nhost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
       "3\r\nabc\r\n00A;x=y;z=\"q;\\\"\"\r\n0123456789\r\n0\r\n\r\n" +
           std::string(kEnd),
       plain("POST / [abc0123456789]") + end},
      {"chunked, trailers change nothing",
       "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
       "1\r\na\r\n0\r\nx-t: 1\r\nhost: evil\r\nconnection: close\r\n\r\n" +
           std::string(kEnd),
       plain("POST / [a]") + end},
      {"chunked, empty",
       "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" +
           std::string(kEnd),
       plain("POST / []") + end},
      {"large body",
       "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 30000\r\n\r\n" + repeated("x", 30000) +
           std::string(kEnd),
       plain("POST / [" + repeated("x", 30000) + "]") + end},
      {"expectation in http/1.0 is nothing",
       "GET / HTTP/1.0\r\nexpect: tea\r\nconnection: keep-alive\r\n\r\n" + std::string(kEnd),
       plain("GET /", "connection: keep-alive\r\n") + end},
      {"expectation without a body",
       "GET / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\n\r\n" + std::string(kEnd),
       plain("GET /") + end},
      {"body of a get",
       "GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi" + std::string(kEnd),
       plain("GET / [hi]") + end},
  };
}

Case bad(const char* name, std::string input, int status, std::string_view reason,
         std::string_view detail) {
  return {name, std::move(input), refused(status, reason, detail)};
}

std::vector<Case> malformed_cases() {
  const std::string_view r = "bad-request";
  const std::string_view value = "a field value is malformed";
  const std::string_view name = "a field name is malformed";
  const std::string_view eol = "a line does not end with CR LF";
  const std::string_view target = "the request target is malformed";
  const std::string_view no_http = "this is no HTTP request";
  const std::string_view version = "this server speaks HTTP/1.0 and HTTP/1.1";
  const std::string_view line = "the request line is not method, target and version";
  const std::string_view fold = "a field is folded over several lines";
  const std::string host = "GET / HTTP/1.1\r\nhost: h\r\n";
  return {
      bad("tls", "\x16\x03\x01\x02\x00\x01\x00"s, 400, r, no_http),
      bad("http/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version-not-supported",
          version),
      bad("http/0.9", "GET /\r\n\r\n", 400, r, target),
      bad("http/1.2", "GET / HTTP/1.2\r\nhost: h\r\n\r\n", 505, "version-not-supported", version),
      bad("lower-case version", "GET / http/1.1\r\nhost: h\r\n\r\n", 400, r, line),
      bad("two spaces", "GET  / HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, target),
      bad("space in target", "GET /a b HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, line),
      bad("space after version", "GET / HTTP/1.1 \r\nhost: h\r\n\r\n", 400, r, line),
      bad("tab for space", "GET\t/ HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, no_http),
      bad("no method", " / HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, no_http),
      bad("method is no token", "G@T / HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, no_http),
      bad("long method", repeated("A", 65) + " / HTTP/1.1\r\nhost: h\r\n\r\n", 501,
          "not-implemented", "the method is longer than any that is known"),
      bad("control in target", "GET /\x01 HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, target),
      bad("nul in target", "GET /\0 HTTP/1.1\r\nhost: h\r\n\r\n"s, 400, r, target),
      bad("fragment", "GET /#a HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, target),
      bad("relative target", "GET a HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, target),
      bad("asterisk for get", "GET * HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, target),
      bad("user in target", "GET http://u@h/ HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, target),
      bad("connect", "CONNECT h:443 HTTP/1.1\r\nhost: h\r\n\r\n", 501, "not-implemented",
          "this server is no proxy"),
      bad("bare lf after request line", "GET / HTTP/1.1\nhost: h\r\n\r\n", 400, r, eol),
      bad("bare lf after field", "GET / HTTP/1.1\r\nhost: h\n\r\n", 400, r, eol),
      bad("bare lf at the end", "GET / HTTP/1.1\r\nhost: h\r\n\n", 400, r, eol),
      bad("bare lf only", "\nGET / HTTP/1.1\r\nhost: h\r\n\r\n", 400, r, no_http),
      bad("bare cr in value", host + "x: a\rb\r\n\r\n", 400, r, eol),
      bad("bare cr at the line's begin", host + "\rx: a\r\n\r\n", 400, r, eol),
      bad("cr cr lf", host + "x: a\r\r\n\r\n", 400, r, eol),
      bad("nul in value", host + "x: a\0b\r\n\r\n"s, 400, r, value),
      bad("del in value", host + "x: a\x7F\r\n\r\n", 400, r, value),
      bad("space before colon", host + "x : a\r\n\r\n", 400, r, name),
      bad("tab before colon", host + "content-length\t: 1\r\n\r\n", 400, r, name),
      bad("no colon", host + "x\r\n\r\n", 400, r, name),
      bad("empty name", host + ": a\r\n\r\n", 400, r, name),
      bad("name is no token", host + "x\"y: a\r\n\r\n", 400, r, name),
      bad("name above ascii", host + "x\xFF\xFE\xFD: a\r\n\r\n", 400, r, name),
      bad("space before the first field", "GET / HTTP/1.1\r\n host: h\r\n\r\n", 400, r, name),
      bad("folded", host + "x: a\r\n b\r\n\r\n", 400, r, fold),
      bad("folded with tab", host + "x: a\r\n\tb\r\n\r\n", 400, r, fold),
      bad("folded, first part empty", host + "x:\r\n b\r\n\r\n", 400, r, fold),
      bad("folded, all empty", host + "x:\r\n \r\n\r\n", 400, r, fold),
      bad("folded length", host + "content-length:\r\n 5\r\n\r\nhello", 400, r, fold),
      bad("host missing", "GET / HTTP/1.1\r\n\r\n", 400, r, "the field host is missing"),
      bad("host twice", host + "host: h\r\n\r\n", 400, r, "the field host is given twice"),
      bad("host twice in 1.0", "GET / HTTP/1.0\r\nhost: h\r\nhost: g\r\n\r\n", 400, r,
          "the field host is given twice"),
      bad("host malformed", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400, r,
          "the field host is malformed"),
      bad("host is a list", "GET / HTTP/1.1\r\nhost: a, b\r\n\r\n", 400, r,
          "the field host is malformed"),
  };
}

std::vector<Case> framing_cases() {
  const std::string_view r = "bad-request";
  const std::string post = "POST / HTTP/1.1\r\nhost: h\r\n";
  const std::string_view length = "content-length is not one decimal number";
  const std::string_view both = "transfer-encoding contradicts another field";
  const std::string_view coding = "the only transfer coding that is known is chunked";
  std::vector<Case> cases;
  for (const char* text : {"+5", "-1", "5 5", "5,5", "5, 5", "0x5", "5a", "", "5.0", "1e1", "5,",
                           "18446744073709551616", "99999999999999999999999", "\"5\"", "5;a"}) {
    cases.push_back(bad(text, post + "content-length: " + text + "\r\n\r\nhello", 400, r, length));
  }
  const std::vector<Case> more = {
      bad("lengths differ", post + "content-length: 5\r\ncontent-length: 6\r\n\r\nhello", 400, r,
          length),
      bad("lengths agree", post + "content-length: 5\r\ncontent-length: 5\r\n\r\nhello", 400, r,
          length),
      bad("length, chunked",
          post + "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, r, both),
      bad("chunked, length",
          post + "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n", 400, r,
          length),
      bad("chunked twice",
          post + "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", 400, r, both),
      bad("gzip, chunked", post + "transfer-encoding: gzip, chunked\r\n\r\n", 501,
          "not-implemented", coding),
      bad("gzip", post + "transfer-encoding: gzip\r\ncontent-length: 5\r\n\r\n", 501,
          "not-implemented", coding),
      bad("chunked, gzip", post + "transfer-encoding: chunked, gzip\r\n\r\n", 501,
          "not-implemented", coding),
      bad("identity", post + "transfer-encoding: identity\r\n\r\n", 501, "not-implemented", coding),
      bad("xchunked", post + "transfer-encoding: xchunked\r\n\r\n", 501, "not-implemented", coding),
      bad("chunked;q", post + "transfer-encoding: chunked;q=1\r\n\r\n", 501, "not-implemented",
          coding),
      bad("empty coding", post + "transfer-encoding:\r\n\r\n", 501, "not-implemented", coding),
      bad("vertical tab",
          post + "transfer-encoding: \x0B"
                 "chunked\r\n\r\n",
          400, r, "a field value is malformed"),
      bad("chunked in 1.0", "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400,
          r, "transfer-encoding is not of HTTP/1.0"),
      bad("expectation", post + "expect: tea\r\ncontent-length: 1\r\n\r\n", 417,
          "expectation-failed", "the only expectation that is known is 100-continue"),
      bad("two expectations", post + "expect: 100-continue, tea\r\n\r\n", 417, "expectation-failed",
          "the only expectation that is known is 100-continue"),
  };
  cases.insert(cases.end(), more.begin(), more.end());
  return cases;
}

std::vector<Case> chunk_cases() {
  const std::string post = "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
  const std::string output =
      "HTTP/1.1 400 Bad Request\r\ncontent-length: 10\r\ncontent-type: text/plain\r\n"
      "connection: close\r\n\r\nbody error";
  std::vector<Case> cases;
  for (const std::string body : {"x\r\n\r\n",
                                 "\r\n0\r\n\r\n",
                                 "-1\r\n\r\n",
                                 "+1\r\na\r\n",
                                 "0x1\r\na\r\n0\r\n\r\n",
                                 " 1\r\na\r\n",
                                 "1 \r\na\r\n0\r\n\r\n",
                                 "1\na\r\n",
                                 "1\r\nab\r\n0\r\n\r\n",
                                 "1\r\na\n0\r\n\r\n",
                                 "1\r\na\r0\r\n\r\n",
                                 "11111111111111111\r\na",
                                 "ffffffffffffffffffff\r\na",
                                 "1;\r\na\r\n0\r\n\r\n",
                                 "1;a=\"\n\"\r\na\r\n0\r\n\r\n",
                                 "1;a=\x01\r\na\r\n0\r\n\r\n",
                                 "1;a b\r\na\r\n0\r\n\r\n",
                                 "0;a=\"\n\"\r\n\r\n",
                                 "0\r\nbad trailer\r\n\r\n",
                                 "0\r\ncontent-length: 5\r\n\r\n",
                                 "0\r\ntransfer-encoding: chunked\r\n\r\n",
                                 "0\r\nx: a\r\n b\r\n\r\n",
                                 "0\r\nx : a\r\n\r\n",
                                 "0\r\nx: a\nb\r\n\r\n"}) {
    cases.push_back({"chunk", post + body, output});
  }
  cases.push_back({"extension too long", post + "1;" + repeated("a", 20000) + "\r\n", output});
  cases.push_back({"leading zeros too long", post + repeated("0", 9000) + "1\r\n", output});
  cases.push_back({"trailers too long", post + "0\r\nx: " + repeated("a", 9000) + "\r\n", output});
  cases.push_back({"too many trailers", post + "0\r\n" + repeated("x:\r\n", 101) + "\r\n", output});
  cases.push_back({"too many extensions",
                   post + repeated("1;" + repeated("a", 4000) + "\r\nb\r\n", 5), output});
  return cases;
}

std::vector<Case> limit_cases() {
  const std::string_view large = "the head of the request is larger than allowed";
  const std::string_view target = "the request target is longer than this server takes";
  const std::string start = "GET / HTTP/1.1\r\nhost: h\r\n";
  return {
      {"target as long as allowed",
       "GET /" + repeated("a", 8191) + " HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
       last("GET /" + repeated("a", 8191))},
      bad("target too long", "GET /" + repeated("a", 8192) + " HTTP/1.1\r\nhost: h\r\n\r\n", 414,
          "target-too-long", target),
      bad("target without end", "GET /" + repeated("a", 9000), 414, "target-too-long", target),
      bad("head too large", start + "x: " + repeated("a", 70000) + "\r\n\r\n", 431,
          "header-too-large", large),
      bad("head too large in lines", start + repeated("x: aaaaaaaaaaaaaaaa\r\n", 4000), 431,
          "header-too-large", large),
      {"as many fields as allowed", start + repeated("x: a\r\n", 98) + "connection: close\r\n\r\n",
       last("GET /")},
      bad("too many fields", start + repeated("x: a\r\n", 100) + "\r\n", 431, "header-too-large",
          "the request has too many fields"),
      {"head as large as allowed",
       start + "connection: close\r\nx: " + repeated("a", 64 * 1024 - 25 - 19 - 7) + "\r\n\r\n",
       last("GET /")},
      bad("head one larger",
          start + "connection: close\r\nx: " + repeated("a", 64 * 1024 - 25 - 19 - 6) + "\r\n\r\n",
          431, "header-too-large", large),
  };
}

enum class Feed { whole, bytes, random };

void check_cases(const std::vector<Case>& cases, Feed feed) {
  std::mt19937_64 random(feed == Feed::random ? testing::printed_seed() : 0);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    // A byte at a time through 70,000 bytes shows nothing that a few at a time would not.
    const std::size_t piece =
        feed == Feed::bytes ? std::max<std::size_t>(1, c.input.size() / 4000) : c.input.size();
    TestServer server;
    Client client(server);
    std::string_view rest = c.input;
    while (!rest.empty()) {
      std::size_t count = std::min(piece, rest.size());
      if (feed == Feed::random) count = 1 + random() % std::min<std::size_t>(rest.size(), 900);
      client.send_alone(rest.substr(0, count));
      rest.remove_prefix(count);
      client.receive();
      if (client.is_ended) break;
    }
    EXPECT_EQ(without_dates(client.read_to_end()), c.output) << "input: " << c.input.substr(0, 400);
    EXPECT_FALSE(client.is_reset);
  }
}

class SessionCases : public ::testing::TestWithParam<Feed> {};

TEST_P(SessionCases, GoodRequestsAreAnswered) {
  check_cases(good_cases(), GetParam());
}
TEST_P(SessionCases, MalformedHeadsAreRefused) {
  check_cases(malformed_cases(), GetParam());
}
TEST_P(SessionCases, DoubtfulFramingIsRefused) {
  check_cases(framing_cases(), GetParam());
}
TEST_P(SessionCases, MalformedChunksEndTheConnection) {
  check_cases(chunk_cases(), GetParam());
}
TEST_P(SessionCases, LimitsHold) {
  check_cases(limit_cases(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Feeds, SessionCases,
                         ::testing::Values(Feed::whole, Feed::bytes, Feed::random),
                         [](const auto& feed) {
                           return feed.param == Feed::whole   ? "Whole"
                                  : feed.param == Feed::bytes ? "ByteByByte"
                                                              : "RandomPieces";
                         });

}  // namespace
}  // namespace funcd::http
