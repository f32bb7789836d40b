"""What RFC 9112 lets nobody send, and what nobody may take too much of.

After each the question is the same: does the server see another request in the bytes than whoever
stands in front of it would (a desynchronised connection), and does it hold more than its limits?
"""

import contextlib
import socket
import time

import pytest

from funcd import guests
from funcd.client import Closed, Connection, format_request
from funcd.waiting import is_sanitized, patience, wait_until

HELLO = b'{"hello":"world"}'
MARKER = b'{"marker":"smuggled"}'
INNER = format_request("GET", "/marker")
BIG_BYTES = 4 << 20


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({"hello": guests.prints(HELLO), "marker": guests.prints(MARKER),
                      "stdin": guests.echoes_stdin(), "big": guests.prints_many(b"x" * 65536, BIG_BYTES >> 16)},
                     "--workers", "1", "--http-connections", "120",
                     "--http-write-timeout", "700ms", "--http-header-timeout", "1s",
                     "--http-body-timeout", "1s", "--http-idle-timeout", "5s")


@pytest.fixture(autouse=True)
def unharmed(server):
    yield
    assert server.is_alive()
    wait_until(lambda: server.get("/hello").body == HELLO, "it answers")


def everything(server, raw: bytes) -> bytes:
    """All that comes back until the server closes."""
    received = b""
    with server.connect(timeout=10) as connection:
        with contextlib.suppress(OSError):
            connection.send(raw)
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.socket.recv(65536):
                received += piece
    return received


