"""Cost curves: what a request costs as functions, bodies, connections and workers grow."""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rig import load, many
from rig.attempt import attempt
from rig.examples import ANSWER, COMPONENTS, echo_of, wait_for_all
from rig.load import Load, Request
from rig.server import BenchError, Server
from rig.setup import Bench, say

CONNECTIONS = (1, 4, 16, 64, 256, 1024, 4096)
FUNCTIONS = (1, 100, 1_000, 10_000)
BODIES = (1 << 10, 8 << 10, 64 << 10, 512 << 10, 1 << 20, 4 << 20, 8 << 20)
DESCRIPTORS = 16_384


@dataclass(frozen=True)
class Point:
    x: int
    cpu_us: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    rss_mib: float


@dataclass(frozen=True)
class Series:
    """One server along one curve."""

    curve: str
    server: str
    points: list[Point] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # by x: what it said instead

    def as_json(self) -> dict:
        return asdict(self)


Loader = Callable[[], tuple[Server, Load]]


def measure_all(bench: Bench, wanted: Callable[[str], bool], seconds: int, rounds: int,
                functions_max: int) -> tuple[list[Series], list[str]]:
    """The curves that are wanted, and what went wrong with the others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    measures = {
        "connections": lambda: _connections(bench, seconds, rounds),
        "functions": lambda: _functions(bench, seconds, rounds, functions_max),
        "body": lambda: _bodies(bench, seconds, rounds),
        "workers": lambda: _workers(bench, seconds, rounds),
    }
    return attempt(measures, wanted)


def _rounds(loaders: dict[tuple[str, int], Loader], curve: str, rounds: int) -> list[Series]:
    """Each loader once a round, by turns, so that what else the machine does falls on all alike."""
    seen: dict[tuple[str, int], list[tuple[Load, float]]] = {key: [] for key in loaders}
    refused: dict[tuple[str, int], str] = {}
    for turn in range(rounds):
        for key, measure in loaders.items():
            say(f"{curve}, round {turn + 1} of {rounds}: {key[0]} at {key[1]:,}")
            try:
                server, result = measure()
            except load.NotAllAnswered as error:
                refused[key] = str(error)
                say(f"{key[0]} at {key[1]:,}: {error}")
                continue
            seen[key].append((result, server.rss_bytes() / (1 << 20)))
    series: dict[str, Series] = {}
    for (name, x), results in seen.items():
        each = series.setdefault(name, Series(curve, name))
        if (name, x) in refused:
            each.refused[str(x)] = refused[name, x]
        else:
            each.points.append(_point(x, results))
    return list(series.values())


def _point(x: int, results: Sequence[tuple[Load, float]]) -> Point:
    def median(of: Callable[[Load], float]) -> float:
        return statistics.median(of(each) for each, _ in results)

    return Point(x, median(lambda each: each.cpu_us), median(lambda each: each.requests_per_s),
                 median(lambda each: each.p50_ms), median(lambda each: each.p99_ms),
                 max(rss for _, rss in results))


def _connections(bench: Bench, seconds: int, rounds: int) -> list[Series]:
    """Every server that can be had, the same small answer."""
    with contextlib.ExitStack() as stack:
        asked: dict[str, tuple[Server, Request]] = {}
        for name, start, request, answer in _contenders(bench):
            server = stack.enter_context(start())
            load.first_answer_s(server.port, request, server.started_s, answer, server=server)
            asked[name] = (server, request)

        def measure(name: str, connections: int) -> tuple[Server, Load]:
            server, request = asked[name]
            return server, load.wrk_kept(server, request, bench.client_core, seconds, connections)

        return _rounds({(name, count): lambda name=name, count=count: measure(name, count)
                        for count in CONNECTIONS for name in asked}, "connections", rounds)


def _contenders(bench: Bench) -> Iterator[tuple[str, Callable[[], Server], Request, bytes]]:
    hello, cjson = Request("/hello"), Request("/cjson")
    answer = bench.folder / "connections-answer"
    with bench.funcd("funcd", bench.examples, bench.folder / "curves-cache") as funcd:
        wait_for_all(funcd)
        answer.write_bytes(load.raw_answer(funcd.port, "/cjson"))
    yield "bare epoll server", lambda: bench.epoll_floor(answer), cjson, ANSWER
    if bench.nginx_binary:
        yield "nginx", lambda: bench.nginx(ANSWER), cjson, ANSWER
    yield "funcd, cjson", lambda: _funcd(bench, bench.examples, "curves-cache"), cjson, ANSWER
    yield ("funcd, component", lambda: _optimized(_funcd(bench, bench.components, "curves-comp"),
                                                  [hello]), hello, COMPONENTS["hello"])
    if bench.wasmtime:
        yield ("wasmtime serve, component", lambda: bench.wasmtime_serve("hello"), hello,
               COMPONENTS["hello"])
    yield "wazero, cjson", bench.wazero, cjson, ANSWER


def _funcd(bench: Bench, source: Path, cache: str) -> Server:
    return bench.funcd("funcd", source, bench.folder / cache, bench.server_core, workers=1)


def _optimized(server: Server, requests: Sequence[Request]) -> Server:
    try:
        wait_for_all(server, requests)
    except BenchError:
        server.stop()
        raise
    return server


def _bodies(bench: Bench, seconds: int, rounds: int) -> list[Series]:
    """A CGI program and a component that send back what they get."""
    smallest = [echo_of(BODIES[0])]
    with _optimized(_funcd(bench, bench.examples, "curves-cache"), smallest) as program, \
            _optimized(_funcd(bench, bench.components, "curves-comp"), smallest) as component:
        def measure(server: Server, size: int) -> tuple[Server, Load]:
            request = echo_of(size)
            load.check(server, request, request.body)
            return server, load.wrk(server, request, bench.client_core, seconds)

        servers = {"funcd, cgi echo": program, "funcd, component echo": component}
        return _rounds({(name, size): lambda server=server, size=size: measure(server, size)
                        for size in BODIES for name, server in servers.items()}, "body", rounds)


def _functions(bench: Bench, seconds: int, rounds: int, functions_max: int) -> list[Series]:
    """Requests to all of them in turn: one server for each number, all of whose code is loaded."""
    counts = [count for count in FUNCTIONS if count <= functions_max]
    cache = bench.folder / "functions-cache"
    with contextlib.ExitStack() as stack:
        asked: dict[int, tuple[Server, list[str]]] = {}
        for count in reversed(counts):  # the artifacts of the largest are those of all
            source = many.make_functions(bench, f"functions{count}", count, ("hello",))
            if count == counts[-1]:
                many.fill(bench, source, cache)
            server = stack.enter_context(
                many.serve(bench, source, cache, "--unload-after", "off"))
            many.wait_until_ready(server)
            asked[count] = (server, [f"/f{number}" for number in range(count)])

        def measure(count: int) -> tuple[Server, Load]:
            server, paths = asked[count]
            for taken_s in (load.WARM_UP_S, seconds):
                result = load.wrk(server, Request(paths[0]), bench.client_core, taken_s,
                                  paths=paths)
            return server, result

        return _rounds({("funcd, hello", count): lambda count=count: measure(count)
                        for count in counts}, "functions", rounds)


def _workers(bench: Bench, seconds: int, rounds: int) -> list[Series]:
    """Not pinned: server and client share all cores, with one worker as with two."""
    request = Request("/cjson")
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {bench.server_core, bench.client_core})
    try:
        with contextlib.ExitStack() as stack:
            servers = {}
            for count in (1, 2):
                server = stack.enter_context(bench.funcd(
                    "funcd", bench.examples, bench.folder / "curves-cache", workers=count))
                servers[count] = _optimized(server, [request])

            def measure(count: int) -> tuple[Server, Load]:
                load.wrk(servers[count], request, None, load.WARM_UP_S)
                return servers[count], load.wrk(servers[count], request, None, seconds)

            return _rounds({("funcd, cjson", count): lambda count=count: measure(count)
                            for count in servers}, "workers", rounds)
    finally:
        os.sched_setaffinity(0, cores)
