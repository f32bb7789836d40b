"""CPU per request: the rows of the table. All servers are up before the first measurement, and the
rounds take turns, so that what else the machine does falls on all rows alike."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
from dataclasses import dataclass
from typing import Callable

from rig import load
from rig.examples import ANSWER, ASKED, COMPONENTS, DATA, wait_for_all
from rig.load import Load, Request
from rig.server import BenchError, Server
from rig.setup import SEED_AS_WRITTEN, SEED_KEPT, Bench, say

FUNCTIONS = ("cjson", "gojson")
ECHOES = ("echo", "echo-1m")
PRIMES, SLEEPER = "primes", "sleeper"
COMPONENT = "component-"
ECHO_COMPONENT = COMPONENT + "echo-1m"
# The same function by what only funcd has, and how the engine alone is made to run it.
STARTED = {
    "gojson-reactor": ("--stdin", DATA, "--snapshot", "warm"),
    "gojson-snapshot": ("--env", f"DATA={DATA}", "--snapshot", "cold"),
    "gojson-warm": ("--env", f"DATA={DATA}", "--snapshot", "warm"),
}
WORKERD_FUNCTIONS = ("hello", "json", "echo", "echo-1m", "cjson", "primes", "sleeper")
AS_WRITTEN_S_MAX = 8.0
CONNECTIONS = 16
CONNECTIONS_ASLEEP = 256


@dataclass(frozen=True)
class Row:
    """A line of the table: medians over the rounds. `rate` and latencies are None without HTTP."""

    key: str
    title: str
    cpu_us: float
    spread: float  # (largest - smallest) / median of the rounds' CPU
    requests_per_s: float | None
    p50_ms: float | None
    p99_ms: float | None
    others: float  # largest share of the core that others had while this was measured


TITLES = {
    "floor": "bare epoll server, the bytes of funcd's answer",
    "floor-echo": "bare epoll server, echo of 1 KB",
    "floor-echo-1m": "bare epoll server, echo of 1 MiB",
    "nginx": "nginx, one process, a fixed body",
    "funcd/cjson": "**funcd, cjson** (C, `data` contract, limits on)",
    "funcd/gojson": "**funcd, gojson** (the article's Go program, unmodified)",
    "funcd/gojson-reactor": "**funcd, gojson as a Go reactor**, from a warm snapshot",
    "funcd/gojson-snapshot": "**funcd, gojson unmodified**, from a snapshot before its main",
    "funcd/gojson-warm": "**funcd, gojson unmodified**, from a snapshot after its main has run once",
    "funcd/echo": "**funcd, cgi echo of 1 KB** (C, streamed both ways)",
    "funcd/echo-1m": "**funcd, cgi echo of 1 MiB**",
    "funcd/primes": "**funcd, primes** (C, computes and does nothing else)",
    "funcd/sleeper": "**funcd, sleeper** (C, waits for 100 ms), 256 connections",
    "funcd/component-hello": "**funcd, component hello** (C, `wasi:http`, limits on)",
    "funcd/component-echo-1m": "**funcd, component echo of 1 MiB** (C)",
    "wasmtime/component-echo-1m": "wasmtime serve, its best flags, component echo of 1 MiB",
    "wasmtime/component-hello": "wasmtime serve, its best flags, component hello",
    "engine/component-hello": "funcd's engine alone in a loop, component hello",
    "funcd/component-rust": "**funcd, component hello in Rust**",
    "wasmtime/component-rust": "wasmtime serve, its best flags, component hello in Rust",
    "engine/component-rust": "funcd's engine alone in a loop, component hello in Rust",
    "funcd/component-javascript": "**funcd, component hello in JavaScript** (StarlingMonkey, warm as built)",
    "wasmtime/component-javascript": "wasmtime serve, its best flags, the same in JavaScript",
    "engine/component-javascript": "funcd's engine alone in a loop, the same in JavaScript",
    "engine/cjson": "funcd's engine alone in a loop, cjson",
    "engine/primes": "funcd's engine alone in a loop, primes",
    "engine/gojson": "funcd's engine alone in a loop, gojson",
    "engine/gojson-reactor": "funcd's engine alone in a loop, gojson as a reactor",
    "engine/gojson-snapshot": "funcd's engine alone in a loop, gojson from a snapshot",
    "engine/gojson-warm": "funcd's engine alone in a loop, gojson from a warm snapshot",
    "workerd/hello": "workerd, hello in JavaScript, its isolate kept",
    "workerd/json": "workerd, the article's function in JavaScript, its isolate kept",
    "workerd/echo": "workerd, echo of 1 KB in JavaScript, its isolate kept",
    "workerd/echo-1m": "workerd, echo of 1 MiB in JavaScript, its isolate kept",
    "workerd/cjson": "workerd, cjson.wasm, a new instance within its kept isolate",
    "workerd/primes": "workerd, primes.wasm, a new instance within its kept isolate",
    "workerd/sleeper": "workerd, a wait for 100 ms in JavaScript, 256 connections",
    "wazero/cjson": "net/http + wazero, compiled once, cjson",
    "wazero/gojson": "net/http + wazero, compiled once, gojson",
    "wazero/primes": "net/http + wazero, compiled once, primes",
    "wazero/sleeper": "net/http + wazero, compiled once, sleeper, 256 connections",
    "kept/cjson": "the article's server, engine and module kept, cjson",
    "kept/gojson": "the article's server, engine and module kept, gojson",
    "written/cjson": "the article's server as written, cjson",
    "written/gojson": "the article's server as written, gojson",
}

Measure = Callable[[], Load]


def measure_all(bench: Bench, wanted: Callable[[str], bool], seconds: int,
                rounds: int) -> tuple[list[Row], list[str]]:
    """The rows that are wanted, and what went wrong with the others."""
    troubles: list[str] = []
    with contextlib.ExitStack() as stack:
        measures = _start(bench, stack, wanted, seconds, troubles)
        results: dict[str, list[Load]] = {key: [] for key in measures}
        for turn in range(rounds):
            for key, measure in measures.items():
                if turn > 0 and key.startswith("written/"):
                    continue
                say(f"round {turn + 1} of {rounds}: {key}")
                try:
                    results[key].append(measure())
                except (BenchError, subprocess.TimeoutExpired) as error:
                    troubles.append(str(error))
    return [_row(key, loads) for key, loads in results.items() if loads], troubles


def _row(key: str, loads: list[Load]) -> Row:
    def median(values: list[float]) -> float | None:
        value = statistics.median(values)
        return None if value != value else value

    cpu_us = statistics.median(each.cpu_us for each in loads)
    spread = (max(each.cpu_us for each in loads) - min(each.cpu_us for each in loads)) / cpu_us
    return Row(key, TITLES[key], cpu_us, spread, median([each.requests_per_s for each in loads]),
               median([each.p50_ms for each in loads]), median([each.p99_ms for each in loads]),
               max(each.others for each in loads))


def _start(bench: Bench, stack: contextlib.ExitStack, wanted: Callable[[str], bool], seconds: int,
           troubles: list[str]) -> dict[str, Measure]:
    """Starts the servers of the rows that are wanted; how each row is measured, in table order."""
    measures: dict[str, Measure] = {}

    def add(key: str, server: Server, is_slow: bool) -> None:
        request, answer = _asked(key)
        load.first_answer_s(server.port, request, server.started_s, answer, server=server)
        measures[key] = lambda: _measure(bench, server, key, seconds, is_slow)

    def attempt(keys: list[str], start: Callable[[], Server], is_slow: bool = False) -> None:
        keys = [key for key in keys if wanted(key)]
        if not keys:
            return
        try:
            server = stack.enter_context(start())
            for key in keys:
                add(key, server, is_slow)
        except BenchError as error:
            troubles.append(str(error))

    def rows(name: str, *functions: str) -> list[str]:
        return [f"{name}/{function}" for function in functions]

    if wanted("floor"):
        attempt(["floor"], lambda: _floor(bench))
    attempt(["floor-echo", "floor-echo-1m"], lambda: bench.epoll_floor(None))
    if bench.nginx_binary:
        attempt(["nginx"], lambda: bench.nginx(ANSWER))
    attempt(rows("funcd", *FUNCTIONS, *STARTED, *ECHOES, PRIMES, SLEEPER), lambda: _funcd(bench))
    names = bench.component_names(COMPONENTS)
    components = [COMPONENT + name for name in names]
    attempt(rows("funcd", *components, ECHO_COMPONENT), lambda: _funcd_components(bench))
    if bench.wasmtime:
        for name in names:
            attempt([f"wasmtime/{COMPONENT}{name}"], lambda name=name: bench.wasmtime_serve(name))
        attempt([f"wasmtime/{ECHO_COMPONENT}"], lambda: bench.wasmtime_serve("echo"))
    for key in filter(wanted, rows("engine", *FUNCTIONS, *STARTED, PRIMES, *components)):
        measures[key] = lambda key=key: _engine(bench, key.partition("/")[2], seconds)
    if bench.workerd_binary:
        for name in WORKERD_FUNCTIONS:
            attempt([f"workerd/{name}"],
                    lambda name=name: bench.workerd(name.removesuffix("-1m")))
    attempt(rows("wazero", *FUNCTIONS, PRIMES, SLEEPER), bench.wazero)
    attempt(rows("kept", *FUNCTIONS), lambda: bench.seed_server(SEED_KEPT))
    attempt(rows("written", *FUNCTIONS), lambda: bench.seed_server(SEED_AS_WRITTEN), is_slow=True)
    return measures


def _funcd(bench: Bench) -> Server:
    server = bench.funcd("funcd", bench.examples, bench.folder / "cache", bench.server_core,
                         workers=1)
    try:
        wait_for_all(server)
    except BenchError:
        server.stop()
        raise
    return server


def _funcd_components(bench: Bench) -> Server:
    server = bench.funcd("funcd, components", bench.components, bench.folder / "cache-components",
                         bench.server_core, workers=1)
    try:
        wait_for_all(server, [Request(f"/{name}") for name in bench.component_names(COMPONENTS)])
    except BenchError:
        server.stop()
        raise
    return server


def _asked(key: str) -> tuple[Request, bytes]:
    """What a row's server is asked, and what it answers."""
    name = key.partition("/")[2] or key
    work = name.removeprefix(COMPONENT).removeprefix("floor-")  # workerd has the same in JavaScript
    if work in ASKED:
        return ASKED[work]
    if work in COMPONENTS:
        return Request(f"/{work}"), COMPONENTS[work]
    return Request("/cjson" if key == name else f"/{name}"), ANSWER


