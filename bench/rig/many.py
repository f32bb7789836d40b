"""Many functions on one node: a restart, the memory of those that nobody calls, and what a request
costs when it may be for any of 10,000. Each function is an artifact of its own, of several modules."""

from __future__ import annotations

import statistics
import subprocess
import time
from pathlib import Path
from typing import Callable

from rig import load
from rig.load import Request
from rig.moments import Moment
from rig.server import BenchError, Server
from rig.setup import Bench, run_tool, say

MODULES = ("cjson", "hello", "cgi", "greet")
FEW, MANY = 1_000, 10_000
FILL_TIMEOUT_S = 300.0
CACHE_SIZE = "8GiB"
STEP = 7919  # prime: every function has its turn, none beside the one before


def measure_all(bench: Bench, wanted: Callable[[str], bool], seconds: int, rounds: int,
                times: int) -> tuple[list[Moment], list[str]]:
    """The moments that are wanted, and what went wrong with the others."""
    measures = {
        "many-start": lambda: _restart(bench, times),
        "many-spread": lambda: _spread(bench, seconds, rounds),
    }
    moments: list[Moment] = []
    troubles: list[str] = []
    for key in filter(wanted, measures):
        try:
            moments += measures[key]()
        except (BenchError, OSError, subprocess.TimeoutExpired) as error:
            troubles.append(f"{key}: {error}")
    return moments, troubles


def _numbered(wasm: bytes, number: int) -> bytes:
    """The module with a custom section of its number: the same code, another artifact."""
    payload = b"\x06number" + str(number).encode()
    return wasm + b"\x00" + bytes([len(payload)]) + payload


def _source(bench: Bench, name: str, count: int, modules: tuple[str, ...] = MODULES) -> Path:
    source = bench.folder / name
    source.mkdir()
    kinds = [(bench.examples / f"{module}.wasm").read_bytes() for module in modules]
    for number in range(count):
        (source / f"f{number}.wasm").write_bytes(_numbered(kinds[number % len(kinds)], number))
    return source


def _fill(bench: Bench, source: Path, cache: Path) -> None:
    """Compiles all, then serves once: what was live there before is known from then on."""
    say(f"compiling {len(list(source.iterdir()))} functions")
    run_tool([str(bench.build / "funcd"), "serve", str(source), "--check", "--cache-dir",
              str(cache), "--cache-size", CACHE_SIZE])
    with _serve(bench, source, cache) as server:
        _wait_for_all(server)


def _serve(bench: Bench, source: Path, cache: Path, *flags: str) -> Server:
    command = [str(bench.build / "funcd"), "serve", str(source), "--listen", "127.0.0.1:0",
               "--admin", "127.0.0.1:0", "--cache-dir", str(cache), "--cache-size", CACHE_SIZE,
               "--workers", "1", "--log-level", "warn", *flags]
    return Server("funcd", command, bench.server_core, has_admin=True)


def _wait_for_all(server: Server) -> float:
    """Until all that lies there is live; in ms from the start."""
    deadline_s = time.monotonic() + FILL_TIMEOUT_S
    while load.fetch(server.admin_port, Request("/readyz"))[0] != 200:
        if time.monotonic() > deadline_s:
            raise BenchError(f"not all functions are live after {FILL_TIMEOUT_S:.0f} s")
        time.sleep(0.005)
    return (time.monotonic() - server.started_s) * 1000


def _restart(bench: Bench, times: int) -> list[Moment]:
    say(f"restart with {FEW} functions")
    source, cache = _source(bench, "few", FEW), bench.folder / "few-cache"
    _fill(bench, source, cache)
    first_ms, all_ms, rss_kib = [], [], []
    for _ in range(times):
        with _serve(bench, source, cache) as server:
            # The last of its kind is no better off than any other.
            last = Request(f"/f{FEW - len(MODULES)}")
            taken_s = load.first_answer_s(server.port, last, server.started_s, None)
            first_ms.append(taken_s * 1000)
            all_ms.append(_wait_for_all(server))
            rss_kib.append(server.rss_bytes() / 1024)
    alone_kib = _alone_kib(bench, times)
    each_kib = (statistics.median(rss_kib) - alone_kib) / (FEW - 1)
    return [Moment("many-start", f"restart, warm cache, {FEW:,} functions, to the first answer",
                   statistics.median(first_ms), "ms",
                   f"{min(first_ms):.0f} to {max(first_ms):.0f} in {times}; all are live after "
                   f"{statistics.median(all_ms):.0f} ms"),
            Moment("many-rss", "RSS per idle function", each_kib, "KiB",
                   f"{statistics.median(rss_kib) / 1024:.1f} MiB with {FEW:,}, "
                   f"{alone_kib / 1024:.1f} with one")]


def _alone_kib(bench: Bench, times: int) -> float:
    source, cache = _source(bench, "one", 1), bench.folder / "one-cache"
    _fill(bench, source, cache)
    kib = []
    for _ in range(min(times, 3)):
        with _serve(bench, source, cache) as server:
            _wait_for_all(server)
            load.first_answer_s(server.port, Request("/f0"), server.started_s, None)
            kib.append(server.rss_bytes() / 1024)
    return statistics.median(kib)


def _spread(bench: Bench, seconds: int, rounds: int) -> list[Moment]:
    """One worker, by turns: each request for the next of them, and all for one."""
    say(f"requests spread over {MANY} functions")
    source, cache = _source(bench, "many", MANY, ("cgi",)), bench.folder / "many-cache"
    _fill(bench, source, cache)
    taken: dict[str, list[float]] = {"spread": [], "one": []}
    with _serve(bench, source, cache, "--unload-after", "off") as server:
        _wait_for_all(server)
        for path in ("/f0", f"/f{MANY - 1}"):
            load.check(server, Request(path), None)
        turns = {"spread": _turns(MANY), "one": _turns(1)}
        for _ in range(rounds):
            for name, paths in turns.items():
                for taken_s in (load.WARM_UP_S, seconds):
                    run = load.wrk(server, Request("/"), bench.client_core, taken_s, paths=paths)
                taken[name].append(run.cpu_us)
        rss_mib = server.rss_bytes() / (1 << 20)
    spread, one = (statistics.median(taken[name]) for name in ("spread", "one"))
    return [Moment("many-spread", f"CPU per request, {MANY:,} functions evenly, of that of one",
                   spread / one * 100, "%",
                   f"{spread:.1f} and {one:.1f} µs; RSS {rss_mib:.0f} MiB")]


def _turns(count: int) -> list[str]:
    """Each function once, none beside the one before by name."""
    return [f"/f{number * STEP % count}" for number in range(count)]
