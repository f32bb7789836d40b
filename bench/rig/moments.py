"""What happens once: start to first answer, file drop to first answer; and memory after use."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from rig import load
from rig.attempt import attempt
from rig.examples import ANSWER, EXAMPLES, distinct, wait_for_all
from rig.load import Request
from rig.server import BenchError, Server
from rig.setup import Bench, say

MIB = 1 << 20
RSS_REQUESTS_S_MAX = 90
SLEEPERS = 128  # connections; each waits 100 ms, so 16 would take a minute


@dataclass(frozen=True)
class Moment:
    key: str
    title: str
    value: float
    unit: str
    detail: str = ""


def measure_all(bench: Bench, wanted: Callable[[str], bool], times: int,
                requests: int) -> tuple[list[Moment], list[str]]:
    """The moments that are wanted, and what went wrong with the others."""
    measures = {
        "start": lambda: _starts(bench, times),
        "drop": lambda: _drops(bench, times),
        "rss": lambda: _memory(bench, requests),
    }
    return attempt(measures, wanted)


def _starts(bench: Bench, times: int) -> list[Moment]:
    """All examples in the folder; cold: an empty cache folder each time."""
    say("start to first answer")
    cold_ms = [_start_ms(bench, bench.folder / f"cold{turn}") for turn in range(min(times, 3))]
    cache = bench.folder / "warm"
    _fill_cache(bench, cache)
    warm_ms = [_start_ms(bench, cache) for _ in range(times)]
    return [_moment("start-warm", "start, warm cache, to the first answer of gojson", warm_ms),
            _moment("start-cold", "start, empty cache, to the first answer of gojson", cold_ms)]


def _fill_cache(bench: Bench, cache: Path) -> None:
    """Until all examples have answered: a start that still compiles one of them is not warm."""
    with bench.funcd("funcd", bench.examples, cache) as server:
        wait_for_all(server)


def _start_ms(bench: Bench, cache: Path) -> float:
    began_s = time.monotonic()
    with bench.funcd("funcd", bench.examples, cache) as server:
        return load.first_answer_s(server.port, Request("/gojson"), began_s, ANSWER) * 1000


def _drops(bench: Bench, times: int) -> list[Moment]:
    """Into a running server's folder, by rename; no file has been compiled before."""
    say("file drop to first answer")
    source = bench.folder / "drops"
    source.mkdir()
    with bench.funcd("funcd", source, bench.folder / "drop-cache") as server:
        small_ms = [_drop_ms(bench, server, source, "cgi", f"small{n}") for n in range(times)]
        go_ms = [_drop_ms(bench, server, source, "gojson", f"go{n}")
                 for n in range(min(times, 3))]
    size = (bench.examples / "cgi.wasm").stat().st_size
    small = f"file drop to first answer, C module of {size // 1000} kB"
    return [_moment("drop-c", small, small_ms),
            _moment("drop-go", "file drop to first answer, gojson (3.3 MB)", go_ms)]


def _drop_ms(bench: Bench, server: Server, source: Path, example: str, name: str) -> float:
    module = bench.folder / f"{name}.new"
    sidecar = bench.folder / f"{name}.toml"
    module.write_bytes(distinct((bench.examples / f"{example}.wasm").read_bytes(),
                                os.urandom(16)))
    sidecar.write_text('[input]\nname = "zztkm"\nage = 20\n' if example == "gojson" else "")
    os.rename(sidecar, source / sidecar.name)
    began_s = time.monotonic()
    os.rename(module, source / f"{name}.wasm")
    expected = ANSWER if example == "gojson" else None
    return load.first_answer_s(server.port, Request(f"/{name}"), began_s, expected) * 1000


def _memory(bench: Bench, requests: int) -> list[Moment]:
    """Of a server as a user starts it, workers and all: one that has compiled the examples itself,
    and one that has found them in the cache."""
    source = bench.folder / "all"
    shutil.copytree(bench.examples, source)
    cache = bench.folder / "memory-cache"
    return [_rss(bench, source, cache, requests, "rss", "compiled by itself"),
            _rss(bench, source, cache, requests, "rss-warm", "from the cache")]


def _rss(bench: Bench, source: Path, cache: Path, requests: int, key: str, how: str) -> Moment:
    say(f"memory after {requests} requests to each example, {how}")
    with bench.funcd("funcd", source, cache) as server:
        wait_for_all(server)
        fresh_mib = server.rss_bytes() / MIB
        for request in EXAMPLES:
            _send(server, request, requests)
        used_mib, own_mib = server.rss_bytes() / MIB, server.rss_bytes("RssAnon") / MIB
    title = f"RSS after {requests:,} requests to each of {len(EXAMPLES)} examples, {how}"
    detail = f"{own_mib:.1f} without mapped files; {fresh_mib:.1f} after one request to each"
    return Moment(key, title, used_mib, "MiB", detail)


def _send(server: Server, request: Request, requests: int) -> None:
    connections = SLEEPERS if request.path == "/sleeper" else 16
    end_s = time.monotonic() + RSS_REQUESTS_S_MAX
    sent = 0
    while sent < requests and time.monotonic() < end_s:
        sent += load.wrk(server, request, None, 1, connections).requests
    if sent < requests:
        raise BenchError(f"{request.path}: only {sent} requests in {RSS_REQUESTS_S_MAX} s")


def _moment(key: str, title: str, values_ms: list[float]) -> Moment:
    detail = f"{min(values_ms):.1f} to {max(values_ms):.1f} in {len(values_ms)}"
    return Moment(key, title, statistics.median(values_ms), "ms", detail)