def _floor(bench: Bench) -> Server:
    """Started with an answer that funcd has given, so that both send the same bytes."""
    answer = bench.folder / "answer"
    with bench.funcd("funcd", bench.examples, bench.folder / "cache") as funcd:
        load.first_answer_s(funcd.port, Request("/cjson"), funcd.started_s, ANSWER)
        answer.write_bytes(load.raw_answer(funcd.port, "/cjson"))
    return bench.epoll_floor(answer)


def _measure(bench: Bench, server: Server, key: str, seconds: int, is_slow: bool) -> Load:
    request, answer = _asked(key)
    if is_slow:
        return load.sequential(server, request, answer, min(seconds, AS_WRITTEN_S_MAX))
    connections = CONNECTIONS_ASLEEP if key.endswith(SLEEPER) else CONNECTIONS
    load.wrk(server, request, bench.client_core, load.WARM_UP_S, connections)
    result = load.wrk(server, request, bench.client_core, seconds, connections)
    load.check(server, request, answer)
    return result


def _engine(bench: Bench, function: str, seconds: int) -> Load:
    if function.startswith(COMPONENT):
        name = function.removeprefix(COMPONENT)
        file, expected = bench.components / f"{name}.wasm", COMPONENTS[name]
        flags = ()
    else:
        file = bench.examples / f"{function}.wasm"
        expected = ASKED[function][1] if function in ASKED else ANSWER
        flags = STARTED.get(function, ("--env", f"DATA={DATA}"))
    command = ["taskset", "-c", str(bench.server_core), str(bench.build / "bench/engine_floor"),
               str(file), *flags, "--seconds", str(seconds), "--expect", expected.decode()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60,
                          check=False)
    if done.returncode != 0:
        raise BenchError(f"engine/{function}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    nothing = float("nan")
    return Load(result["runs"], nothing, nothing, nothing, result["cpu_us_per_run"])
