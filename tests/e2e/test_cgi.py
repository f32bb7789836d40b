"""The cgi contract: variables, arguments, header blocks, and bodies that stream both ways."""

import socket

import pytest

from funcd import c_guests, client, guests
from funcd.streams import echoed_in_pieces
from funcd.waiting import wait_until

CGI = 'contract = "cgi"\n'


def cgi(wasm: bytes, more: str = "") -> tuple[bytes, str]:
    return wasm, CGI + more


FUNCTIONS = {
    "env": cgi(guests.echoes_env(), 'route = "/env/*"\n'),
    "args": cgi(guests.echoes_args()),
    "echo": cgi(c_guests.echoes(), '[limits]\nrequest_body = "4MiB"\n'),
    "auto-header": c_guests.main('put("Status: 201 Made\\r\\nX-A: b\\r\\n\\r\\nhello");'),
    "slow": cgi(c_guests.main('put("Content-Type: text/plain\\n\\nfirst,"); nap(300); put("last");')),
    "auto-slow": c_guests.main('put("Content-Type: text/plain\\n\\nfirst,"); nap(300); put("last");'),
    "counted": cgi(c_guests.main(
        'put("Content-Type: text/plain\\nContent-Length: 10\\n\\nfirst,"); nap(200); put("last");')),
    "head": cgi(c_guests.main('put("Content-Type: text/plain\\nContent-Length: 10\\n\\n");')),
    "long": cgi(c_guests.main('put("Content-Type: text/plain\\n\\n"); put_bytes(\'x\', 5000000);')),
    "redirect": cgi(c_guests.main('put("Location: /args?a+b\\n\\n");')),
    "moved": cgi(c_guests.main('put("Location: https://example.com/\\nStatus: 301 Moved\\n\\n");')),
    "raw": cgi(guests.prints("just text")),
    "ignores": cgi(c_guests.main('put("Content-Type: text/plain\\n\\nenough");')),
}


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all(FUNCTIONS)


def environment(answer) -> dict[str, str]:
    return dict(each.split("=", 1) for each in answer.json)


def test_variables(server):
    env = environment(server.get("/env/a%20b/c?x=1&y", headers={
        "host": "example.com:81", "authorization": "Basic abc", "content-type": "text/x"}))
    assert env | {
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/env",
        "PATH_INFO": "/a b/c", "QUERY_STRING": "x=1&y", "SERVER_NAME": "example.com",
        "SERVER_PORT": "81", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": "Basic abc", "CONTENT_TYPE": "text/x",
        "X_MATCHED_ROUTE": "/env/*", "X_RAW_PATH_INFO": "/a%20b/c",
        "X_FULL_URL": "http://example.com:81/env/a%20b/c?x=1&y",
        "http_path": "/env/a b/c", "http_method": "GET", "http_query": "x=1&y"} == env
    for absent in ("CONTENT_LENGTH", "AUTH_TYPE", "REMOTE_USER", "PATH_TRANSLATED", "HTTP_CONTENT_TYPE"):
        assert absent not in env


def test_content_length_is_known_where_the_client_says_it(server):
    assert environment(server.post("/env/", b"12345"))["CONTENT_LENGTH"] == "5"
    with server.connect() as connection:
        connection.send(client.format_request("POST", "/env/", headers={
            "transfer-encoding": "chunked"}) + b"5\r\n12345\r\n0\r\n\r\n")
        assert "CONTENT_LENGTH" not in environment(connection.receive("POST"))


@pytest.mark.parametrize(("target", "arguments"), [
    ("/args", []),
    ("/args?one+two%20words+%2B", ["one", "two words", "+"]),
    ("/args?one", ["one"]),
    ("/args?a=1&b=%20", ["a=1", "b=%20"]),
    ("/args?bad%zz+two", []),
    ("/args?nul%00", []),
])
def test_arguments(server, target, arguments):
    assert server.get(target).json == ["args", *arguments]


