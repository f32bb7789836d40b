"""The wasi-http contract: components, whose bodies stream both ways, and what they may reach."""

import hashlib
import http.server
import socket
import threading

import pytest

from funcd import client
from funcd.binary import funcd
from funcd.examples import component
from funcd.streams import echoed_in_pieces
from funcd.waiting import is_sanitized, wait_until

PROBE = 'route = "/{name}/*"\n'
BIG = '[limits]\nrequest_body = "128MiB"\nresponse_body = "128MiB"\ntimeout = "60s"\n'


@pytest.fixture(scope="module")
def server(serve_all):
    probe = component("probe")
    return serve_all({
        "hello": component("hello"),
        "env": (component("env"), '[env]\nGREETING = "hi"\nEMPTY = ""\n'),
        "echo": component("echo"),
        "big": (component("echo"), BIG),
        "frozen": (component("hello"), "[snapshot]\nstart = true\n"),
        "probe": (probe, PROBE.format(name="probe") + '[limits]\nrequest_body = "64KiB"\n'),
    })


def test_hello(server):
    answer = server.get("/hello")
    assert (answer.status, answer.body, answer.header("content-type")) == (200, b"hello", "text/plain")
    assert server.functions()["hello"]["contract"] == "wasi-http"
    head = server.request("HEAD", "/hello")
    assert (head.status, head.body) == (200, b"")


def test_the_environment_is_what_the_sidecar_says(server):
    assert sorted(server.get("/env").text.splitlines()) == ["EMPTY=", "GREETING=hi"]


def test_each_request_has_an_instance_of_its_own(server):
    assert [server.get("/probe/count").text for _ in range(3)] == ["call 1"] * 3


def test_what_a_request_had_reaches_no_other(server):
    server.wait_optimized("echo")
    for number in range(50):
        body = f"{number}-" * (number * 100)
        assert server.post("/echo", body).text == body


def test_check_says_whom_an_instance_answers(folder):
    (folder.path / "data").mkdir()
    folder.put("old", component("hello"))
    folder.put("with-mount", component("hello"), '[[mounts]]\nhost = "data"\nguest = "/data"\n')
    for name, said in (("old", "fresh or as good as new"), ("with-mount", "a fresh one for each request")):
        done = funcd("check", folder / f"{name}.wasm")
        assert done.returncode == 0 and said in done.stdout.decode(), done.stdout


def test_one_starts_from_no_snapshot(server):
    said = server.admin("/v1/functions/frozen").json["snapshot"]
    assert not said["used"] and "it is a component" in said["reason"]
    assert server.get("/frozen").body == b"hello"


@pytest.mark.parametrize("size", [0, 1, 1000, 65536, 1_000_000])
def test_bodies_are_echoed(server, size):
    body = bytes(i % 251 for i in range(size))
    assert server.post("/echo", body).body == body


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_comes_back_before_its_end_is_sent(server, framing):
    body = bytes(range(256)) * 4096  # 1 MiB
    with server.connect() as connection:
        assert echoed_in_pieces(connection, "/echo", body, framing) == body
        assert connection.request("GET", "/hello").body == b"hello"


def test_a_long_answer_comes_in_large_pieces(server):
    for _ in range(20):
        assert len(server.get("/probe/pours").body) == len("begun") + (4 << 20)


