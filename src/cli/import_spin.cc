// Spin applications: what of a spin.toml answers HTTP requests.

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>

#include "cli/import_project.h"
#include "cli/import_spin_manifest.h"
#include "engine/surroundings.h"
#include "registry/folder_scan.h"

namespace funcd::cli {
namespace {

// Spin's own server of files, which its templates add to an application.
constexpr std::array<std::string_view, 2> kFileServers = {"spin-fileserver", "spin_static_fs"};

// "/cart/:id/..." gives "/cart/{id}/*".
std::string route_of(std::string_view route) {
  std::string out;
  while (!route.empty()) {
    route.remove_prefix(1);  // '/'
    const auto slash = route.find('/');
    const std::string_view segment = route.substr(0, slash);
    route.remove_prefix(std::min(slash, route.size()));
    if (segment == "...") {
      out += "/*";
    } else if (segment.starts_with(':')) {
      out += fmt::format("/{{{}}}", segment.substr(1));
    } else {
      out += fmt::format("/{}", segment);
    }
  }
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

// One entry of allowed_outbound_hosts, as [outbound] allow writes it; none when it cannot be said.
std::vector<std::string> rules_of(std::string_view entry) {
  if (entry == "insecure:allow-all") return {"http://*", "https://*"};
  std::vector<std::string> texts;
  if (entry.starts_with("*://")) {
    texts = {fmt::format("http{}", entry.substr(1)), fmt::format("https{}", entry.substr(1))};
  } else if (entry.find("://") == std::string_view::npos) {
    texts = {fmt::format("http://{}", entry), fmt::format("https://{}", entry)};
  } else {
    texts = {std::string(entry)};
  }
  std::erase_if(texts, [](const std::string& text) {
    return text.find("spin.internal") != std::string::npos || text == "http://self" ||
           text == "https://self" || !engine::parse_outbound_rule(text);
  });
  return texts;
}

class Application {
 public:
  Application(const ImportProject& project, SpinManifest manifest)
      : project_(project),
        manifest_(std::move(manifest)),
        plan_{.format = ImportFormat::spin,
              .source = project.path,
              .functions = {},
              .skips = {},
              .notes = {},
              .files = {}},
        folders_(project_, plan_) {}

  Result<ImportPlan> read() {
    for (const SpinTrigger& trigger : manifest_.triggers) {
      ImportFunction function;
      function.from = fmt::format("{}: component '{}'", trigger.place, trigger.component.id);
      auto skipped = read_function(trigger, function);
      if (!skipped) return fail("{}: {}", function.from, skipped.error().message);
      if (!*skipped) {
        plan_.functions.push_back(std::move(function));
      } else if (!(*skipped)->what.empty()) {
        plan_.skips.push_back({function.from, std::move(**skipped)});
      }
    }
    for (const std::string& other : manifest_.others) {
      plan_.skips.push_back(
          {other, {"is no HTTP trigger", "let what sends the events post them to a function"}});
    }
    return std::move(plan_);
  }

 private:
  // Nothing, or why the component is left out.
  Result<std::optional<ImportNote>> read_function(const SpinTrigger& trigger,
                                                  ImportFunction& function) {
    const SpinComponent& component = trigger.component;
    if (!trigger.why_not.empty()) {
      return ImportNote{trigger.why_not, "write a function that does what it does"};
    }
    if (!component.remote.empty()) return read_remote(trigger);
    if (!trigger.executor.entrypoint.empty() && trigger.executor.entrypoint != kEntrypoint) {
      return ImportNote{fmt::format("executor.entrypoint = \"{}\": only {} is called here",
                                    trigger.executor.entrypoint, kEntrypoint),
                        "build a program whose main calls it"};
    }
    function.name = component.id;
    function.wasm = TRY(find_in(project_, project_.base, component.source));
    function.route = route_of(trigger.route);
    const bool is_module = TRY(wasm_kind_of(function.wasm)) == WasmKind::module;
    if (trigger.executor.is_wagi) {
      if (!is_module) {
        return ImportNote{"the executor is wagi, and the file a component",
                          "build it as a module for wasm32-wasip1"};
      }
      function.contract = "cgi";
      if (!trigger.executor.argv.empty()) {
        function.notes.push_back({"executor.argv has no counterpart",
                                  "argv[0] is the name here, what follows is made of the query"});
      }
    } else if (is_module) {
      return ImportNote{"is a core module, of which Spin makes a component when it starts",
                        "build it for wasm32-wasip2, or with an SDK of Spin 2 or newer"};
    }
    TRY(add_environment(component, function));
    TRY(add_files(component, function));
    add_outbound(component, trigger.executor.is_wagi, function);
    note_differences(component, function);
    return std::nullopt;
  }

  // The server of files becomes the public folder; what else is kept elsewhere is left out.
  Result<std::optional<ImportNote>> read_remote(const SpinTrigger& trigger) {
    const SpinComponent& component = trigger.component;
    const bool is_file_server = std::ranges::any_of(kFileServers, [&](std::string_view name) {
      return component.remote.find(name) != std::string::npos;
    });
    std::string_view route = trigger.route;
    const bool is_tree = route.ends_with("/...");
    if (is_file_server && is_tree && !component.files.empty() &&
        route.find("/:") == std::string_view::npos) {
      route.remove_suffix(4);
      TRY(copy_files(component, fmt::format("{}{}", registry::kPublicFolder, route)));
      plan_.notes.push_back({fmt::format("component '{}' serves files; they are in {}{}/",
                                         component.id, registry::kPublicFolder, route),
                             "nothing to do; they are served without a function"});
      return ImportNote{};
    }
    return ImportNote{fmt::format("{} is not a local file", component.remote),
                      "fetch it and name the file in 'source'"};
  }

  Result<> add_environment(const SpinComponent& component, ImportFunction& function) {
    const auto add = [&](const std::string& name, const std::string& text) {
      auto value = manifest_.variables.expand(text);
      if (value) {
        function.env.emplace_back(name, std::move(*value));
        return;
      }
      function.notes.push_back(
          {value.error().message, fmt::format("set {} in [env] of the sidecar", name)});
    };
    for (const auto& [name, text] : component.environment) add(name, text);
    for (const auto& [name, text] : component.variables) add(upper(name), text);
    if (!component.variables.empty()) {
      function.notes.push_back(
          {"variables are environment variables here, in upper case; Spin's own interface for them "
           "is not served",
           "read them from the environment"});
    }
    std::set<std::string> names;
    for (const auto& [name, text] : function.env) {
      if (!names.insert(name).second) {
        return fail("'{}' is the name of a variable and of an environment variable; rename one",
                    name);
      }
    }
    return {};
  }

  [[nodiscard]] static bool is_excluded(const SpinComponent& component, std::string_view path) {
    return std::ranges::any_of(component.exclude_files, [&](const std::string& pattern) {
      return fits_pattern(path, pattern);
    });
  }

  // Puts what a component may read below `place`, as it sees it below "/".
  Result<> copy_files(const SpinComponent& component, const std::string& place) {
    for (const SpinFiles& files : component.files) {
      if (files.pattern.empty()) {
        TRY(copy_folder(component, files, place));
      } else {
        TRY(copy_pattern(component, files.pattern, place));
      }
    }
    return {};
  }

  Result<> copy_folder(const SpinComponent& component, const SpinFiles& files,
                       const std::string& place) {
    const std::string real = TRY(find_in(project_, project_.base, files.source));
    std::string to = place + files.destination;
    while (to.ends_with('/')) to.pop_back();
    if (!std::filesystem::is_directory(real)) {
      add_file(to, real);
      return {};
    }
    std::string source = files.source;
    while (source.ends_with('/')) source.pop_back();
    return copy_tree(real, [&](const std::string& relative, const std::string& file) {
      if (!is_excluded(component, source + "/" + relative)) add_file(to + "/" + relative, file);
    });
  }

  Result<> copy_pattern(const SpinComponent& component, std::string_view pattern,
                        const std::string& place) {
    while (pattern.starts_with("./")) pattern.remove_prefix(2);
    // Looked for below the part of the pattern that is no pattern.
    const auto special = pattern.find_first_of("*?[");
    const auto slash = pattern.substr(0, special).rfind('/');
    const std::string_view fixed =
        slash == std::string_view::npos ? std::string_view() : pattern.substr(0, slash);
    if (special == std::string_view::npos) {
      const std::string real = TRY(find_in(project_, project_.base, pattern));
      if (std::filesystem::is_directory(real)) {
        return copy_folder(component,
                           {.pattern = {},
                            .source = std::string(pattern),
                            .destination = fmt::format("/{}", pattern)},
                           place);
      }
      add_file(fmt::format("{}/{}", place, pattern), real);
      return {};
    }
    const std::string real =
        TRY(find_in(project_, project_.base, fixed.empty() ? std::string_view(".") : fixed));
    const std::string prefix = fixed.empty() ? "" : fmt::format("{}/", fixed);
    return copy_tree(real, [&](const std::string& relative, const std::string& file) {
      const std::string path = prefix + relative;
      if (fits_pattern(path, pattern) && !is_excluded(component, path)) {
        add_file(fmt::format("{}/{}", place, path), file);
      }
    });
  }

  template <class Each>
  Result<> copy_tree(const std::string& real, Each each) {
    TRY(walk_tree(project_, {.folder = real,
                             .on_file = [&](const std::string& relative,
                                            const std::string& file) -> Result<> {
                               each(relative, file);
                               return {};
                             },
                             .takes_hidden = true}));
    return {};
  }

  void add_file(std::string path, const std::string& real) {
    plan_.files.push_back({.path = std::move(path), .source = real, .text = {}});
  }

  Result<> add_files(const SpinComponent& component, ImportFunction& function) {
    if (component.files.empty()) return {};
    // A component that several routes lead to reads one copy.
    auto& place = mounted_[component.id];
    if (place.empty()) {
      place = folders_.place_for(component.id);
      TRY(copy_files(component, place));
      plan_.files.push_back({.path = place + "/.keep", .source = {}, .text = {}});
    }
    function.mounts.push_back({.host = place, .guest = "/", .is_writable = false});
    function.notes.push_back(
        {fmt::format("its files are a copy, {}", place), "change them there from now on"});
    return {};
  }

  void add_outbound(const SpinComponent& component, bool is_wagi, ImportFunction& function) {
    for (const std::string& entry : component.outbound) {
      const auto text = manifest_.variables.expand(entry);
      if (!text) {
        function.notes.push_back(
            {fmt::format("outbound host '{}': {}", entry, text.error().message),
             "add it to [outbound] allow of the sidecar"});
        continue;
      }
      const auto rules = is_wagi ? std::vector<std::string>() : rules_of(*text);
      if (rules.empty()) {
        function.notes.push_back({fmt::format("outbound host '{}' has no counterpart", *text),
                                  "HTTP to a host and a port can be allowed, to components: "
                                  "\"https://api.example.com\""});
      }
      for (const std::string& rule : rules) {
        if (std::ranges::find(function.outbound, rule) == function.outbound.end()) {
          function.outbound.push_back(rule);
        }
      }
    }
  }

  static void note_differences(const SpinComponent& component, ImportFunction& function) {
    const auto note = [&](std::string_view key, const std::vector<std::string>& names,
                          std::string_view remedy) {
      if (names.empty()) return;
      function.notes.push_back(
          {fmt::format("{} ({}) has no counterpart", key, fmt::join(names, ", ")),
           std::string(remedy)});
    };
    note(
        "key_value_stores", component.key_value_stores,
        "keep the data behind HTTP, or write the function for the wws contract, which has a store");
    note("sqlite_databases", component.sqlite_databases,
         "keep the data behind HTTP and allow that host in [outbound]");
    note("ai_models", component.ai_models, "call a model over HTTP");
    if (component.has_dependencies) {
      function.notes.push_back(
          {"dependencies are not composed here", "compose them into one file: wac plug"});
    }
  }

  const ImportProject& project_;
  SpinManifest manifest_;
  ImportPlan plan_;
  ImportedFolders folders_;
  std::map<std::string, std::string> mounted_;  // component, its folder
};

}  // namespace

Result<ImportPlan> plan_spin(const ImportProject& project) {
  return Application(project, TRY(read_spin_manifest(project.path))).read();
}

}  // namespace funcd::cli
