#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <optional>

#include "cli/deployment.h"
#include "cli/verbs.h"
#include "server/admin_json.h"
#include "server/units.h"

namespace funcd::cli {
namespace {

constexpr const char* kRevisionsFooter =
    "Lists what funcd deploy has put into the source, newest last. '*' is what lies there for all\n"
    "requests, by its content; without one somebody has changed that by hand. '+' is the canary.\n"
    "\n"
    "Examples:\n"
    "  funcd revisions hello\n"
    "  funcd revisions api/users --to s3://functions/prod --json";

constexpr const char* kRollbackFooter =
    "Without a number: drops the canary where there is one, else goes back to what was live "
    "before.\n"
    "Nothing is uploaded: the source has its content still.\n"
    "\n"
    "Examples:\n"
    "  funcd rollback hello --to ./functions\n"
    "  funcd rollback api/users 3 --to s3://functions/prod --wait";

constexpr std::size_t kDigestTold = 12;

struct Revisions {
  explicit Revisions(CLI::App& verb) : source(verb, SourceFlags::Waiting::none) {}

  SourceFlags source;
  std::string name;
};

struct Rollback {
  explicit Rollback(CLI::App& verb) : source(verb, SourceFlags::Waiting::possible) {}

  SourceFlags source;
  std::string name;
  std::optional<std::uint64_t> number;
};

nlohmann::ordered_json canary_json(const source::DeploymentRecord& record, std::uint64_t number) {
  if (!record.canary || record.canary->number != number) return nullptr;
  return {{"weight", record.canary->share.weight}, {"sticky", record.canary->share.sticky}};
}

// `live` is the revision that lies in the source; nothing when that is none.
void print_list(const source::DeploymentRecord& record, std::optional<std::uint64_t> live) {
  for (const auto& revision : record.revisions) {
    const bool is_canary = record.canary && record.canary->number == revision.number;
    print(fmt::format("{} {:>4}  {}  {}  {:>9}  {}{}\n",
                      revision.number == live ? '*'
                      : is_canary             ? '+'
                                              : ' ',
                      revision.number, revision.at, revision.module().sha256.substr(0, kDigestTold),
                      server::approximate_size(revision.module().bytes), revision.note,
                      is_canary ? ", canary for " + record.canary->share.weight : ""));
  }
  if (!live) {
    print(fmt::format(
        "{0}: what is live was not deployed: its module, sidecar or a schema was changed by "
        "hand\n",
        record.function));
  }
}

nlohmann::ordered_json json_of(const source::DeploymentRecord& record,
                               std::optional<std::uint64_t> live) {
  nlohmann::ordered_json revisions = nlohmann::ordered_json::array();
  for (const auto& revision : record.revisions) {
    revisions.push_back({{"number", revision.number},
                         {"is_live", revision.number == live},
                         {"canary", canary_json(record, revision.number)},
                         {"at", revision.at},
                         {"digest", revision.module().sha256},
                         {"artifact_bytes", revision.module().bytes},
                         {"note", revision.note}});
  }
  return {{"function", record.function},
          {"is_changed_by_hand", !live},
          {"revisions", std::move(revisions)}};
}

Result<> list(const Revisions& request, server::Config config) {
  const auto opened = TRY(request.source.open(std::move(config)));
  source::Deployments deployments = opened.deployments();
  const auto record = TRY(deployments.read(request.name));
  if (!record) {
    return fail("{}: has no revisions in {}; funcd deploy makes some", request.name, opened.source);
  }
  const auto live = TRY(deployments.find_live(*record));
  if (request.source.is_json()) {
    print(server::json_text(json_of(*record, live)));
  } else {
    print_list(*record, live);
  }
  return {};
}

Result<> roll_back(const Rollback& request, server::Config config) {
  const auto opened = TRY(request.source.open(std::move(config)));
  const std::string before = TRY(request.source.failure_before(opened.config, request.name));
  const auto change = TRY(opened.deployments().roll_back(request.name, request.number));
  TRY(request.source.wait(opened.config, request.name, change, before));
  request.source.tell(request.name, change, opened.source);
  return {};
}

}  // namespace

void add_revisions(CLI::App& app, Action& action) {
  auto* verb = app.add_subcommand("revisions", "List the revisions of a function");
  const auto request = std::make_shared<Revisions>(*verb);
  verb->add_option("NAME", request->name, "the function")->required();
  verb->footer(kRevisionsFooter);
  verb->callback([request, &action] { action = action_of(request, list); });
}

void add_rollback(CLI::App& app, Action& action) {
  auto* verb =
      app.add_subcommand("rollback", "Drop a canary, or make an older revision live again");
  const auto request = std::make_shared<Rollback>(*verb);
  verb->add_option("NAME", request->name, "the function")->required();
  verb->add_option("REVISION", request->number, "its number (default: what was live before)")
      ->check(count_problem);
  verb->footer(kRollbackFooter);
  verb->callback([request, &action] { action = action_of(request, roll_back); });
}

}  // namespace funcd::cli
