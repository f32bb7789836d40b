"""HTTP/1.1 as clients speak it: framing, connections, limits (RFC 9110, RFC 9112)."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from funcd import guests
from funcd.client import format_request

JSON = {"content-type": "application/json"}
HELLO = b'{"hello":"world"}'


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({
        "hello": guests.prints(HELLO),
        "echo": guests.echoes_data(),
        "stdin": guests.echoes_stdin(),
        "slow": guests.sleeps(0.2, '{"slow":1}'),
        "get-only": (guests.prints(HELLO), 'methods = ["GET"]\n'),
        "small": (guests.echoes_stdin(), '[limits]\nrequest_body = "16"\n'),
    })


def test_head_of_a_response(server):
    answer = server.get("/hello")
    assert (answer.version, answer.status, answer.phrase) == ("HTTP/1.1", 200, "OK")
    assert answer.header("content-length") == str(len(HELLO))
    assert answer.header("date").endswith(" GMT")


def test_head_has_the_fields_of_get_and_no_body(server):
    with server.connect() as connection:
        head = connection.request("HEAD", "/hello")
        get = connection.request("GET", "/hello")
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == get.header("content-length")
    assert head.header("content-type") == get.header("content-type")


def test_keep_alive(server):
    with server.connect() as connection:
        for number in range(100):
            assert connection.request("GET", f"/echo?n={number}").json == {"n": str(number)}


def test_connection_close(server):
    with server.connect() as connection:
        answer = connection.request("GET", "/hello", headers={"connection": "close"})
        assert answer.header("connection") == "close"
        assert connection.is_closed_by_peer()


def test_http_1_0_closes(server):
    with server.connect() as connection:
        connection.send("GET /hello HTTP/1.0\r\n\r\n")
        assert connection.receive().body == HELLO
        assert connection.is_closed_by_peer()


def test_pipelining_keeps_the_order(server):
    targets = ["/slow", *(f"/echo?n={n}" for n in range(20)), "/nobody", "/slow", "/hello"]
    with server.connect() as connection:
        connection.send(b"".join(format_request("GET", target) for target in targets))
        answers = [connection.receive() for _ in targets]
    assert answers[0].json == {"slow": 1} and answers[-2].json == {"slow": 1}
    assert [a.json["n"] for a in answers[1:21]] == [str(n) for n in range(20)]
    assert answers[21].status == 404 and answers[-1].body == HELLO


def test_a_request_in_single_bytes(server):
    with server.connect() as connection:
        for byte in format_request("POST", "/echo", headers=JSON, body='{"a":1}'):
            connection.send(bytes([byte]))
        assert connection.receive().json == {"a": 1}


def test_chunked_body(server):
    document = json.dumps({"text": "x" * 5000}).encode()
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in (
        document[:1], document[1:100], document[100:]))
    with server.connect() as connection:
        head = format_request("POST", "/stdin", headers=JSON | {"transfer-encoding": "chunked"})
        connection.send(head + chunks + b"0\r\nx-trailer: 1\r\n\r\n")
        assert connection.receive().body == document
        assert connection.request("GET", "/hello").body == HELLO


def test_100_continue(server):
    with server.connect() as connection:
        head = format_request("POST", "/stdin", headers=JSON | {
            "expect": "100-continue", "content-length": "7"})
        connection.send(head)
        assert connection.receive().status == 100
        connection.send('{"a":1}')
        assert connection.receive().body == b'{"a":1}'


def test_no_100_for_a_body_that_is_refused(server):
    with server.connect() as connection:
        connection.send(format_request("POST", "/small", headers={
            "expect": "100-continue", "content-length": "17"}))
        assert connection.receive().status == 413


def test_absolute_target(server):
    assert server.get("http://other.example/hello").body == HELLO


def test_method_not_allowed_says_what_is(server):
    answer = server.post("/get-only", "{}", headers=JSON)
    assert (answer.status, answer.reason) == (405, "method-not-allowed")
    allowed = {each.strip() for each in answer.header("allow").split(",")}
    assert "GET" in allowed and "POST" not in allowed
    assert server.request("HEAD", "/get-only").status == 200


def test_every_method_by_default(server):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert server.request(method, "/hello").body == HELLO


@pytest.mark.parametrize("target", [
    "/", "/nobody", "/hello/more", "/hello/", "/HELLO", "/hello.wasm"])
def test_not_found(server, target):
    answer = server.get(target)
    assert (answer.status, answer.reason) == (404, "not-found")


def test_body_at_the_limit_and_past_it(server):
    assert server.post("/small", "x" * 16).body == b"x" * 16
    answer = server.post("/small", "x" * 17)
    assert (answer.status, answer.reason) == (413, "request-too-large")


def test_chunked_body_past_the_limit(server):
    with server.connect() as connection:
        connection.send(format_request("POST", "/small", headers={"transfer-encoding": "chunked"}))
        connection.send(b"10\r\n" + b"x" * 16 + b"\r\n1\r\nx\r\n0\r\n\r\n")
        assert connection.receive().status == 413


def test_the_default_limit_is_8_mebibytes(server):
    assert len(server.post("/stdin", b"x" * (8 << 20)).body) == 8 << 20
    with server.connect() as connection:
        connection.send(format_request("POST", "/stdin", headers={
            "content-length": str((8 << 20) + 1)}))
        assert connection.receive().status == 413


def test_header_too_large(server):
    answer = server.get("/hello", headers={"x-large": "x" * 70_000})
    assert answer.status == 431
    assert set(answer.json) == {"detail", "reason", "invocation"}
    assert answer.json["invocation"] is None
    many = server.get("/hello", headers={f"x-{n}": "1" for n in range(150)})
    assert many.status == 431


def test_target_too_long(server):
    assert server.get("/echo?a=" + "x" * 6000).json == {"a": "x" * 6000}
    assert server.get("/echo?a=" + "x" * 9000).status == 414


def test_hundreds_of_connections_at_once(server):
    connections = [server.connect() for _ in range(300)]
    for number, connection in enumerate(connections):
        connection.send(format_request("GET", f"/echo?n={number}"))
    for number, connection in enumerate(connections):
        assert connection.receive().json == {"n": str(number)}
        connection.close()


def test_a_slow_function_holds_up_nobody(server):
    with ThreadPoolExecutor(40) as pool:
        slow = [pool.submit(server.get, "/slow") for _ in range(40)]
        with server.connect(timeout=5) as connection:
            for _ in range(50):
                assert connection.request("GET", "/hello").body == HELLO
        assert all(each.result().json == {"slow": 1} for each in slow)