def memory_bytes(server) -> int:
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps what was freed")
def test_a_long_body_takes_little_memory(server):
    total = 100 << 20
    piece = bytes(range(256)) * 256
    server.post("/big", piece)
    before = memory_bytes(server)
    with server.connect(60.0) as connection:
        connection.send(client.format_request("POST", "/big", headers={"content-length": str(total)}))
        sender = threading.Thread(
            target=lambda: [connection.send(piece) for _ in range(total // len(piece))])
        sender.start()
        body = connection.receive("POST").body
        sender.join()
    assert hashlib.sha256(body).digest() == hashlib.sha256(piece * (total // len(piece))).digest()
    assert memory_bytes(server) - before <= 16 << 20


# wasi:http 0.3: its echo hands the request's body on, and has ended before the body has.

@pytest.fixture(scope="module")
def http3(serve_all):
    wasm = component("http3/http3")
    limited = '[limits]\nrequest_body = "64KiB"\ntimeout = "2s"\n'
    return serve_all({"http3": (wasm, PROBE.format(name="http3")),
                      "limited": (wasm, PROBE.format(name="limited") + limited)})


def test_the_newer_standard_is_served(http3):
    answer = http3.get("/http3/")
    assert (answer.status, answer.body, answer.header("x-version")) == (203, b"", "3")
    assert [(each.status, each.reason) for each in map(http3.get, ("/http3/refused", "/http3/trap"))] == [
        (502, "bad-output"), (500, "trap")]


@pytest.mark.parametrize("size", [0, 9, 65536, 3_000_000])
def test_a_body_is_handed_on(http3, size):
    body = bytes(i % 251 for i in range(size))
    assert http3.post("/http3/echo", body).body == body


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_is_handed_on_comes_back_before_its_end(http3, framing):
    body = bytes(range(256)) * 4096
    with http3.connect() as connection:
        assert echoed_in_pieces(connection, "/http3/echo", body, framing) == body


def test_limits_hold_after_the_guest_has_ended(http3):
    chunk = b"4000\r\n" + b"x" * 16384 + b"\r\n"
    for rest, reason in ((chunk * 4, "request-too-large"), (b"", "time-limit")):
        seen = len(http3.stderr.lines)
        with http3.connect() as connection:
            connection.send(client.format_request("POST", "/limited/echo",
                                                  headers={"transfer-encoding": "chunked"}))
            connection.send(chunk)
            while b"xxx" not in connection.buffer:
                connection.buffer += connection.socket.recv(65536)
            connection.send(rest)
            with pytest.raises((client.Closed, ConnectionResetError)):
                connection.receive("POST")
        http3.stderr.wait_for(f"function=limited .*reason={reason}", since=seen)


def test_output_streams(server):
    with server.connect() as connection:
        connection.send(client.format_request("GET", "/probe/slow"))
        seen = b""
        while b"begun" not in seen:
            seen += connection.socket.recv(65536)
        assert b"done" not in seen, "it was held back"
        connection.buffer = seen
        assert connection.receive().body == b"begun and done"
        assert connection.request("GET", "/hello").body == b"hello"


def test_trailers_go_to_those_who_take_them(server):
    for fields, trailer in (({"te": "trailers"}, b"x-sum: 5\r\n"), ({}, b"")):
        with server.connect() as connection:
            connection.send(client.format_request("GET", "/probe/trailers",
                                                  headers=fields | {"connection": "close"}))
            whole = b""
            while piece := connection.socket.recv(65536):
                whole += piece
        assert whole.endswith(b"5\r\nbegun\r\n0\r\n" + trailer + b"\r\n")


@pytest.mark.parametrize("trailers, answer", [
    (b"x-sum: 5\r\nX-Sum: seven\r\n", b"5;seven;"),
    (b"x-sum: 5\r\nauthorization: me\r\nhost: other\r\n", b"5;"),
    (b"authorization: me\r\n", b"none"),
    (b"", b"none"),
])
def test_trailers_of_a_request_are_passed_on(server, trailers, answer):
    head = client.format_request("POST", "/probe/sum", headers={"transfer-encoding": "chunked"})
    with server.connect() as connection:
        for _ in range(2):
            connection.send(head + b"2\r\nhi\r\n")
            connection.send(b"0\r\n" + trailers + b"\r\n")
            assert connection.receive().body == answer


@pytest.mark.parametrize("trailer", [b"x-sum: " + b"x" * 9000, b"content-length: 1",
                                     b"x sum: 5"])
def test_trailers_that_are_too_long_or_none_are_refused(server, trailer):
    head = client.format_request("POST", "/probe/sum", headers={"transfer-encoding": "chunked"})
    with server.connect() as connection:
        connection.send(head + b"2\r\nhi\r\n0\r\n" + trailer + b"\r\n\r\n")
        assert connection.receive().status == 400


def test_what_it_says_is_in_its_log(server):
    seen = len(server.stderr.lines)
    assert server.get("/probe/log").text == "logged"
    server.stderr.wait_for("function=probe .*said on stdout.*said on stderr", since=seen)
    entries = server.admin("/v1/functions/probe/logs").json["entries"]
    assert entries[-1]["stderr"] == "said on stdout\nsaid on stderr\n"


def test_a_client_that_leaves_ends_its_invocation(server):
    connection = server.connect()
    connection.send(client.format_request("GET", "/probe/lazy"))
    wait_until(lambda: server.functions()["probe"]["in_flight"] == 1, "it runs")
    seen = len(server.stderr.lines)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    wait_until(lambda: server.functions()["probe"]["in_flight"] == 0, "nobody runs")
    server.stderr.wait_for("function=probe .*reason=cancelled", since=seen)


class Origin(http.server.BaseHTTPRequestHandler):
    """Answers any GET with its path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"origin of {self.path}".encode()
        self.send_response(203)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def origin():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made.server_address[1]
        made.shutdown()
        thread.join()


# Of wasi:http's error-code.
IP_PROHIBITED, REFUSED_CONNECTION, REQUEST_DENIED = 4, 6, 15


@pytest.fixture(scope="module")
def reaching(serve_all, origin):
    probe = component("probe")

    def allowing(name: str, *rules: str) -> tuple[bytes, str]:
        return probe, PROBE.format(name=name) + f"[outbound]\nallow = {list(rules)}\n".replace("'", '"')

    return serve_all({
        "nothing": (probe, PROBE.format(name="nothing")),
        "origin": allowing("origin", f"http://127.0.0.1:{origin}"),
        "local": allowing("local", f"http://localhost:{origin}"),
        "names": allowing("names", f"http://*:{origin}"),
        "secure": allowing("secure", f"https://127.0.0.1:{origin}"),
    })


def fetched(server, function: str, authority: str) -> str:
    return server.get(f"/{function}/fetch?{authority}").text


def test_an_allowed_request_is_answered(reaching, origin):
    answer = reaching.get(f"/origin/fetch?127.0.0.1:{origin}")
    assert (answer.status, answer.text) == (203, "origin of /from-a-function")
    assert fetched(reaching, "local", f"localhost:{origin}") == "origin of /from-a-function"


def test_what_is_not_named_is_denied(reaching, origin):
    denied = f"error {REQUEST_DENIED}"
    assert fetched(reaching, "nothing", f"127.0.0.1:{origin}") == denied
    assert fetched(reaching, "origin", "127.0.0.1:1") == denied
    assert fetched(reaching, "origin", f"localhost:{origin}") == denied
    assert fetched(reaching, "origin", "example.com") == denied
    assert fetched(reaching, "secure", f"127.0.0.1:{origin}") == denied


def test_a_name_smuggles_no_private_address_in(reaching, origin):
    prohibited = (f"error {IP_PROHIBITED}", f"error {REQUEST_DENIED}")
    for name in ("127.1", "2130706433", "0x7f000001"):
        assert fetched(reaching, "names", f"{name}:{origin}") in prohibited
    # By the machine's own name, where it has a private address.
    own = socket.gethostname()
    try:
        address = socket.gethostbyname(own)
    except OSError:
        pytest.skip("the machine's name has no address")
    if address.startswith(("127.", "10.", "192.168.")):
        assert fetched(reaching, "names", f"{own}:{origin}") == prohibited[0]


def test_an_origin_that_is_away_is_told(reaching, serve_all):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        probe = (component("probe"), PROBE.format(name="away") +
                 f'[outbound]\nallow = ["http://127.0.0.1:{port}"]\n')
        server = serve_all({"away": probe})
        assert fetched(server, "away", f"127.0.0.1:{port}") == f"error {REFUSED_CONNECTION}"


def is_optimized(server, name: str, sidecar_digest: str) -> bool:
    function = server.functions().get(name, {})
    return (function.get("code"), function.get("sidecar_digest")) == ("optimized", sidecar_digest)


def test_what_was_there_is_under_the_newest_sidecar(folder, start, origin):
    # Instances are of the artifact, which stays the same; whom they may reach is the sidecar's.
    server = start("--workers", "1")
    denied, allow = f"error {REQUEST_DENIED}", f'[outbound]\nallow = ["http://127.0.0.1:{origin}"]\n'
    for more, reached in (("", denied), (allow, "origin of /from-a-function"), ("", denied)):
        sidecars = {"f": PROBE.format(name="f") + more, "env": f'[env]\nREACHED = "{reached}"\n'}
        for name, wasm in (("f", component("probe")), ("env", component("env"))):
            folder.put(name, wasm, sidecars[name])
            digest = hashlib.sha256(sidecars[name].encode()).hexdigest()
            wait_until(lambda name=name, digest=digest: is_optimized(server, name, digest),
                       f"the new sidecar of {name} is live")
        for _ in range(3):
            assert fetched(server, "f", f"127.0.0.1:{origin}") == reached
            assert server.get("/env").text == f"REACHED={reached}\n"


def test_a_circle_of_calls_ends(folder, start):
    # Each call takes a place; when there are none left, the innermost waits, and is told so.
    server = start(config='queue_timeout = "300ms"\n')
    port = server.address[1]
    sidecar = PROBE.format(name="self") + f"""
[limits]
concurrency = 3
timeout = "5s"
[outbound]
allow = ["http://127.0.0.1:{port}"]
"""
    folder.put("self", component("probe"), sidecar)
    server.wait_state("self", "live")
    answer = server.get(f"/self/circle?127.0.0.1:{port}")
    # Passed on by those without.
    assert (answer.status, answer.json["reason"]) == (503, "overloaded")
    wait_until(lambda: server.functions()["self"]["in_flight"] == 0, "nobody runs")
