"""Requests at a steady rate, whatever the answers take: latency counts from when each was due."""

from __future__ import annotations

import socket
import threading
import time

from rig.server import BenchError

TIMEOUT_S = 20.0
THREADS = 4


def latencies_ms(port: int, path: str, per_s: float, seconds: float) -> list[float]:
    """Sorted. A BenchError when an answer is no 200."""
    count = int(per_s * seconds)
    begin_s = time.monotonic() + 0.05
    took_ms: list[float] = []
    troubles: list[str] = []

    def ask(first: int) -> None:
        try:
            with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for number in range(first, count, THREADS):
                    due_s = begin_s + number / per_s
                    _sleep_until(due_s)
                    _ask(connection, path)
                    took_ms.append((time.monotonic() - due_s) * 1000)
        except (OSError, BenchError) as error:
            troubles.append(str(error))

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise BenchError(f"{path} at {per_s}/s: {troubles[0]}")
    return sorted(took_ms)


def percentile(sorted_ms: list[float], share: float) -> float:
    return sorted_ms[min(len(sorted_ms) - 1, int(len(sorted_ms) * share))]


def _sleep_until(at_s: float) -> None:
    left_s = at_s - time.monotonic()
    if left_s > 0:
        time.sleep(left_s)


def _ask(connection: socket.socket, path: str) -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _more(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise BenchError(head.partition(b"\r\n")[0].decode("latin-1"))
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += _more(connection)


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise BenchError("the connection ended early")
    return piece
