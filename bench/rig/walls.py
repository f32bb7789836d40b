"""What limits cost, and what they are worth: epochs on against off, a fast function beside one that
spins and beside thousands that sleep."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import statistics
import time
from pathlib import Path
from typing import Callable

from rig import load, rate
from rig.attempt import attempt
from rig.examples import ANSWER, wait_for_all
from rig.load import Request
from rig.moments import MIB, Moment
from rig.server import BenchError, Server
from rig.setup import Bench, say

RATE_PER_S = 500
SPINNERS = 8
SPIN_LIMIT_S = 2.0
SLEEPERS = 5_000
DESCRIPTORS_SPARE = 500

# (module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))
_SPIN = bytes.fromhex(
    "0061736d01000000010401600000030201000503010001071302066d656d6f72790200065f73746172740000"
    "0a0901070003400c000b0b")
# (module
#   (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
#   (memory (export "memory") 1)
#   (data (i32.const 80) "\01") (data (i32.const 88) "\00\58\47\f8\0d\00\00\00")  ; monotonic, 60 s
#   (func (export "_start")
#     (drop (call $poll (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 16)))))
_SLEEP = bytes.fromhex(
    "0061736d01000000010c0260047f7f7f7f017f60000002260116776173695f736e617073686f745f70726576"
    "696577310b706f6c6c5f6f6e656f66660000030201010503010001071302066d656d6f72790200065f737461"
    "727400010a11010f0041c0004180014101411010001a0b0b16020041d0000b01010041d8000b08005847f80d"
    "000000000b046e616d65010401000170")


def measure_all(bench: Bench, wanted: Callable[[str], bool], seconds: int,
                rounds: int) -> tuple[list[Moment], list[str]]:
    """The moments that are wanted, and what went wrong with the others."""
    measures = {
        "epochs": lambda: _epochs(bench, seconds, rounds),
        "spinner": lambda: _spinner(bench, seconds),
        "sleepers": lambda: _sleepers(bench, seconds),
    }
    return attempt(measures, wanted)


def _funcd(bench: Bench, source: Path, cache: str, **settings: str) -> Server:
    """One worker on the server's core."""
    for key, value in settings.items():
        os.environ[f"FUNCD_{key.upper()}"] = value
    try:
        return bench.funcd("funcd", source, bench.folder / cache, bench.server_core, workers=1)
    finally:
        for key in settings:
            del os.environ[f"FUNCD_{key.upper()}"]


def _epochs(bench: Bench, seconds: int, rounds: int) -> list[Moment]:
    """CPU per request with and without, by turns."""
    say("epochs on and off")
    moments = []
    with _funcd(bench, bench.examples, "epochs-on") as on, \
            _funcd(bench, bench.examples, "epochs-off", epochs="false") as off:
        for server in (on, off):
            wait_for_all(server)
        for path in ("/cjson", "/gojson"):
            request = Request(path)
            taken: dict[str, list[float]] = {"on": [], "off": []}
            for _ in range(rounds):
                for name, server in (("on", on), ("off", off)):
                    load.wrk(server, request, bench.client_core, load.WARM_UP_S)
                    taken[name].append(
                        load.wrk(server, request, bench.client_core, seconds).cpu_us)
            cpu_on, cpu_off = (statistics.median(taken[name]) for name in ("on", "off"))
            moments.append(Moment(f"epochs{path}", f"{path[1:]}: CPU with epochs, of that without",
                                  cpu_on / cpu_off * 100, "%",
                                  f"{cpu_on:.1f} and {cpu_off:.1f} µs"))
    return moments


def _source(bench: Bench, name: str, module: bytes, limits: str) -> Path:
    source = bench.folder / f"{name}s"
    source.mkdir()
    for file in ("cjson.wasm", "cjson.toml", "item.schema.json"):
        shutil.copy(bench.examples / file, source)
    (source / f"{name}.toml").write_text(f"[limits]\n{limits}\n")
    (source / f"{name}.wasm").write_bytes(module)
    return source