def post(*fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
    head = f"POST /stdin HTTP/{version}\r\nhost: a\r\n" + "".join(f + "\r\n" for f in fields)
    return head.encode("latin-1") + b"\r\n" + body


CHUNKED = "transfer-encoding: chunked"

# What would be a second request to whoever frames the first one in another way.
AMBIGUOUS = {
    "length-and-chunked": post("content-length: 5", CHUNKED, body=b"0\r\n\r\n"),
    "chunked-and-length": post(CHUNKED, "content-length: 5", body=b"0\r\n\r\n"),
    "two-lengths": post("content-length: 0", "content-length: 5", body=b""),
    "two-equal-lengths": post("content-length: 0", "content-length: 0"),
    "length-list": post("content-length: 0, 0"),
    "length-signed": post("content-length: +0"),
    "length-negative": post("content-length: -0"),
    "length-hex": post("content-length: 0x0"),
    "length-empty": post("content-length:"),
    "length-spaced": post("content-length: 0 0"),
    "length-point": post("content-length: 0.0"),
    "length-huge": post("content-length: 18446744073709551616"),
    "length-huger": post("content-length: " + "9" * 400),
    "chunked-twice": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "chunked-list": post("transfer-encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "chunked-not-last": post("transfer-encoding: chunked, identity", body=b"0\r\n\r\n"),
    "identity": post("transfer-encoding: identity", body=b"0\r\n\r\n"),
    "x-chunked": post("transfer-encoding: xchunked", body=b"0\r\n\r\n"),
    "chunked-control": post("transfer-encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "chunked-quoted": post('transfer-encoding: "chunked"', body=b"0\r\n\r\n"),
    "chunked-of-1.0": post(CHUNKED, body=b"0\r\n\r\n", version="1.0"),
    "space-before-colon": post("transfer-encoding : chunked", body=b"0\r\n\r\n"),
    "space-before-name": post(" transfer-encoding: chunked", body=b"0\r\n\r\n"),
    "folded": post("x: a", " content-length: 0"),
    "folded-coding": post("transfer-encoding:", " chunked", body=b"0\r\n\r\n"),
    "bare-lf": b"POST /stdin HTTP/1.1\nhost: a\ncontent-length: 0\n\n",
    "bare-lf-in-a-field": post("x: a\ncontent-length: 0"),
    "bare-cr-in-a-field": post("x: a\rcontent-length: 0"),
    "bare-cr-as-end": b"POST /stdin HTTP/1.1\rhost: a\r\r",
    "bare-cr-in-the-target": b"GET /he\rllo HTTP/1.1\r\nhost: a\r\n\r\n",
    "nul-in-a-name": post("content\0-length: 0"),
    "nul-in-a-value": post("x: \0"),
    "no-name": post(": 0"),
    "no-colon": post("content-length 0"),
    "chunk-negative": post(CHUNKED, body=b"-1\r\n\r\n0\r\n\r\n"),
    "chunk-signed": post(CHUNKED, body=b"+1\r\na\r\n0\r\n\r\n"),
    "chunk-hex-prefix": post(CHUNKED, body=b"0x1\r\na\r\n0\r\n\r\n"),
    "chunk-spaced": post(CHUNKED, body=b" 1\r\na\r\n0\r\n\r\n"),
    "chunk-huge": post(CHUNKED, body=b"10000000000000001\r\na\r\n0\r\n\r\n"),
    "chunk-empty-size": post(CHUNKED, body=b"\r\na\r\n0\r\n\r\n"),
    "chunk-longer-than-said": post(CHUNKED, body=b"1\r\nab\r\n0\r\n\r\n"),
    "chunk-bare-lf": post(CHUNKED, body=b"1\na\n0\n\n"),
    "chunk-lf-after-data": post(CHUNKED, body=b"1\r\na\n0\r\n\r\n"),
    "chunk-lf-in-extension": post(CHUNKED, body=b'1;a="\n"\r\na\r\n0\r\n\r\n'),
    "trailer-bare-lf": post(CHUNKED, body=b"0\r\nx: a\n\r\n"),
    "trailer-without-colon": post(CHUNKED, body=b"0\r\nx\r\n\r\n"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_others_may_frame_otherwise_ends_the_connection(server, name):
    """One answer that refuses, and what follows on the connection is not looked at."""
    received = everything(server, AMBIGUOUS[name] + INNER)
    assert received.count(b"HTTP/1.1 ") == 1, received
    assert received.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ", b"HTTP/1.1 501 ")), received
    assert MARKER not in received


def test_what_is_allowed_stays_in_step(server):
    """Extensions, trailers, optional white space, empty lines before a request: each request that
    follows is seen where it begins."""
    bodies = [b"5;a=b;c=\"d e\"\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nx: a\r\ny: b\r\n\r\n",
              b"00005\r\nhello\r\n000\r\n\r\n", b"A\r\nhellohello\r\n0\r\n\r\n"]
    with server.connect(timeout=10) as connection:
        for body in bodies:
            connection.send(post("transfer-encoding:\t chunked \t", body=body) + INNER)
            assert connection.receive().body in (b"hello", b"hellohello")
            assert connection.receive().body == MARKER
        connection.send(b"\r\n" + post("content-length: \t5\t", body=b"hello") + b"\r\n" + INNER)
        assert connection.receive().body == b"hello"
        assert connection.receive().body == MARKER


@pytest.mark.parametrize(("target", "status"), [
    ("http://elsewhere/hello", 200), ("http://elsewhere:80/hello?a=1", 200),
    ("HTTP://elsewhere/hello", 200), ("/%68ello", 200), ("/h%65llo?x", 200),
    ("http:///hello", 400), ("http://a b/hello", 400), ("ftp://elsewhere/hello", 400),
    ("elsewhere:80", 400), ("*", 400), ("hello", 400), ("/hello#part", 400),
    ("http://elsewhere/%68ello%2f", 404), ("/%2568ello", 404),
])
def test_forms_of_targets(server, target, status):
    assert server.get(target).status == status


@pytest.mark.parametrize(("field", "status"), [
    ("x: " + "a" * (63 << 10), 200), ("x: " + "a" * (64 << 10), 431),
    ("\r\n".join(f"x{i}: a" for i in range(98)), 200),
    ("\r\n".join(f"x{i}: a" for i in range(99)), 431),
    ("\r\n".join(f"x{i}: {'a' * 600}" for i in range(200)), 431),
    ("a" * (65 << 10) + ": b", 431),
])
def test_heads_up_to_their_limits_and_past_them(server, field, status):
    """The client adds two fields of its own, host and connection."""
    head = f"GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{field}\r\n\r\n"
    received = everything(server, head.encode())
    assert received.startswith(f"HTTP/1.1 {status} ".encode()), received[:100]


def test_targets_up_to_their_limit_and_past_it(server):
    assert server.get("/hello?" + "a" * (8192 - 7)).status == 200
    assert server.get("/hello?" + "a" * (8192 - 6)).status == 414


def test_a_head_without_end_is_dropped_at_its_limit(server):
    """Field after field, as fast as it goes: the server takes its limit and no more."""
    sent = 0
    with server.connect(timeout=10) as connection:
        connection.send("GET /hello HTTP/1.1\r\nhost: a\r\n")
        with contextlib.suppress(OSError):
            while sent < 64 << 20:
                connection.send(b"x: " + b"a" * 8000 + b"\r\n")
                sent += 8000
    assert sent < 64 << 20


def test_trailers_and_extensions_without_end(server):
    for endless in (b"1;" + b"a" * 4000 + b"\r\nx\r\n", b"0\r\n" + b"x: a\r\n" * 2000):
        received = everything(server, post(CHUNKED, body=endless * 20) + INNER)
        assert received.startswith(b"HTTP/1.1 4"), received[:100]
        assert MARKER not in received


def rss_bytes(server) -> int:
    """0 where it says nothing about the server."""
    return 0 if is_sanitized() else server.admin("/v1/status").json["rss_bytes"]


def test_a_flood_of_connections(server):
    """What is over the limit is closed at once; the others stay served; places come back."""
    before = server.metrics().sum("process_open_fds")
    kept = []
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                kept.append(socket.create_connection(server.address, timeout=5))
        wait_until(lambda: server.metrics().sum("funcd_connections_refused_total") >= 400,
                   "the rest is refused")
        assert server.metrics().sum("funcd_connections") <= 120
    finally:
        for each in kept:
            each.close()
    wait_until(lambda: server.metrics().sum("process_open_fds") <= before + 4, "all are closed")


def test_clients_that_never_read(server):
    """Each holds its own response at the most, and not for longer than its time."""
    timeouts = server.metrics().sum("funcd_http_timeouts_total")
    assert len(server.get("/big").body) == BIG_BYTES
    before = rss_bytes(server)
    clients = []
    try:
        for _ in range(20):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(server.address)
            client.sendall(format_request("GET", "/big") * 50)
            clients.append(client)
        assert server.get("/hello").body == HELLO
        # Two copies at the most: of what the guest has written, and what is on its way.
        assert rss_bytes(server) - before < 20 * 2 * BIG_BYTES + (32 << 20)
        wait_until(lambda: server.metrics().sum("funcd_http_timeouts_total") >= timeouts + 20,
                   "their time is over")
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: rss_bytes(server) - before < 24 << 20, "memory is given back")


def test_requests_that_nobody_reads_the_answers_of(server):
    """The server stops to take requests in while their answers find no way out."""
    request = format_request("GET", "/hello")
    with server.connect(timeout=2) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        before = rss_bytes(server)
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 256 << 20:
                connection.send(request * 1000)
                sent += 1000 * len(request)
        assert sent < 256 << 20
        assert rss_bytes(server) - before < 32 << 20


def test_bodies_are_bounded_in_all(folder, start):
    """However many clients send large bodies, or leave large responses unread, together they hold
    what the server allows, and who is too much is told to come back."""
    folder.put("stdin", guests.echoes_stdin())
    folder.put("big", guests.prints_many(b"x" * 65536, BIG_BYTES >> 16))
    server = start("--http-body-memory", "16MiB", "--workers", "1")
    half = post(f"content-length: {BIG_BYTES}", body=b"x" * (BIG_BYTES // 2 + 1))
    big = format_request("GET", "/big")

    def is_refused(client, raw: bytes) -> bool:
        """Whether there is an answer to a request that else waits for its client."""
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(ConnectionError):  # refused before it is all sent
            client.send(raw)
        client.socket.settimeout(0.5 * patience())
        try:
            status = client.socket.recv(12, socket.MSG_PEEK)
        except TimeoutError:
            return False
        if status == b"HTTP/1.1 200":
            return False
        answer = client.receive()
        assert (answer.status, answer.reason) == (503, "overloaded"), answer
        assert int(answer.header("retry-after")) >= 1
        return True

    for raw in (half, big):
        with contextlib.ExitStack() as stack:
            held = 0
            while not is_refused(stack.enter_context(server.connect()), raw):
                held += 1
                assert held < 16, "nobody is refused"
            # 4 MiB each, in buffers that grow by doubling.
            assert 1 <= held <= 8
            small = server.post("/stdin", b"x" * 1000)
            assert small.body == b"x" * 1000
        wait_until(lambda: server.post("/stdin", b"x" * BIG_BYTES).status == 200,
                   "there is room again")


def test_a_client_that_reads_slowly_gets_all(server):
    """Slow is not silent: as long as it goes on, it is served."""
    with server.connect() as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.send(format_request("GET", "/big", headers={"connection": "close"}))
        received = 0
        started = time.monotonic()
        while piece := connection.socket.recv(1 << 18):
            received += len(piece)
            time.sleep(0.02)  # the client's pace, not a wait for the server
        assert received > BIG_BYTES and time.monotonic() - started < 20 * patience()


def test_one_byte_at_a_time(server):
    """A whole request in single bytes is a good request, as long as it is in time."""
    with server.connect() as connection:
        for byte in post("content-length: 5", body=b"hello"):
            connection.send(bytes([byte]))
        assert connection.receive().body == b"hello"


def test_slow_bodies_end(server):
    """A chunked body of which one byte comes now and then is over after a pause that is too long."""
    with server.connect() as connection:
        connection.send(post(CHUNKED, body=b"5\r\nhe"))
        started = time.monotonic()
        with contextlib.suppress(Closed, ConnectionResetError):
            assert connection.receive().status == 408
        assert 0.5 < time.monotonic() - started < 5 * patience()


def test_an_answer_is_read_after_a_refusal(server):
    """The connection lingers, so that a client that is still sending sees why it was refused."""
    connection = Connection(server.address)
    with connection:
        connection.send(post("content-length: 999999999"))
        with contextlib.suppress(OSError):
            for _ in range(16):
                connection.send(b"x" * 65536)
        assert connection.receive().status == 413
