"""Requests by people who are up to no good, and by broken clients."""

import random
import socket
import time

import pytest

from funcd import guests
from funcd.client import Closed, format_request

HELLO = b'{"hello":"world"}'


@pytest.fixture(scope="module")
def server(serve_all):
    server = serve_all({"hello": guests.prints(HELLO), "api/in": guests.prints(HELLO),
                        "rest": (guests.echoes_env(), 'route = "/files/*"\n'),
                        "stdin": guests.echoes_stdin()},
                       "--http-header-timeout", "700ms", "--http-body-timeout", "700ms",
                       "--http-idle-timeout", "1500ms")
    (server.folder.path.parent / "outside.wasm").write_bytes(guests.prints('"outside"'))
    return server


@pytest.fixture(autouse=True)
def unharmed(server):
    yield
    assert server.is_alive() and server.get("/hello").body == HELLO


@pytest.mark.parametrize("target", [
    "/..", "/../outside", "/../../etc/passwd", "/hello/../hello", "/./hello", "/api/../hello",
    "/%2e%2e/outside", "/%2e%2e%2foutside", "/..%2foutside", "/..%5coutside", "/%2e/hello",
    "/..;/outside", "/%252e%252e/outside", "/.%2e/outside",
    "//hello", "/hello//", "//", "/api//in", "///", "/hello/", "/api/", "/api",
    "/hello%00", "/hello%00.wasm", "/%00", "/hello%00/../hello",
    "/%c0%ae%c0%ae/outside", "/%c0%afhello", "/%e0%80%ae", "/%ff%fe", "/%ed%a0%80",
    "/%f8%80%80%80%ae", "/%uff0e", "/hello%", "/hello%2", "/hello%zz", "/%",
    "/hello%2f", "/api%2fin", "/hello%3fa=1", "/hello%20", "/hello%0d%0a", "/hello;jsessionid=1",
    "/hello.wasm", "/hello.toml", "/HELLO", "/~root", "/.git/config", "/.hello", "/hello\\",
    "/" + "a/" * 3000, "/" + "%41" * 2000,
])
def test_paths_that_are_no_function(server, target):
    answer = server.get(target)
    assert answer.status in (400, 404, 414), answer.body
    assert b"outside" not in answer.body and b"root:" not in answer.body
    if answer.status != 414:
        assert answer.reason in ("not-found", "bad-request")


@pytest.mark.parametrize("target", ["/files/%00", "/files/a%00b", "/files/%"])
def test_what_does_not_decode_meets_no_star_either(server, target):
    assert server.get(target).status in (400, 404)


def test_dots_reach_a_guest_only_as_text(server):
    answer = server.get("/files/..%2f..%2fetc/passwd")
    assert answer.status in (200, 400, 404) and b"root:" not in answer.body


@pytest.mark.parametrize("raw", [
    b"\r\n\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET /hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET /hello HTTP/9.9\r\nhost: a\r\n\r\n", b"GET /hello HTTP/2.0\r\nhost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"G\0T /hello HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET /hello HTTP/1.1\r\nhost : a\r\n\r\n", b"GET /hello HTTP/1.1\r\n: a\r\n\r\n",
    b"GET /hello HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
    b"GET /hel\x01lo HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET  /hello  HTTP/1.1\r\nhost: a\r\n\r\n", b"GET hello HTTP/1.1\r\nhost: a\r\n\r\n",
    b"POST /stdin HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    b"POST /stdin HTTP/1.1\r\nhost: a\r\ncontent-length: 1x\r\n\r\na",
    b"POST /stdin HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999999\r\n\r\n",
    b"POST /stdin HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    b"POST /stdin HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    b"POST /stdin HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
    b"POST /stdin HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
    b"POST /stdin HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab\r\n0\r\n\r\n",
    b"POST /stdin HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
])
def test_broken_requests_are_refused_and_the_connection_ends(server, raw):
    """Whatever comes after cannot be trusted to be a request (RFC 9112 2.2, 6.3)."""
    with server.connect(timeout=5) as connection:
        connection.send(raw)
        try:
            answer = connection.receive()
        except (Closed, ConnectionResetError):
            return
        assert 400 <= answer.status <= 505, answer
        assert connection.is_closed_by_peer()


def test_no_host_field(server):
    with server.connect() as connection:
        connection.send("GET /hello HTTP/1.1\r\n\r\n")
        assert connection.receive().status == 400


def test_two_host_fields(server):
    with server.connect() as connection:
        connection.send("GET /hello HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n")
        assert connection.receive().status == 400


def test_a_request_smuggled_behind_a_chunked_body(server):
    inner = format_request("GET", "/api/in")
    with server.connect(timeout=5) as connection:
        connection.send(format_request("POST", "/stdin", headers={
            "content-length": str(len(inner) + 5), "transfer-encoding": "chunked"})
            + b"0\r\n\r\n" + inner)
        assert connection.receive().status == 400
        assert connection.is_closed_by_peer()


def seconds_until_closed(connection) -> float:
    started = time.monotonic()
    try:
        connection.receive()
    except (Closed, ConnectionResetError):
        return time.monotonic() - started
    assert connection.is_closed_by_peer()
    return time.monotonic() - started


def test_a_header_that_never_ends(server):
    """Slow loris: bytes that keep coming do not buy time."""
    with server.connect() as connection:
        connection.send("GET /hello HTTP/1.1\r\nhost: a\r\nx: ")
        assert 0.3 < seconds_until_closed(connection) < 3


def test_a_body_that_never_comes(server):
    with server.connect() as connection:
        connection.send(format_request("POST", "/stdin", headers={"content-length": "10"}) + b"abc")
        assert 0.3 < seconds_until_closed(connection) < 3


def test_a_connection_that_says_nothing(server):
    with server.connect() as silent, server.connect() as idle:
        assert idle.request("GET", "/hello").status == 200
        assert silent.is_closed_by_peer() and idle.is_closed_by_peer()


def test_clients_that_hang_up(server):
    for cut in (5, 20, 60, 62):
        for _ in range(20):
            with server.connect() as connection:
                connection.send(format_request("POST", "/stdin", body="x" * 20)[:cut])
    for _ in range(20):
        connection = server.connect()
        # Reset instead of a proper end.
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.send(format_request("GET", "/hello"))
        connection.close()


def test_random_bytes(server):
    seed = random.randrange(1 << 32)
    source = random.Random(seed)
    for _ in range(60):
        with server.connect(timeout=5) as connection:
            try:
                connection.send(source.randbytes(source.randrange(1, 3000)))
                connection.socket.shutdown(socket.SHUT_WR)
                while connection.socket.recv(65536):
                    pass
            except OSError:
                pass
        assert server.is_alive(), f"seed {seed}"