def _p99_ms(server: Server, seconds: float) -> float:
    return rate.percentile(rate.latencies_ms(server.port, "/cjson", RATE_PER_S, seconds), 0.99)


def _spinner(bench: Bench, seconds: int) -> list[Moment]:
    say("beside functions that spin")
    source = _source(bench, "spin", _SPIN, f'timeout = "{int(SPIN_LIMIT_S * 1000)}ms"')
    with _funcd(bench, source, "spin-cache") as server:
        load.first_answer_s(server.port, Request("/cjson"), server.started_s, ANSWER)
        alone_ms = _p99_ms(server, seconds)
        ends_ms = [_spin_ms(server)]
        clients = [_send(server, "/spin") for _ in range(SPINNERS)]
        beside_ms = _p99_ms(server, SPIN_LIMIT_S - 0.2)
        began_s = time.monotonic()
        for client in clients:
            _receive(client)
        ends_ms.append((SPIN_LIMIT_S + time.monotonic() - began_s) * 1000)
    late_ms = ends_ms[0] - SPIN_LIMIT_S * 1000
    return [Moment("spinner", f"p99 at {RATE_PER_S}/s beside {SPINNERS} that spin, over that alone",
                   beside_ms - alone_ms, "ms", f"{beside_ms:.2f} and {alone_ms:.2f} ms"),
            Moment("spinner-end", "a spinner ends after its limit", late_ms, "ms", "")]


def _spin_ms(server: Server) -> float:
    began_s = time.monotonic()
    status, _body = load.fetch(server.port, Request("/spin"))
    if status != 504:
        raise BenchError(f"/spin answered {status}")
    return (time.monotonic() - began_s) * 1000


def _send(server: Server, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), rate.TIMEOUT_S)
    client.sendall(f"GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode())
    return client


def _receive(client: socket.socket) -> None:
    answer = client.recv(65536)
    client.close()
    if not answer.startswith(b"HTTP/1.1 504 "):
        raise BenchError(f"a spinner answered {answer[:40]!r}")


def _wait_until_idle(server: Server) -> None:
    """Until all that was sent has been begun: the server takes no CPU any more."""
    deadline_s, before_s = time.monotonic() + rate.TIMEOUT_S, -1.0
    while server.cpu_s() - before_s > 0.01:
        if time.monotonic() > deadline_s:
            raise BenchError(f"{server.name}: does not come to rest")
        before_s = server.cpu_s()
        time.sleep(0.5)


def _sleepers(bench: Bench, seconds: int) -> list[Moment]:
    """All of them asleep at once in poll_oneoff, on one worker."""
    say(f"beside {SLEEPERS} that sleep")
    wanted = SLEEPERS + DESCRIPTORS_SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    source = _source(bench, "sleep", _SLEEP, f'timeout = "2m"\nconcurrency = {SLEEPERS}')
    with _funcd(bench, source, "sleep-cache", instances=str(SLEEPERS + 50)) as server:
        load.first_answer_s(server.port, Request("/cjson"), server.started_s, ANSWER)
        alone_ms, clients = _p99_ms(server, seconds), []
        before_mib = server.rss_bytes() / MIB
        try:
            for _ in range(SLEEPERS):
                clients.append(_send(server, "/sleep"))
            _wait_until_idle(server)
            beside_ms = _p99_ms(server, seconds)
            rss_mib = server.rss_bytes() / MIB
            for client in clients:
                client.setblocking(False)
                try:
                    raise BenchError(f"a sleeper has answered: {client.recv(200)!r}")
                except BlockingIOError:
                    pass  # it sleeps
        finally:
            for client in clients:
                client.close()
    return [Moment("sleepers", f"RSS with {SLEEPERS:,} invocations asleep", rss_mib, "MiB",
                   f"{before_mib:.0f} before"),
            Moment("sleepers-p99", f"p99 at {RATE_PER_S}/s beside them, over that alone",
                   beside_ms - alone_ms, "ms", f"{beside_ms:.2f} and {alone_ms:.2f} ms")]
