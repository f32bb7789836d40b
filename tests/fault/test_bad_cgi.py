"""CGI programs that go wrong: before their head 5xx with a reason, after it a response cut short."""

import pytest

from funcd import c_guests, client

LIMITS = '[limits]\nresponse_body = "256KiB"\nrequest_body = "64KiB"\ntimeout = "1s"\n'
HEAD = "Content-Type: text/plain\\n"


def cgi(body: str) -> tuple[bytes, str]:
    return c_guests.main(body), 'contract = "cgi"\n' + LIMITS


WHOLE = {
    # Printed and ended at once, so that nothing was sent before it was seen.
    "status-low": ('put("Status: 199\\n\\n");', 502, "bad-output"),
    "status-high": ('put("Status: 600\\n\\n");', 502, "bad-output"),
    "status-text": ('put("Status: fine\\n\\n");', 502, "bad-output"),
    "split": ('put("Status: 200\\nX: a\\rSet-Cookie: evil=1\\n\\n");', 502, "bad-output"),
    "twice": ('put("Status: 200\\nStatus: 404\\n\\n");', 502, "bad-output"),
    "length-text": ('put("Status: 200\\nContent-Length: x\\n\\n");', 502, "bad-output"),
    "longer": (f'put("{HEAD}Content-Length: 3\\n\\nabcd");', 502, "bad-output"),
    "shorter": (f'put("{HEAD}Content-Length: 3\\n\\nab");', 502, "bad-output"),
    "trap-before": ('__builtin_trap();', 500, "trap"),
    "trap-at-once": (f'put("{HEAD}\\nabc"); __builtin_trap();', 500, "trap"),
    "exits": ('exit(3);', 500, "exit"),
    "endless-text": ('for (;;) put_bytes(120, 16384);', 502, "output-too-large"),
    "never": ('for (;;) nap(100);', 504, "time-limit"),
    "loops": ('for (volatile int i = 0;; ++i) {}', 504, "time-limit"),
}
CUT = {
    "trap-after": (f'put("{HEAD}\\nabc"); nap(50); __builtin_trap();', b"abc", "trap"),
    "hangs-after": (f'put("{HEAD}\\nabc"); for (;;) nap(100);', b"abc", "time-limit"),
    "endless": (f'put("{HEAD}\\n"); for (;;) put_bytes(120, 16384);', None, "output-too-large"),
    "longer-later": (f'put("{HEAD}Content-Length: 4\\n\\nabc"); nap(50); put("de"); nap(50);',
                     b"abc", "bad-output"),
    "shorter-later": (f'put("{HEAD}Content-Length: 4\\n\\nabc"); nap(50);', b"abc", "bad-output"),
}


@pytest.fixture(scope="module")
def server(serve_all):
    functions = {name: cgi(body) for name, (body, *_) in (WHOLE | CUT).items()}
    functions["late-status"] = cgi('put("Status: 700\\n\\n"); nap(200);')
    functions["echo"] = (c_guests.echoes(), 'contract = "cgi"\n' + LIMITS)
    functions["swallows"] = cgi(
        'char b[4096]; while (fread(b, 1, sizeof b, stdin) > 0) {} put("Status: 200\\n\\nall");')
    return serve_all(functions)


@pytest.mark.parametrize("name", WHOLE)
def test_before_the_head(server, name):
    _, status, reason = WHOLE[name]
    seen = len(server.stderr.lines)
    answer = server.get(f"/{name}")
    assert (answer.status, answer.reason) == (status, reason), answer.body
    assert answer.header("set-cookie") is None
    server.stderr.wait_for(f"function={name} .*reason={reason}", since=seen)


@pytest.mark.parametrize("name", CUT)
def test_after_the_head(server, name):
    _, body, reason = CUT[name]
    seen = len(server.stderr.lines)
    with server.connect() as connection:
        connection.send(client.format_request("GET", f"/{name}"))
        with pytest.raises(client.Closed):
            answer = connection.receive()
            raise AssertionError(f"a whole response: {answer}")
    server.stderr.wait_for(f"function={name} .*reason={reason}", since=seen)
    page = server.metrics()
    assert page.sum("funcd_errors_total", function=name, reason=reason) >= 1


def test_a_bad_head_before_anything_was_sent(server):
    answer = server.get("/late-status")
    assert (answer.status, answer.reason) == (502, "bad-output")


def test_a_body_that_says_it_is_too_long_is_refused_at_once(server):
    with server.connect() as connection:
        connection.send(client.format_request("POST", "/echo", headers={
            "content-length": "70000", "expect": "100-continue"}))
        answer = connection.receive("POST")
        assert (answer.status, answer.reason) == (413, "request-too-large")


def chunks(count: int) -> bytes:
    return (b"4000\r\n" + b"x" * 16384 + b"\r\n") * count


def test_a_body_that_turns_out_too_long(server):
    # Nothing was sent yet: 413.
    with server.connect() as connection:
        connection.send(client.format_request("POST", "/swallows",
                                              headers={"transfer-encoding": "chunked"}))
        connection.send(chunks(5))
        answer = connection.receive("POST")
        assert (answer.status, answer.reason) == (413, "request-too-large")
    # The response had begun: it is cut short.
    with server.connect() as connection:
        connection.send(client.format_request("POST", "/echo",
                                              headers={"transfer-encoding": "chunked"}))
        connection.send(chunks(1))
        seen = b""
        while b"xxx" not in seen:
            seen += connection.socket.recv(65536)
        connection.buffer = seen
        connection.send(chunks(4))
        with pytest.raises((client.Closed, ConnectionResetError)):
            connection.receive("POST")


def test_a_bad_chunk(server):
    with server.connect() as connection:
        connection.send(client.format_request("POST", "/swallows",
                                              headers={"transfer-encoding": "chunked"}))
        connection.send(b"zz\r\nx")
        answer = connection.receive("POST")
        assert (answer.status, answer.reason) == (400, "bad-request")


def test_everything_is_well_afterwards(server):
    assert server.post("/echo", b"still here").body == b"still here"
    assert all(each["in_flight"] == 0 for each in server.functions().values())
