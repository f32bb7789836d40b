"""Components that go wrong: before their head 5xx with a reason, after it a response cut short."""

import pytest

from funcd import client
from funcd.examples import component

SIDECAR = 'route = "/probe/*"\n[limits]\nresponse_body = "256KiB"\nrequest_body = "64KiB"\ntimeout = "1s"\n'

BEFORE = {
    "never": (502, "bad-output", "ended without an answer"),
    "dropped": (502, "bad-output", "dropped its response-outparam"),
    "refused": (502, "bad-output", "error code internal-error"),
    "low": (502, "bad-output", "103"),
    "high": (502, "bad-output", "its status 600 is not one from 200 to 599"),
    "short": (502, "bad-output", "ended after 5 of the 7 bytes"),
    "long": (502, "bad-output", "is longer than the 3 bytes"),
    "trap": (500, "trap", "unreachable"),
    "loop": (504, "time-limit", "limit"),
    "lazy": (504, "time-limit", "limit"),
}
CUT = {
    "trap-later": (b"begun", "trap"),
    "hang-later": (b"begun", "time-limit"),
    "drop-later": (b"begun", "bad-output"),
    "short-later": (b"five!", "bad-output"),
    "long-later": (b"fi", "bad-output"),
    "endless": (None, "output-too-large"),
}


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({"probe": (component("probe"), SIDECAR), "hello": component("hello"),
                      "echo": (component("echo"), SIDECAR.replace("/probe/*", "/echo"))})


@pytest.mark.parametrize("name", BEFORE)
def test_before_the_head(server, name):
    status, reason, detail = BEFORE[name]
    seen = len(server.stderr.lines)
    answer = server.get(f"/probe/{name}")
    assert (answer.status, answer.reason) == (status, reason), answer.body
    assert detail in answer.json["detail"]
    server.stderr.wait_for(f"function=probe .*reason={reason}", since=seen)


@pytest.mark.parametrize("name", CUT)
def test_after_the_head(server, name):
    body, reason = CUT[name]
    seen = len(server.stderr.lines)
    with server.connect() as connection:
        connection.send(client.format_request("GET", f"/probe/{name}"))
        whole = b""
        while piece := connection.socket.recv(65536):
            whole += piece
    assert whole.startswith(b"HTTP/1.1 200")
    assert not whole.endswith(b"0\r\n\r\n"), "it looks whole"
    head, _, sent = whole.partition(b"\r\n\r\n")
    if b"content-length: " in head:
        declared = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        assert len(sent) < declared, "it looks whole"
    assert body is None or body in whole
    server.stderr.wait_for(f"function=probe .*reason={reason}", since=seen)


@pytest.mark.parametrize("name", ["injects", "injects-name", "frames"])
def test_no_field_is_smuggled_in(server, name):
    with server.connect() as connection:
        answer = connection.request("GET", f"/probe/{name}")
        assert (answer.status, answer.body) == (200, b"refused")
        assert answer.header("set-cookie") is None and answer.header("x-a") is None
        assert connection.request("GET", "/hello").body == b"hello"


def test_two_answers_are_a_trap(server):
    # The second comes before or after the first has been sent.
    seen = len(server.stderr.lines)
    with server.connect() as connection:
        connection.send(client.format_request("GET", "/probe/twice"))
        try:
            assert connection.receive().status == 500
        except client.Closed:
            pass
    server.stderr.wait_for("function=probe .*reason=trap", since=seen)


def test_a_body_is_read_once(server):
    assert server.post("/probe/twice-read", b"body").text == "once only"


def test_a_body_that_nobody_reads_does_no_harm(server):
    with server.connect() as connection:
        assert connection.request("POST", "/probe/ignores", body=b"x" * 20_000).body == b"enough"
        assert connection.request("GET", "/hello").body == b"hello"


def test_a_body_that_says_it_is_too_long_is_refused_at_once(server):
    with server.connect() as connection:
        connection.send(client.format_request("POST", "/echo", headers={
            "content-length": "70000", "expect": "100-continue"}))
        answer = connection.receive("POST")
        assert (answer.status, answer.reason) == (413, "request-too-large")


def test_a_body_that_turns_out_too_long_cuts_the_response(server):
    seen = len(server.stderr.lines)
    with server.connect() as connection:
        connection.send(client.format_request("POST", "/echo",
                                              headers={"transfer-encoding": "chunked"}))
        chunk = b"4000\r\n" + b"x" * 16384 + b"\r\n"
        connection.send(chunk)
        while b"xxx" not in connection.buffer:
            connection.buffer += connection.socket.recv(65536)
        connection.send(chunk * 4)
        with pytest.raises((client.Closed, ConnectionResetError)):
            connection.receive("POST")
    server.stderr.wait_for("function=echo .*reason=request-too-large", since=seen)


def test_a_bad_chunk(server):
    with server.connect() as connection:
        connection.send(client.format_request("POST", "/echo",
                                              headers={"transfer-encoding": "chunked"}))
        connection.send(b"zz\r\nx")
        try:
            assert connection.receive("POST").status == 400
        except client.Closed:
            pass  # its head was sent


def test_everything_is_well_afterwards(server):
    assert server.post("/echo", b"still here").body == b"still here"
    assert all(each["in_flight"] == 0 for each in server.functions().values())
