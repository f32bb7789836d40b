#include "source/aws_profile.h"

#include <sys/stat.h>

#include "base/file.h"
#include "source/ini_file.h"

namespace funcd::source {
namespace {

constexpr std::uint64_t kFileBytesMax = 1U << 20;

std::string file_named(const Environment& environment, const std::string& variable,
                       std::string_view in_home) {
  if (const auto named = environment(variable); named && !named->empty()) return *named;
  const auto home = environment("HOME");
  return home && !home->empty() ? fmt::format("{}/.aws/{}", *home, in_home) : "";
}

// A file that is not there says nothing.
Result<IniFile> read(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return IniFile();
  return parse_ini(TRY(read_text_file(path, kFileBytesMax)));
}

}  // namespace

std::string AwsProfile::value(const std::string& key) const {
  const auto found = values.find(key);
  return found == values.end() ? "" : found->second;
}

Result<AwsProfile> read_aws_profile(const std::string& name, const Environment& environment) {
  AwsProfile profile;
  const auto in_environment = environment("AWS_PROFILE");
  const bool is_named = !name.empty() || (in_environment && !in_environment->empty());
  profile.name = !name.empty() ? name : is_named ? *in_environment : "default";

  const std::string secrets = file_named(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
  const std::string config = file_named(environment, "AWS_CONFIG_FILE", "config");
  profile.files = secrets.empty() ? config : fmt::format("{} and {}", secrets, config);
  bool is_found = false;
  const IniFile in_secrets = TRY(read(secrets));
  const IniFile in_config = TRY(read(config));
  if (const auto section = in_secrets.find(profile.name); section != in_secrets.end()) {
    profile.values.insert(section->second.begin(), section->second.end());
    is_found = true;
  }
  // In the configuration only the default's section has no "profile" before its name.
  for (const std::string& title : {"profile " + profile.name, profile.name}) {
    const auto section = in_config.find(title);
    if (section == in_config.end()) continue;
    profile.values.insert(section->second.begin(), section->second.end());
    is_found = true;
  }
  if (is_named && !is_found) {
    return fail("there is no profile '{}' in {}; add it, or name another with s3.profile",
                profile.name, profile.files.empty() ? "~/.aws" : profile.files);
  }
  return profile;
}

}  // namespace funcd::source
