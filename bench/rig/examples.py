"""The examples as examples/README.md calls them, and what the article's function answers."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from rig import load
from rig.load import Request
from rig.server import BenchError, Server

DATA = '{"name":"zztkm","age":20}'
ANSWER = b'{"name":"zztkm","age":20,"description":"This is a description"}'



def echo_of(size: int) -> Request:
    """Answered by its body: `size` bytes, a multiple of 16."""
    return Request("/echo", "POST", b"0123456789abcdef" * (size // 16),
                   {"content-type": "application/octet-stream"})


# What is the same for all servers that have it: the request and its answer.
ASKED = {
    "echo": (echo_of(1 << 10), echo_of(1 << 10).body),
    "echo-1m": (echo_of(1 << 20), echo_of(1 << 20).body),
    "primes": (Request("/primes"), b'{"primes":3245}'),
    "sleeper": (Request("/sleeper"), b'{"slept_ms":100}'),
}

# Example components, each in a file of its name: what it answers.
COMPONENTS = {"hello": b"hello", "rust": b"hello", "javascript": b"hello"}

EXAMPLES = (
    Request("/gojson"),
    Request("/gojson-reactor"),
    Request("/gojson-snapshot"),
    Request("/cjson"),
    Request("/hello"),
    Request("/users/7"),
    Request("/greet?name=ada"),
    Request("/api/sum", "POST", b"[1,2,3.5]", {"content-type": "application/json"}),
    Request("/cgi/some/path?q=1"),
    Request("/files"),
    Request("/primes"),
    Request("/sleeper"),
)


OPTIMIZED_S_MAX = 120.0


def wait_for_all(server: Server, requests: Sequence[Request] = EXAMPLES) -> None:
    """Until every example answers with optimized code: then nothing is compiled any more."""
    for request in requests:
        load.first_answer_s(server.port, request, server.started_s, None)
    deadline = time.monotonic() + OPTIMIZED_S_MAX
    while waiting := _not_optimized(server):
        if time.monotonic() > deadline:
            raise BenchError(f"not optimized after {OPTIMIZED_S_MAX:.0f} s: {', '.join(waiting)}")
        time.sleep(0.05)


def _not_optimized(server: Server) -> list[str]:
    _, body = load.fetch(server.admin_port, Request("/v1/functions"), 10.0)
    functions = json.loads(body)["functions"]
    return [each["name"] for each in functions if each["code"] not in ("optimized", None)]


def distinct(wasm: bytes, nonce: bytes) -> bytes:
    """The module with a custom section that holds the nonce: the same code, another artifact."""
    payload = b"\x05nonce" + nonce
    return wasm + b"\x00" + bytes([len(payload)]) + payload
