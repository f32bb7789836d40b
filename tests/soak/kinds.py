"""What the soak's clients do, one kind each, and which answers each may get."""

from __future__ import annotations

import itertools
import random
import socket
import time
from dataclasses import dataclass
from typing import Callable

from funcd import guests, hostile
from funcd.client import Closed, Connection, format_request

SHORT = '[limits]\ntimeout = "150ms"\n'
SWAPPED = [b'{"version":%d}' % number for number in range(2)]

FUNCTIONS = {
    "good": (guests.prints(b'{"good":1}'), None),
    "echo": (guests.echoes_stdin(), 'contract = "cgi"\n'),
    "slow": (guests.sleeps(0.05, b'{"slow":1}'), None),
    "traps": (hostile.traps(), None),
    "exits": (guests.prints(b"", exit_code=3), None),
    "garbles": (guests.prints(b"no json"), 'contract = "data"\n'),
    "complains": (hostile.prints_lines_to_stderr(500, '{"ok":1}'), None),
    "loops": (hostile.loops(), SHORT),
    "sleeps": (guests.sleeps(30, "{}"), SHORT),
    "hogs": (hostile.grows_memory(), '[limits]\nmemory = "32MiB"\n'),
    "touches": (hostile.touches_memory(24, '{"touched":1}'), '[limits]\nmemory = "32MiB"\n'),
    "floods": (hostile.prints_forever(1), '[limits]\nresponse_body = "1MiB"\n'),
    "large": (guests.prints_many(b"x" * 65536, 32), 'contract = "cgi"\n'),
    "one": (guests.sleeps(0.02, b'{"one":1}'), "[limits]\nconcurrency = 2\n"),
    "waits": (guests.sleeps(20, "{}"), '[limits]\ntimeout = "30s"\n'),
}


@dataclass(frozen=True)
class Answer:
    """What came back: "200", "504 time-limit", "closed"."""

    label: str
    is_expected: bool
    detail: str = ""


Act = Callable[[Connection, random.Random], Answer]


@dataclass(frozen=True)
class Kind:
    name: str
    act: Act
    threads: int = 1
    pause_s: float = 0.0          # between two requests of a thread
    is_kept_alive: bool = True    # one connection for many requests


def label_of(response) -> str:
    return f"{response.status} {response.reason or ''}".strip()


def asks(path: str, status: int, body: bytes | None = None, reason: str | None = None,
         others: tuple[str, ...] = ()) -> Act:
    """One request; only this answer, or one whose label is among `others`, is right."""

    def act(connection: Connection, _source: random.Random) -> Answer:
        response = connection.request("GET", path)
        is_right = (response.status == status and response.reason == reason
                    and (body is None or response.body == body))
        label = label_of(response)
        return Answer(label, is_right or label in others, repr(response.body[:200]))

    return act


def echoes(connection: Connection, source: random.Random) -> Answer:
    body = source.randbytes(source.choice((0, 1, 100, 5_000, 300_000)))
    response = connection.request("POST", "/echo", body=body)
    return Answer(label_of(response), response.status == 200 and response.body == body)


def swaps(connection: Connection, _source: random.Random) -> Answer:
    response = connection.request("GET", "/swapped")
    return Answer(label_of(response), response.status == 200 and response.body in SWAPPED,
                  repr(response.body[:200]))


def hangs_up(connection: Connection, source: random.Random) -> Answer:
    """Leaves in the middle of its request, or while the function runs."""
    whole = format_request("POST", source.choice(("/waits", "/echo", "/loops")), body="x" * 100)
    connection.send(whole[: source.choice((10, 60, len(whole) - 1, len(whole)))])
    time.sleep(source.random() * 0.02)  # the client's pace
    if source.random() < 0.5:  # a reset instead of a proper end
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return Answer("hung up", True)


def dawdles(connection: Connection, source: random.Random) -> Answer:
    """Sends in small pieces, reads in small pieces."""
    whole = format_request("POST", "/echo", body=b"y" * 2_000)
    for begin in range(0, len(whole), 200):
        connection.send(whole[begin:begin + 200])
        time.sleep(source.random() * 0.005)
    response = connection.receive("POST")
    return Answer(label_of(response), response.status == 200 and response.body == b"y" * 2_000)


def never_reads(connection: Connection, source: random.Random) -> Answer:
    connection.send(format_request("GET", "/large") * 5)
    time.sleep(source.random() * 0.2)
    return Answer("left unread", True)


def breaks_rules(connection: Connection, source: random.Random) -> Answer:
    raw = source.choice((b"GET /good HTTP/1.1\nhost: a\n\n", b"\x16\x03\x01\x02\0\1\0",
                         b"GET /../x HTTP/9.9\r\n\r\n",
                         b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n"
                         b"transfer-encoding: chunked\r\n\r\n"))
    connection.send(raw)
    try:
        response = connection.receive()
    except (Closed, ConnectionResetError):
        return Answer("closed", True)
    return Answer(label_of(response), 400 <= response.status < 506)


def kinds() -> list[Kind]:
    return [
        Kind("good", asks("/good", 200, b'{"good":1}'), threads=3),
        Kind("echo", echoes, threads=2),
        Kind("slow", asks("/slow", 200, b'{"slow":1}'), threads=2),
        Kind("missing", asks("/nothing", 404, reason="not-found"), pause_s=0.01),
        Kind("traps", asks("/traps", 500, reason="trap"), pause_s=0.005),
        Kind("exits", asks("/exits", 500, reason="exit"), pause_s=0.005),
        Kind("garbles", asks("/garbles", 400, reason="bad-output"), pause_s=0.005),
        Kind("complains", asks("/complains", 200, b'{"ok":1}'), pause_s=0.01),
        Kind("loops", asks("/loops", 504, reason="time-limit"), threads=2),
        Kind("sleeps", asks("/sleeps", 504, reason="time-limit"), threads=4),
        Kind("hogs", asks("/hogs", 500, reason="memory-limit"), pause_s=0.01),
        Kind("touches", asks("/touches", 200, b'{"touched":1}'), pause_s=0.01),
        Kind("floods", asks("/floods", 502, reason="output-too-large"), pause_s=0.02),
        Kind("large", asks("/large", 200, b"x" * (2 << 20)), pause_s=0.02),
        # The queue may be full, or the wait too long.
        Kind("one", asks("/one", 200, b'{"one":1}', others=("503 overloaded",)), threads=4),
        Kind("swapped", swaps, threads=2),
        Kind("hangs up", hangs_up, threads=2, is_kept_alive=False),
        Kind("dawdles", dawdles),
        Kind("never reads", never_reads, pause_s=0.05, is_kept_alive=False),
        Kind("breaks rules", breaks_rules, pause_s=0.02, is_kept_alive=False),
    ]


def swap_forever(folder, stop) -> int:
    """Replaces a function again and again; how often."""
    for number in itertools.count(1):
        if stop.wait(0.3):
            return number
        folder.put("swapped", guests.prints(SWAPPED[number % 2]))
    return 0
