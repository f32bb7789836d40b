# Each constant is a server of one function, so that no routing is in the way:
#   workerd serve -I EXAMPLES config.capnp hello --socket-addr http=127.0.0.1:8080
# EXAMPLES is the folder that has the modules.
using Workerd = import "/workerd/workerd.capnp";

const hello :Workerd.Config = (
  sockets = [(name = "http", http = (), service = "main")],
  services = [(name = "main", worker = (
    compatibilityDate = "2026-11-01",
    modules = [(name = "hello", esModule = embed "hello.js")]
  ))]
);

const json :Workerd.Config = (
  sockets = [(name = "http", http = (), service = "main")],
  services = [(name = "main", worker = (
    compatibilityDate = "2026-11-01",
    modules = [(name = "json", esModule = embed "json.js")]
  ))]
);

const echo :Workerd.Config = (
  sockets = [(name = "http", http = (), service = "main")],
  services = [(name = "main", worker = (
    compatibilityDate = "2026-11-01",
    modules = [(name = "echo", esModule = embed "echo.js")]
  ))]
);

const cjson :Workerd.Config = (
  sockets = [(name = "http", http = (), service = "main")],
  services = [(name = "main", worker = (
    compatibilityDate = "2026-11-01",
    modules = [
      (name = "command", esModule = embed "command.js"),
      (name = "command.wasm", wasm = embed "/cjson.wasm"),
    ]
  ))]
);

const primes :Workerd.Config = (
  sockets = [(name = "http", http = (), service = "main")],
  services = [(name = "main", worker = (
    compatibilityDate = "2026-11-01",
    modules = [
      (name = "command", esModule = embed "command.js"),
      (name = "command.wasm", wasm = embed "/primes.wasm"),
    ]
  ))]
);

const sleeper :Workerd.Config = (
  sockets = [(name = "http", http = (), service = "main")],
  services = [(name = "main", worker = (
    compatibilityDate = "2026-11-01",
    modules = [(name = "sleeper", esModule = embed "sleeper.js")]
  ))]
);
