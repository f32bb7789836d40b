"""Requests: one at a time to check an answer, many by wrk to measure."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rig.server import BenchError, Server

ANSWER_TIMEOUT_S = 120.0  # a compiler that is a minute busy with a large component included
WARM_UP_S = 1
SHORT_S = 1
WRK_TIMEOUT_S = 10


class NotAllAnswered(BenchError):
    """A server that answers some requests with an error, or not at all."""


@dataclass(frozen=True)
class Request:
    path: str
    method: str = "GET"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw."""

    requests: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    others: float = 0.0  # share of the server's core that went to other processes


def fetch(port: int, request: Request, timeout_s: float = ANSWER_TIMEOUT_S) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    headers = {"Content-Length": str(len(request.body)), **request.headers} if request.body else request.headers
    try:
        connection.request(request.method, request.path, headers=headers)
        # Beside reading: who sends back what it gets waits for somebody to take it.
        sender = threading.Thread(target=_send, args=(connection.sock, request.body))
        sender.start()
        response = connection.getresponse()
        body = response.read()
        sender.join()
        return response.status, body
    finally:
        connection.close()


def _send(connection: socket.socket, body: bytes) -> None:
    # Who does not take all of it has answered, or says so to the reader.
    with contextlib.suppress(OSError):
        connection.sendall(body)


def raw_answer(port: int, path: str) -> bytes:
    """The bytes of one answer, head and body."""
    with socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        answer = b""
        while True:
            head, end, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            if end and length and len(body) >= int(length[1]):
                return answer
            piece = connection.recv(65536)
            if not piece:
                raise BenchError(f"{path}: the answer ended early: {answer!r}")
            answer += piece


def check(server: Server, request: Request, expected: bytes | None) -> None:
    """One request: status 200 and the expected JSON or, where that is None, any body at all."""
    status, body = fetch(server.port, request)
    is_right = status == 200 and (bool(body) if expected is None else _same(body, expected))
    if not is_right:
        raise BenchError(f"{server.name}: {request.path} answered {status} {body[:200]!r}")


def _same(body: bytes, expected: bytes) -> bool:
    if body == expected:
        return True
    try:
        return json.loads(body) == json.loads(expected)
    except ValueError:
        return False


def first_answer_s(port: int, request: Request, since_s: float, expected: bytes | None,
                   timeout_s: float = ANSWER_TIMEOUT_S, server: Server | None = None) -> float:
    """Asks until the answer is right; seconds from `since_s` (time.monotonic) to its end. A server
    that is named and has ended is not waited for."""
    deadline = since_s + timeout_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            status, body = fetch(port, request, max(0.1, deadline - time.monotonic()))
            if status == 200 and (expected is None or _same(body, expected)):
                return time.monotonic() - since_s
            last = (status, body[:200])
        except OSError as error:
            last = error
        if server is not None:
            server.check_alive()
        time.sleep(0.001)
    raise BenchError(f"{request.path}: no right answer in {timeout_s:.0f} s, but {last}")


def sequential(server: Server, request: Request, expected: bytes, seconds: float) -> Load:
    """One request after the other, for servers too slow for wrk's clock."""
    times_ms = []
    cpu_before_s = server.cpu_s()
    begin_s = time.monotonic()
    while time.monotonic() - begin_s < seconds or not times_ms:
        sent_s = time.monotonic()
        check(server, request, expected)
        times_ms.append((time.monotonic() - sent_s) * 1000)
    elapsed_s = time.monotonic() - begin_s
    cpu_us = (server.cpu_s() - cpu_before_s) * 1e6 / len(times_ms)
    times_ms.sort()
    return Load(len(times_ms), len(times_ms) / elapsed_s, times_ms[len(times_ms) // 2],
                times_ms[-1], cpu_us)


def wrk(server: Server, request: Request, core: int | None, seconds: int,
        connections: int = 16, paths: Sequence[str] = ()) -> Load:
    """One run of wrk; an error or an answer that is no 2xx is a BenchError. With `paths` they are
    asked in turn."""
    pin = [] if core is None else ["taskset", "-c", str(core)]
    command = pin + ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
                     f"--timeout={WRK_TIMEOUT_S}s"]
    command += [f"--header={name}: {value}" for name, value in request.headers.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        # wrk reads it once for itself and once for each of its threads, so it is a file.
        script.write(_script(request) + _turns(paths))
        script.flush()
        return _wrk(server, command + ["-s", script.name, server.url(request.path)], seconds)


def wrk_kept(server: Server, request: Request, core: int | None, seconds: int,
             connections: int) -> Load:
    """One run of wrk whose CPU per request is that of connections that are kept: what it takes to
    open and close them all is in a short run before it as well, and is taken off by the difference."""
    short = wrk(server, request, core, SHORT_S, connections)
    whole = wrk(server, request, core, SHORT_S + seconds, connections)
    cpu_us = whole.cpu_us * whole.requests - short.cpu_us * short.requests
    return replace(whole, cpu_us=cpu_us / (whole.requests - short.requests))


def _wrk(server: Server, command: list[str], seconds: int) -> Load:
    cpu_before_s, core_before_s = server.cpu_s(), server.core_busy_s()
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30,
                          check=False)
    cpu_s, core_s = server.cpu_s() - cpu_before_s, server.core_busy_s() - core_before_s
    server.check_alive()
    return _parse(server.name, done.stdout + done.stderr, cpu_s,
                  others=max(0.0, core_s - cpu_s) / seconds)


def _script(request: Request) -> str:
    body = json.dumps(request.body.decode())
    return f"wrk.method = {json.dumps(request.method)}\nwrk.body = {body}"


def _turns(paths: Sequence[str]) -> str:
    if not paths:
        return ""
    listed = ", ".join(json.dumps(path) for path in paths)
    return f"""
local paths, requests, turn = {{{listed}}}, {{}}, 0
function init()
  for i, path in ipairs(paths) do requests[i] = wrk.format(nil, path) end
end
function request()
  turn = turn % #requests + 1
  return requests[turn]
end"""


def _parse(name: str, output: str, cpu_s: float, others: float) -> Load:
    trouble = re.search(r"(?:Socket errors|Non-2xx).*", output)
    if trouble:
        raise NotAllAnswered(f"{name}: wrk reports errors: {trouble[0]}")
    requests = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if not requests or not rate or int(requests[1]) == 0:
        raise BenchError(f"{name}: wrk has counted no requests:\n{output}")
    count = int(requests[1])
    return Load(count, float(rate[1]), _latency_ms(output, "50%"), _latency_ms(output, "99%"),
                cpu_s * 1e6 / count, others)


def _latency_ms(output: str, percentile: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s|m)\b", output)
    scale = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
    return float(found[1]) * scale[found[2]] if found else float("nan")
