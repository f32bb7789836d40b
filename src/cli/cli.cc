#include "cli/cli.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/suggestion.h"
#include "cli/help_formatter.h"
#include "cli/verbs.h"
#include "engine/compiler_process.h"

namespace funcd::cli {
namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  funcd serve ./functions          serve every .wasm file of a folder\n"
    "  funcd check functions/a.wasm     what is this file, and would it be served\n"
    "  funcd run a.wasm -- one two      run a WASI program once\n"
    "\n"
    "funcd COMMAND --help tells more.";

// ", did you mean 'serve'?" or nothing.
std::string meant(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  const auto found = nearest(word, candidates);
  return found ? fmt::format(", did you mean '{}'?", *found) : std::string();
}

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* verb : app.get_subcommands({})) names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> flags_of(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const auto* option : verb.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

const CLI::App* chosen_verb(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? &app : chosen.front();
}

// "--workers", or "SOURCE (--source)" of what may be an argument as well.
std::string shown_name(const CLI::App& verb, const std::string& name) {
  const auto* option = verb.get_option_no_throw(name);
  const bool has_two = option != nullptr && option->get_positional() && name.starts_with('-');
  return has_two ? fmt::format("{} ({})", option->get_name(/*positional=*/true), name) : name;
}

// "--check" for "Could not convert: --check = maybe", with what it takes.
std::string not_converted(const CLI::App& verb, const std::string& said) {
  constexpr std::string_view kBegin = "Could not convert: ";
  constexpr std::string_view kEquals = " = ";
  const auto equals = said.find(kEquals);
  if (!said.starts_with(kBegin) || equals == std::string::npos) return said;
  const auto name = said.substr(kBegin.size(), equals - kBegin.size());
  const auto* option = verb.get_option_no_throw(name);
  const bool is_switch = option != nullptr && option->get_expected_max() == 0;
  return fmt::format("{}: expected {}, got '{}'", name,
                     is_switch ? "nothing, true or false" : "a number",
                     said.substr(equals + kEquals.size()));
}

// Of what no option has taken: a flag with a typo, or an argument more.
std::string not_taken(const CLI::App& verb, const std::string& extra) {
  const auto flag = extra.substr(0, extra.find('='));
  return flag.starts_with('-') ? fmt::format("unknown flag {}{}", flag, meant(flag, flags_of(verb)))
                               : fmt::format("'{}' is one argument too many", flag);
}

// What the library says of a wrong command line, in our words where a typo is likely.
std::string message_of(const CLI::App& verb, const CLI::ParseError& error) {
  if (const auto extras = verb.remaining(); !extras.empty()) return not_taken(verb, extras.front());
  std::string said = error.what();
  said = said.substr(0, said.find('\n'));
  if (said.starts_with(": ")) said.erase(0, 2);  // of an option that help does not list
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const bool is_repeated = said.find(": At Most ") != std::string::npos;
    return shown_name(verb, said.substr(0, said.find(':'))) +
           (is_repeated ? " is given more than once" : " needs a value");
  }
  constexpr std::string_view kExcludes = " excludes ";
  const auto excludes = said.find(kExcludes);
  const bool is_exclusive = dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr;
  if (is_exclusive && excludes != std::string::npos) {
    return fmt::format("{} and {} cannot be given both", shown_name(verb, said.substr(0, excludes)),
                       shown_name(verb, said.substr(excludes + kExcludes.size())));
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr)
    return not_converted(verb, said);
  return said;
}

int report_usage(const CLI::App& app, const CLI::ParseError& error) {
  const auto* verb = chosen_verb(app);
  const auto prefix = verb == &app ? std::string("funcd") : "funcd " + verb->get_name();
  print_error(fmt::format("funcd: {}\nsee {} --help\n", message_of(*verb, error), prefix));
  return kWrongUsage;
}

int parse_and_run(CLI::App& app, const Action& action, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error);
  }
  const int code = action();
  if (code == kDone && std::ferror(stdout) != 0) {
    return report(Error{"stdout: cannot be written"}, kBad);
  }
  return code;
}

}  // namespace

int report(const Error& error, int code) {
  print_error(fmt::format("funcd: {}\n", error.message));
  return code;
}

std::string count_problem(const std::string& text) {
  std::uint64_t count = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, count);
  if (read.ec == std::errc() && read.ptr == end) return "";
  return fmt::format("expected a number, got '{}'", text);
}

int code_of(const Result<>& result) {
  return result ? kDone : report(result.error(), kBad);
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_error(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

int run(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], engine::kCompilerVerb) == 0) {
    return engine::run_compiler({argv + 2, static_cast<std::size_t>(argc - 2)});
  }
  CLI::App app("Serves WebAssembly functions over HTTP: a folder of .wasm files is a web service.",
               "funcd");
  // Before the verbs, which take these over.
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "show this help");
  app.set_version_flag("--version", "funcd " FUNCD_VERSION, "show the version");
  app.footer(kFooter);
  app.require_subcommand(1);

  // What stands after "--" is the guest's and never ours to read.
  const bool is_run = argc > 1 && std::strcmp(argv[1], "run") == 0;
  char** end = argv + argc;
  char** separator =
      is_run ? std::find_if(argv, end,
                            [](const char* argument) { return std::strcmp(argument, "--") == 0; })
             : end;
  std::vector<std::string> guest_arguments;
  if (separator != end) guest_arguments.assign(separator + 1, end);

  Action action;
  add_serve(app, action);
  add_run(app, action, std::move(guest_arguments));
  add_check(app, action);
  add_compile(app, action);
  add_snapshot(app, action);
  add_import(app, action);
  add_list(app, action);
  add_status(app, action);
  add_logs(app, action);
  add_invoke(app, action);
  add_deploy(app, action);
  add_revisions(app, action);
  add_canary(app, action);
  add_promote(app, action);
  add_rollback(app, action);

  for (auto* verb : app.get_subcommands({})) verb->group("Commands");
  if (argc < 2) {
    print_error(fmt::format("funcd: expected a command: {}\nsee funcd --help\n",
                            fmt::join(verbs_of(app), ", ")));
    return kWrongUsage;
  }
  if (argv[1][0] != '-') {
    const auto verbs = verbs_of(app);
    if (std::ranges::find(verbs, argv[1]) == verbs.end()) {
      print_error(fmt::format("funcd: unknown command '{}'{}\nsee funcd --help\n", argv[1],
                              meant(argv[1], verbs)));
      return kWrongUsage;
    }
  }
  return parse_and_run(app, action, static_cast<int>(separator - argv), argv);
}

}  // namespace funcd::cli
