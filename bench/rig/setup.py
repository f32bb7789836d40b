"""What a run needs: built binaries, the examples, the peers, and where they are."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rig.server import BenchError, Server

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "funcd"
VENV = CACHE / "venv"
PYTHON = VENV / "bin" / "python"
SEED_AS_WRITTEN = ROOT / "tests" / "parity" / "seed_server.py"
SEED_KEPT = BENCH / "seed_server" / "seed_server_kept.py"
WASMTIME_VERSION = re.search(r'wasmtime = \{ version = "=([\d.]+)"',
                             (ROOT / "bridge" / "Cargo.toml").read_text())[1]
# What makes it fastest here for small guests.
WASMTIME_FLAGS = (
    "pooling-allocator=y", "pooling-memory-keep-resident=1048576",
    "pooling-table-keep-resident=1048576", "pooling-async-stack-keep-resident=65536",
    "pooling-max-unused-warm-slots=64", "pooling-decommit-batch-size=32",
    "pooling-max-memory-size=67108864", "pooling-pagemap-scan=y",
)
LANGUAGES = ("rust", "javascript")
WORKERD = BENCH / "workerd"
WORKERD_VERSION = json.loads((WORKERD / "package.json").read_text())["dependencies"]["workerd"]
PYTHON_PACKAGES = ("aiofiles", "fastapi", "uvicorn", "wasmtime")
PLOT_PACKAGES = ("matplotlib",)


@dataclass(frozen=True)
class Bench:
    """Where everything is. `folder` is scratch, gone when the run ends."""

    build: Path
    examples: Path
    components: Path
    folder: Path
    server_core: int
    client_core: int
    # Brought by tools/setup bench; without one its rows are left out.
    wasmtime: Path | None  # of the version that funcd is built with
    nginx_binary: Path | None
    workerd_binary: Path | None

    def funcd(self, name: str, source: Path, cache: Path, core: int | None = None,
              workers: int | None = None) -> Server:
        command = [str(self.build / "funcd"), "serve", str(source), "--listen", "127.0.0.1:0",
                   "--admin", "127.0.0.1:0", "--cache-dir", str(cache)]
        if workers is not None:
            command += ["--workers", str(workers)]
        return Server(name, command, core, has_admin=True)

    def epoll_floor(self, answer: Path | None) -> Server:
        """One that sends what a file holds or, without one, echoes."""
        how = ["--echo"] if answer is None else ["--answer", str(answer)]
        command = [str(self.build / "bench" / "epoll_floor"), *how]
        return Server("epoll floor", command, self.server_core)

    def wasmtime_serve(self, component: str) -> Server:
        port = _free_port()
        command = [str(self.wasmtime), "serve", "-Scli", "--addr", f"127.0.0.1:{port}",
                   *(f"-O{flag}" for flag in WASMTIME_FLAGS),
                   str(self.components / f"{component}.wasm")]
        return Server("wasmtime serve", command, self.server_core, port=port)

    def component_names(self, wanted: Iterable[str]) -> list[str]:
        """Those that are built: a language may be left out where its toolchain is not to be had."""
        return [name for name in wanted if (self.components / f"{name}.wasm").exists()]

    def wazero(self) -> Server:
        command = [str(self.folder / "wazero_server"), str(self.examples)]
        return Server("wazero", command, self.server_core)

    def seed_server(self, module: Path) -> Server:
        """The article's server, as written or kept: it serves ./functions."""
        command = [str(PYTHON), "-m", "uvicorn", f"{module.stem}:app", "--app-dir",
                   str(module.parent), "--port", "0", "--no-access-log"]
        return Server(module.stem, command, self.server_core, folder=self.folder)

    def workerd(self, function: str) -> Server:
        """A constant of bench/workerd/config.capnp."""
        port = _free_port()
        command = [str(self.workerd_binary), "serve", "-I", str(self.examples),
                   str(WORKERD / "config.capnp"), function,
                   "--socket-addr", f"http=127.0.0.1:{port}"]
        return Server(f"workerd, {function}", command, self.server_core, port=port)

    def nginx(self, body: bytes) -> Server:
        port = _free_port()
        config = self.folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=self.folder, port=port, body=body.decode()))
        command = [str(self.nginx_binary), "-c", str(config), "-e", "/dev/null"]
        return Server("nginx", command, self.server_core, port=port)


_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; worker_processes 1; error_log /dev/null;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{body}'; }} }}
}}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_tool(command: list[str], folder: Path = ROOT) -> None:
    """A build step; its output is shown only when it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}: failed\n{(done.stdout + done.stderr)[-3000:]}")


def prepare(build: Path, examples: Path, folder: Path, is_building: bool) -> Bench:
    """Builds what is older than its sources and checks that the tools are there."""
    components = examples.parent / "components"
    for tool in ("wrk", "taskset", "go"):
        if not shutil.which(tool):
            raise BenchError(f"{tool}: not installed; run: tools/setup examples bench")
    if is_building:
        say("building funcd, the floors, the examples")
        run_tool(["tools/build", "release", "funcd", "epoll_floor", "engine_floor"])
        run_tool([str(ROOT / "examples" / "build"), str(examples)])
        run_tool([str(ROOT / "examples" / "build-components"), str(components)])
        _build_languages(examples.parent / "languages", components)
    for binary in (build / "funcd", build / "bench/epoll_floor", build / "bench/engine_floor",
                   examples / "gojson.wasm", examples / "cjson.wasm", components / "hello.wasm"):
        if not binary.exists():
            raise BenchError(f"{binary}: is not there; run: make bench")
    run_tool(["go", "build", "-o", str(folder / "wazero_server"), "."], BENCH / "wazero")
    _need_python_packages()
    (folder / "functions").symlink_to(examples)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("one core only: server and client need one each")
    return Bench(build, examples, components, folder, cores[0], cores[-1],
                 wasmtime=_peer(f"wasmtime-{WASMTIME_VERSION}"), nginx_binary=_peer("nginx"),
                 workerd_binary=_peer(f"workerd-{WORKERD_VERSION}"))


def _build_languages(languages: Path, components: Path) -> None:
    """Those that have rows, beside the components in C."""
    run_tool([str(ROOT / "examples" / "build-languages"), str(languages)])
    for language in LANGUAGES:
        built = languages / language / "http.wasm"
        if built.exists():
            shutil.copyfile(built, components / f"{language}.wasm")
        else:
            say(f"{built}: is not there, its rows are left out; run: tools/setup languages")


def find_peer(name: str) -> Path | None:
    """From PATH, or what tools/setup bench has kept."""
    installed = shutil.which(name)
    kept = Path(installed) if installed else CACHE / "bin" / name
    return kept if kept.exists() else None


def _peer(name: str) -> Path | None:
    found = find_peer(name)
    if found:
        return found
    say(f"{name} is not there, its rows are left out; run: tools/setup bench")
    return None


def _need_python_packages() -> None:
    if not PYTHON.exists():
        say("making a Python environment for the article's server")
        run_tool([sys.executable, "-m", "venv", str(VENV)])
    imports = [str(PYTHON), "-c", f"import {', '.join(PYTHON_PACKAGES + PLOT_PACKAGES)}"]
    if subprocess.run(imports, capture_output=True, check=False).returncode != 0:
        run_tool([str(PYTHON), "-m", "pip", "install", "--quiet", "-r",
                  str(BENCH / "requirements.txt")])


def scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="funcd-bench-")


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)