def test_a_search_is_for_get_and_head(server):
    assert server.post("/args?one+two", b"").json == ["args"]


def test_a_header_block_under_auto(server):
    answer = server.get("/auto-header")
    assert (answer.status, answer.body, answer.header("x-a")) == (201, b"hello", "b")
    assert answer.header("content-length") == "5"


def test_locations(server):
    local = server.get("/redirect")
    assert (local.status, local.header("location")) == (302, "/args?a+b")
    moved = server.get("/moved")
    assert (moved.status, moved.header("location")) == (301, "https://example.com/")


def test_raw_output(server):
    answer = server.get("/raw")
    assert (answer.body, answer.header("content-length")) == (b"just text", "9")


@pytest.mark.parametrize("name", ["slow", "auto-slow"])
def test_output_streams_once_its_header_is_complete(server, name):
    with server.connect() as connection:
        connection.send(client.format_request("GET", f"/{name}"))
        seen = b""
        while b"first," not in seen:
            seen += connection.socket.recv(65536)
        assert b"last" not in seen, "it was held back"
        assert b"transfer-encoding: chunked" in seen.lower()
        connection.buffer = seen
        assert connection.receive().body == b"first,last"
        # The connection goes on.
        assert connection.request("GET", "/raw").body == b"just text"


def test_a_length_that_the_program_declares(server):
    answer = server.get("/counted")
    assert (answer.header("content-length"), answer.body) == ("10", b"first,last")
    head = server.request("HEAD", "/head")
    assert (head.status, head.header("content-length"), head.body) == (200, "10", b"")


def test_much_output(server):
    answer = server.get("/long")
    assert answer.header("transfer-encoding") == "chunked"
    assert answer.body == b"x" * 5_000_000
    # HTTP/1.0 has no chunks: the end of the connection is that of the body.
    with server.connect() as connection:
        connection.send("GET /long HTTP/1.0\r\nhost: h\r\n\r\n")
        whole = b""
        while piece := connection.socket.recv(1 << 20):
            whole += piece
        assert whole.endswith(b"\r\n\r\n" + b"x" * 5_000_000)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_comes_back_before_its_end_is_sent(server, framing):
    body = bytes(range(256)) * 4096  # 1 MiB
    with server.connect() as connection:
        assert echoed_in_pieces(connection, "/echo", body, framing) == body
        assert connection.request("GET", "/raw").body == b"just text"


def test_small_bodies_are_echoed(server):
    for size in (0, 1, 1000, 65536, 100_000):
        assert server.post("/echo", b"z" * size).body == b"z" * size


def test_what_a_program_does_not_read_does_no_harm(server):
    with server.connect() as connection:
        assert connection.request("POST", "/ignores", body=b"x" * 20_000).body == b"enough"
        assert connection.request("GET", "/raw").body == b"just text"


def test_form_and_json_bodies_make_data(serve_all):
    server = serve_all({"data": (guests.echoes_data(), CGI), "echo": (c_guests.echoes(), CGI)})
    json_type = {"content-type": "application/json"}
    assert server.post("/data?b=2", b'{"a":1}', headers=json_type).body == b'{"b":"2","a":1}'
    # Longer than DATA is made of: it is for stdin alone.
    long = b'{"a":"' + b"x" * 70_000 + b'"}'
    assert server.post("/data?b=2", long, headers=json_type).body == b'{"b":"2"}'
    assert server.post("/echo", long, headers=json_type).body == long


def test_a_client_that_leaves_ends_its_invocation(server):
    connection = server.connect()
    connection.send(client.format_request("POST", "/echo", headers={"content-length": "100"},
                                          body=None) + b"abc")
    while b"abc" not in connection.socket.recv(65536):
        pass
    assert server.functions()["echo"]["in_flight"] == 1
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    wait_until(lambda: server.functions()["echo"]["in_flight"] == 0, "nobody runs")
