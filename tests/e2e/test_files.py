"""The public folder: which files are served, how, and before which functions."""

import os
import threading
import time

import pytest

from funcd import guests
from funcd.waiting import is_sanitized, wait_until

OLD = 1_700_000_000  # seconds; a file of that age has a strong validator
LARGE = bytes(range(256)) * 4096 * 24  # 24 MiB


@pytest.fixture(scope="module")
def server(serve_all, tmp_path_factory):
    server = serve_all({
        "hello": guests.prints('"function"'), "index": guests.prints('"root"'),
        "[...any]": guests.prints('"any"'), "posted": (guests.prints('"p"'), 'methods = ["POST"]\n'),
    }, files={
        "public/index.html": "<p>index", "public/hello": "file", "public/a b.txt": "a b",
        "public/posted": "file", "public/about.html": "<p>about", "public/docs/index.html": "<p>docs",
        "public/app.js": "let x", "public/style.css": "p{}", "public/pixel.png": b"\x89PNG",
        "public/.env": "SECRET", "public/.git/config": "SECRET", "public/module.wasm": guests.nothing(),
        "public/empty": "", "public/large.bin": LARGE, "public/ten": "0123456789", "secret.txt": "SECRET",
        "public/sub/deep.txt": "deep",
    })
    public = server.folder / "public"
    (public / "link.txt").symlink_to("a b.txt")
    (public / "out.txt").symlink_to("../secret.txt")
    (public / "passwd").symlink_to("/etc/passwd")
    for path in public.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (OLD, OLD))
    return server


@pytest.mark.parametrize(("target", "body", "kind"), [
    ("/app.js", b"let x", "text/javascript; charset=utf-8"),
    ("/style.css", b"p{}", "text/css; charset=utf-8"), ("/pixel.png", b"\x89PNG", "image/png"),
    ("/a%20b.txt", b"a b", "text/plain; charset=utf-8"), ("/about", b"<p>about", "text/html; charset=utf-8"),
    ("/about.html", b"<p>about", "text/html; charset=utf-8"), ("/docs/", b"<p>docs", "text/html; charset=utf-8"),
    ("/link.txt", b"a b", "text/plain; charset=utf-8"), ("/empty", b"", "application/octet-stream"),
    ("/sub/deep.txt", b"deep", "text/plain; charset=utf-8"), ("/ten?x=1", b"0123456789", "application/octet-stream"),
])
def test_a_file_is_served(server, target, body, kind):
    answer = server.get(target)
    assert (answer.status, answer.body, answer.header("content-type")) == (200, body, kind)
    assert answer.header("etag").startswith('"') and answer.header("accept-ranges") == "bytes"
    assert answer.header("last-modified") == "Tue, 14 Nov 2023 22:13:20 GMT"
    head = server.request("HEAD", target)
    assert (head.status, head.body) == (200, b"") and head.header("content-length") == str(len(body))


def test_a_module_there_is_a_file_and_no_function(server):
    assert server.get("/module.wasm").header("content-type") == "application/wasm"
    assert "public/module" not in server.functions()
    assert server.get("/public/module").body == b'"any"'


@pytest.mark.parametrize(("target", "body"), [
    ("/", b'"root"'), ("/hello", b'"function"'), ("/anything", b'"any"')])
def test_a_static_route_goes_before_a_file_and_that_before_a_parameter(server, target, body):
    assert server.get(target).body == body
    assert server.get("/posted").status == 405
    assert server.post("/ten", "x").body == b'"any"'


@pytest.mark.parametrize("target", [
    "/.env", "/.git/config", "/%2eenv", "/out.txt", "/passwd", "/../secret.txt", "/%2e%2e/secret.txt",
    "/sub/..%2f..%2fsecret.txt", "/sub/../../secret.txt", "//etc/passwd", "/sub", "/a%00b",
    "/sub/%2e%2e/ten"])
def test_nothing_else_gets_out(server, target):
    answer = server.get(target)
    assert b"SECRET" not in answer.body and b"root:" not in answer.body and answer.body != b"0123456789"


