#include "source/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "source/ini_file.h"
#include "source/s3_endpoint.h"

namespace funcd::source {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

using Variables = std::map<std::string, std::string>;

class CredentialsTest : public ::testing::Test {
 protected:
  CredentialsTest() {
    std::string pattern = (fs::temp_directory_path() / "funcd-aws-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    variables_ = {{"HOME", folder_}};
    fs::create_directory(folder_ + "/.aws");
  }
  ~CredentialsTest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/.aws/" + name) << text;
  }
  Environment environment() const {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
  }
  CredentialChain chain(const std::string& profile = "") {
    return CredentialChain(
        environment(), profile,
        [this](const WebRequest& request) -> tl::expected<WebResponse, WebError> {
          asked_.push_back(request.method + " " + request.url);
          const auto found = answers_.find(request.url);
          if (found == answers_.end()) {
            return tl::unexpected(WebError{.message = "connection refused"});
          }
          WebResponse response;
          response.status = 200;
          response.body = found->second;
          return response;
        });
  }

  std::string folder_;
  Variables variables_;
  std::map<std::string, std::string> answers_;
  std::vector<std::string> asked_;
};

std::string in(std::chrono::seconds seconds) {
  const auto time =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + seconds);
  std::string text(32, '\0');
  text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&time)));
  return text;
}

std::string answer_of(const std::string& key, std::chrono::seconds left) {
  return fmt::format(
      R"({{"AccessKeyId":"{}","SecretAccessKey":"s","Token":"t","Expiration":"{}"}})", key,
      in(left));
}

TEST_F(CredentialsTest, EnvironmentGoesFirst) {
  write("credentials", "[default]\naws_access_key_id=file\naws_secret_access_key=x\n");
  variables_["AWS_ACCESS_KEY_ID"] = "key";
  variables_["AWS_SECRET_ACCESS_KEY"] = "secret";
  variables_["AWS_SESSION_TOKEN"] = "token";
  const auto found = chain().get();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key, "key");
  EXPECT_EQ(found->secret, "secret");
  EXPECT_EQ(found->token, "token");
}

TEST_F(CredentialsTest, NamedProfileGoesBeforeTheEnvironment) {
  write("credentials", "[a]\naws_access_key_id=file\naws_secret_access_key=x\n");
  variables_["AWS_ACCESS_KEY_ID"] = "key";
  variables_["AWS_SECRET_ACCESS_KEY"] = "secret";
  const auto found = chain("a").get();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->key, "file");
}

TEST_F(CredentialsTest, ProfilesAreReadFromBothFiles) {
  write("credentials", "# comment\n[work]\n aws_nested = 1\nAWS_Access_Key_Id = k \n");
  write("config",
        "[profile work]\naws_secret_access_key = s\nregion = eu-west-3\nendpoint_url = http://h:1\n"
        "[profile other]\nregion = x\n");
  variables_["AWS_PROFILE"] = "work";
  const auto found = chain().get();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->key, "k");
  EXPECT_EQ(found->secret, "s");
  const auto endpoint = resolve_endpoint({"fns", ""}, {}, environment());
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->region, "eu-west-3");
  EXPECT_EQ(endpoint->url, "http://h:1/fns");
}

TEST_F(CredentialsTest, ContainersAreAskedWithTheirToken) {
  variables_["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/x";
  answers_["http://169.254.170.2/v2/x"] = answer_of("container", std::chrono::hours(1));
  auto credentials = chain();
  const auto found = credentials.get();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->key, "container");
  EXPECT_EQ(found->token, "t");
  ASSERT_TRUE(credentials.get());
  EXPECT_EQ(asked_.size(), 1U);  // they are kept
  credentials.forget();
  ASSERT_TRUE(credentials.get());
  EXPECT_EQ(asked_.size(), 2U);
}

TEST_F(CredentialsTest, InstancesAreAskedForTheirRole) {
  const std::string host = "http://169.254.169.254";
  const std::string roles = host + "/latest/meta-data/iam/security-credentials/";
  answers_[host + "/latest/api/token"] = "secret-token";
  answers_[roles] = "the-role\n";
  answers_[roles + "the-role"] = answer_of("instance", std::chrono::hours(1));
  const auto found = chain().get();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->key, "instance");
  EXPECT_THAT(asked_, ElementsAre("PUT " + host + "/latest/api/token", "GET " + roles,
                                  "GET " + roles + "the-role"));
}

