"""Many functions on one node, each an artifact of its own: a restart, and the memory of those that
nobody calls. What requests for any of them cost is a curve: rig/curves.py."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Callable

from rig import load
from rig.attempt import attempt
from rig.examples import distinct
from rig.load import Request
from rig.moments import Moment
from rig.server import BenchError, Server
from rig.setup import Bench, run_tool, say

MODULES = ("cjson", "hello", "cgi", "greet")
COUNT = 1_000
BACK_COUNT = 100
FILL_TIMEOUT_S = 300.0
CACHE_SIZE = "8GiB"


def measure_all(bench: Bench, wanted: Callable[[str], bool],
                times: int) -> tuple[list[Moment], list[str]]:
    """The moments that are wanted, and what went wrong with the others."""
    measures = {
        "many-start": lambda: _restart(bench, times),
    }
    return attempt(measures, wanted)


def make_functions(bench: Bench, name: str, count: int, modules: tuple[str, ...] = MODULES) -> Path:
    source = bench.folder / name
    source.mkdir()
    kinds = [(bench.examples / f"{module}.wasm").read_bytes() for module in modules]
    for number in range(count):
        (source / f"f{number}.wasm").write_bytes(distinct(kinds[number % len(kinds)],
                                                        str(number).encode()))
    return source


def fill(bench: Bench, source: Path, cache: Path) -> None:
    """Compiles all, then serves once: what was live there before is known from then on."""
    say(f"compiling {len(list(source.iterdir()))} functions")
    run_tool([str(bench.build / "funcd"), "serve", str(source), "--check", "--cache-dir",
              str(cache), "--cache-size", CACHE_SIZE])
    with serve(bench, source, cache) as server:
        wait_until_ready(server)


def serve(bench: Bench, source: Path, cache: Path, *flags: str) -> Server:
    command = [str(bench.build / "funcd"), "serve", str(source), "--listen", "127.0.0.1:0",
               "--admin", "127.0.0.1:0", "--cache-dir", str(cache), "--cache-size", CACHE_SIZE,
               "--workers", "1", "--log-level", "warn", *flags]
    return Server("funcd", command, bench.server_core, has_admin=True)


def wait_until_ready(server: Server) -> float:
    """Until all that lies there is live; in ms from the start."""
    deadline_s = time.monotonic() + FILL_TIMEOUT_S
    while load.fetch(server.admin_port, Request("/readyz"))[0] != 200:
        if time.monotonic() > deadline_s:
            raise BenchError(f"not all functions are live after {FILL_TIMEOUT_S:.0f} s")
        time.sleep(0.005)
    return (time.monotonic() - server.started_s) * 1000


def _restart(bench: Bench, times: int) -> list[Moment]:
    say(f"restart with {COUNT} functions")
    source, cache = make_functions(bench, "thousand", COUNT), bench.folder / "thousand-cache"
    fill(bench, source, cache)
    first_ms, all_ms, rss_kib, back_ms, again_ms = [], [], [], [], []
    for _ in range(times):
        with serve(bench, source, cache) as server:
            # The last of its kind is no better off than any other.
            last = Request(f"/f{COUNT - len(MODULES)}")
            taken_s = load.first_answer_s(server.port, last, server.started_s, None)
            first_ms.append(taken_s * 1000)
            all_ms.append(wait_until_ready(server))
            rss_kib.append(server.rss_bytes() / 1024)
            for number in range(0, BACK_COUNT * len(MODULES), len(MODULES)):
                for taken_ms in (back_ms, again_ms):
                    taken_ms.append(load.first_answer_s(
                        server.port, Request(f"/f{number}"), time.monotonic(), None) * 1000)
    alone_kib = _alone_kib(bench, times)
    each_kib = (statistics.median(rss_kib) - alone_kib) / (COUNT - 1)
    return [Moment("many-start", f"restart, warm cache, {COUNT:,} functions, to the first answer",
                   statistics.median(first_ms), "ms",
                   f"{min(first_ms):.0f} to {max(first_ms):.0f} in {times}; all are live after "
                   f"{statistics.median(all_ms):.0f} ms"),
            Moment("many-rss", "RSS per idle function", each_kib, "KiB",
                   f"{statistics.median(rss_kib) / 1024:.1f} MiB with {COUNT:,}, "
                   f"{alone_kib / 1024:.1f} with one"),
            Moment("many-back", "answer of a function whose code is not in memory",
                   statistics.median(back_ms), "ms",
                   f"{statistics.median(again_ms):.1f} ms once it is; of {BACK_COUNT} functions")]


def _alone_kib(bench: Bench, times: int) -> float:
    source, cache = make_functions(bench, "one", 1), bench.folder / "one-cache"
    fill(bench, source, cache)
    kib = []
    for _ in range(min(times, 3)):
        with serve(bench, source, cache) as server:
            wait_until_ready(server)
            load.first_answer_s(server.port, Request("/f0"), server.started_s, None)
            kib.append(server.rss_bytes() / 1024)
    return statistics.median(kib)