def test_a_folder_is_told_by_its_slash(server):
    answer = server.get("/docs?q=1")
    assert (answer.status, answer.header("location")) == (301, "/docs/?q=1")


def test_conditions(server):
    first = server.get("/ten")
    tag, date = first.header("etag"), first.header("last-modified")
    for headers in ({"if-none-match": tag}, {"if-none-match": f'"x", W/{tag}'}, {"if-modified-since": date}):
        answer = server.get("/ten", headers=headers)
        assert (answer.status, answer.body, answer.header("etag")) == (304, b"", tag), headers
    assert server.get("/ten", headers={"if-none-match": '"x"'}).status == 200
    assert server.get("/ten", headers={"if-match": '"x"'}).status == 412


def test_ranges(server):
    def ask(value, **more):
        return server.get("/ten", headers={"range": value} | more)
    part = ask("bytes=2-4")
    assert (part.status, part.body, part.header("content-range")) == (206, b"234", "bytes 2-4/10")
    assert ask("bytes=-3").body == b"789" and ask("bytes=8-").body == b"89"
    out = ask("bytes=10-")
    assert (out.status, out.body, out.header("content-range")) == (416, b"", "bytes */10")
    assert ask("bytes=0-1,3-4").status == 200 and ask("lines=1-2").status == 200
    tag = part.header("etag")
    assert ask("bytes=0-0", **{"if-range": tag}).status == 206
    assert ask("bytes=0-0", **{"if-range": '"x"'}).body == b"0123456789"


def test_a_large_file_streams(server):
    with server.connect() as connection:
        answer = connection.request("GET", "/large.bin")
        assert answer.header("content-length") == str(len(LARGE)) and answer.body == LARGE
        part = connection.request("GET", "/large.bin", headers={"range": "bytes=100000-20000000"})
        assert part.body == LARGE[100000:20000001]
        assert connection.request("GET", "/ten").body == b"0123456789"


def resident_bytes(server) -> int:
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_readers_that_do_not_read_cost_little_and_hold_up_nobody(server):
    server.get("/large.bin")
    before = resident_bytes(server)
    slow = [server.connect() for _ in range(8)]
    for connection in slow:
        connection.send(b"GET /large.bin HTTP/1.1\r\nhost: x\r\n\r\n")
    began = time.monotonic()
    for _ in range(50):
        assert server.get("/hello").body == b'"function"'
    assert time.monotonic() - began < 5
    assert is_sanitized() or resident_bytes(server) - before < 16 << 20
    for connection in slow:
        connection.close()


def test_a_file_that_shrinks_while_it_is_sent_is_cut_short(folder, start):
    folder.put_file("public/f", LARGE)
    server = start()
    with server.connect() as connection:
        connection.send(b"GET /f HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.socket.recv(1000).startswith(b"HTTP/1.1 200")
        os.truncate(folder / "public/f", 100)
        received = 0
        while piece := connection.socket.recv(1 << 20):
            received += len(piece)
        assert received < len(LARGE)
    assert server.get("/f").body == LARGE[:100]


def test_changes_are_seen(folder, start):
    server = start()
    assert server.get("/page").status == 404
    folder.put_file("public/page", "one")
    server.wait_body("/page", "one")
    first = server.get("/page").header("etag")
    folder.put_file("public/page", "two")
    assert server.get("/page").body == b"two" and server.get("/page").header("etag") != first
    folder.remove("public/page")
    assert server.get("/page").status == 404
    folder.put_file("public/page", "three")
    assert server.get("/page").body == b"three"
    folder.remove("public")
    wait_until(lambda: server.get("/page").status == 404, "the folder is gone", 10)


def test_many_at_once(server):
    failures = []

    def ask():
        with server.connect() as connection:
            for _ in range(50):
                answer = connection.request("GET", "/sub/deep.txt")
                if (answer.status, answer.body) != (200, b"deep"):
                    failures.append(answer)
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