TEST_F(CredentialsTest, TheyAreRenewedBeforeTheyEndAndKeptWhileTheyCannotBe) {
  variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1/c";
  answers_["http://127.0.0.1/c"] = answer_of("first", std::chrono::minutes(4));
  auto credentials = chain();
  EXPECT_EQ(credentials.get()->key, "first");
  answers_["http://127.0.0.1/c"] = answer_of("second", std::chrono::minutes(4));
  EXPECT_EQ(credentials.get()->key, "second");
  answers_.clear();
  const auto found = credentials.get();
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->key, "second");
}

TEST_F(CredentialsTest, ErrorsNameCauseAndRemedy) {
  variables_["AWS_EC2_METADATA_DISABLED"] = "true";
  EXPECT_THAT(chain().get().error().message, HasSubstr("set AWS_ACCESS_KEY_ID and"));
  EXPECT_TRUE(asked_.empty());
  EXPECT_THAT(chain("gone").get().error().message, HasSubstr("there is no profile 'gone' in"));
  variables_["AWS_SECRET_ACCESS_KEY"] = "s";
  EXPECT_THAT(chain().get().error().message, HasSubstr("only one is set"));
}

TEST(Credentials, AnswersThatAreNoneAreErrors) {
  for (const auto* text : {"", "[]", "<html>", R"({"AccessKeyId":"k"})",
                           R"({"AccessKeyId":"k","SecretAccessKey":"s","Expiration":"soon"})"}) {
    EXPECT_FALSE(parse_credentials(text, "x")) << text;
  }
}

TEST(Credentials, TimesBeyondWhatAClockHasAreItsEnds) {
  const auto expires_at = [](std::string_view year) {
    const auto credentials = parse_credentials(
        fmt::format(
            R"({{"AccessKeyId":"k","SecretAccessKey":"s","Expiration":"{}-12-31T23:59:59Z"}})",
            year),
        "x");
    return *credentials.value().expires_at;
  };
  const auto now = std::chrono::system_clock::now();
  EXPECT_GT(expires_at("9999"), now);
  EXPECT_LT(expires_at("0201"), now);
}

TEST(IniFile, OddLinesAreLeftOut) {
  const auto file = parse_ini("x = 0\n[a]\nk=v=w\nnothing\n  nested = 1\n;c\n[b]\r\nk = 1\r\n[");
  EXPECT_EQ(file.at("a").at("k"), "v=w");
  EXPECT_EQ(file.at("a").size(), 1U);
  EXPECT_EQ(file.at("b").at("k"), "1");
}

TEST(S3Endpoint, AmazonsAreReachedByHost) {
  const Environment none = [](const std::string&) { return std::nullopt; };
  const auto plain = resolve_endpoint({"fns", ""}, {.region = "eu-west-1"}, none);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->url, "https://fns.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(plain->list_url, "https://fns.s3.eu-west-1.amazonaws.com/");
  const auto dotted = resolve_endpoint({"my.fns", ""}, {}, none);
  EXPECT_EQ(dotted->url, "https://s3.us-east-1.amazonaws.com/my.fns");
  const auto other = resolve_endpoint({"fns", ""}, {.endpoint = "http://h:9000/"}, none);
  EXPECT_EQ(other->url, "http://h:9000/fns");
  EXPECT_EQ(other->list_url, "http://h:9000/fns");
  const auto host = resolve_endpoint(
      {"fns", ""}, {.endpoint = "https://h", .addressing = Addressing::host}, none);
  EXPECT_EQ(host->url, "https://fns.h");
}

TEST(S3Endpoint, WhatIsNoUrlOfAHostIsRefused) {
  for (const auto* bad :
       {"h:9000", "ftp://h", "http://", "http://a/b", "http://u@h", "http://a?b"}) {
    EXPECT_FALSE(check_endpoint(bad)) << bad;
  }
  EXPECT_TRUE(check_endpoint("https://h:9000/"));
}

}  // namespace
}  // namespace funcd::source
