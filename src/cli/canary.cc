#include "cli/canary.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/deployment.h"
#include "cli/verbs.h"
#include "registry/canary.h"

namespace funcd::cli {
namespace {

constexpr const char* kCanaryFooter =
    "Clients only move to the canary as its weight grows, and only back as it shrinks. How a "
    "client\n"
    "is known again, --sticky says; without it, what was said before stays.\n"
    "\n"
    "Examples:\n"
    "  funcd canary hello 20%\n"
    "  funcd canary hello 5% --revision 3 --sticky header:x-user --to s3://functions/prod --wait";

constexpr const char* kPromoteFooter =
    "The canary becomes the live revision; funcd rollback goes back to the one before.\n"
    "\n"
    "Examples:\n"
    "  funcd promote hello --to ./functions\n"
    "  funcd promote api/users --to s3://functions/prod --wait";

constexpr const char* kStickyHelp = "none, cookie or header:NAME";

struct Canary {
  explicit Canary(CLI::App& verb) : source(verb, SourceFlags::Waiting::possible) {}

  SourceFlags source;
  std::string name;
  std::string weight;
  std::string sticky;
  std::optional<std::uint64_t> number;
};

struct Promote {
  explicit Promote(CLI::App& verb) : source(verb, SourceFlags::Waiting::possible) {}

  SourceFlags source;
  std::string name;
};

// For CLI11's check() and transform(): puts a value as it is written down; what is wrong with it.
std::string put_weight(std::string& text) {
  const auto weight = registry::parse_weight(text);
  if (!weight) return weight.error().message;
  text = registry::format_weight(*weight);
  return "";
}
std::string put_sticky(std::string& text) {
  const auto sticky = registry::parse_stickiness(text);
  if (!sticky) return sticky.error().message;
  text = registry::format_stickiness(*sticky);
  return "";
}
// How CLI11 takes one that changes the value.
CLI::Validator validator(std::string (*put)(std::string& text)) {
  return {put, ""};
}

Result<> set_canary(const Canary& request, server::Config config) {
  source::Deployments::NewShare share{
      .number = request.number, .weight = request.weight, .sticky = {}};
  if (!request.sticky.empty()) share.sticky = request.sticky;
  const auto opened = TRY(request.source.open(std::move(config)));
  source::Deployments deployments = opened.deployments();
  const auto record = TRY(deployments.read(request.name));
  std::string before;
  if (record && record->canary) {
    before = TRY(request.source.failure_before(
        opened.config, fmt::format("{}@{}", request.name, record->canary->number)));
  }
  const auto change = TRY(deployments.set_canary(request.name, share));
  TRY(request.source.wait(opened.config, request.name, change, before));
  request.source.tell(request.name, change, opened.source);
  return {};
}

Result<> promote(const Promote& request, server::Config config) {
  const auto opened = TRY(request.source.open(std::move(config)));
  const std::string before = TRY(request.source.failure_before(opened.config, request.name));
  const auto change = TRY(opened.deployments().promote(request.name));
  TRY(request.source.wait(opened.config, request.name, change, before));
  request.source.tell(request.name, change, opened.source);
  return {};
}

}  // namespace

void CanaryFlags::add_to(CLI::App& verb) {
  auto* canary = verb.add_option("--canary", weight_,
                                 "beside the live revision, for that share of the requests");
  canary->type_name("5%")->transform(validator(put_weight));
  verb.add_option("--sticky", sticky_, kStickyHelp)
      ->type_name("HOW")
      ->transform(validator(put_sticky))
      ->needs(canary);
}

std::optional<source::CanaryShare> CanaryFlags::share() const {
  if (weight_.empty()) return std::nullopt;
  return source::CanaryShare{.weight = weight_, .sticky = sticky_};
}

void add_canary(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("canary", "Change what share of the requests a canary gets");
  const auto request = std::make_shared<Canary>(*verb);
  verb->add_option("NAME", request->name, "the function")->required();
  verb->add_option("WEIGHT", request->weight, "0% to 100%")
      ->required()
      ->transform(validator(put_weight));
  verb->add_option("--sticky", request->sticky, kStickyHelp)
      ->type_name("HOW")
      ->transform(validator(put_sticky));
  verb->add_option("--revision", request->number, "have another revision as canary")
      ->check(count_problem)
      ->type_name("NUMBER");
  verb->footer(kCanaryFooter);
  verb->callback([request, &action] { action = action_of(request, set_canary); });
}

void add_promote(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("promote", "Make a canary the live revision");
  const auto request = std::make_shared<Promote>(*verb);
  verb->add_option("NAME", request->name, "the function")->required();
  verb->footer(kPromoteFooter);
  verb->callback([request, &action] { action = action_of(request, promote); });
}

}  // namespace funcd::cli
