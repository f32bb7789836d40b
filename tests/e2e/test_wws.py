"""Programs for wasm-workers-server: the document, the answer, the store, routes by file name."""

import concurrent.futures
import json

import pytest

from funcd import guests
from funcd.examples import build_examples
from funcd.folder import Folder
from funcd.server import Server

WWS = 'contract = "wws"\n'


def answers(**members) -> tuple[bytes, str]:
    return guests.prints_json(members), WWS



@pytest.fixture(scope="module")
def server(serve_all, tmp_path_factory):
    built = build_examples()
    return serve_all({
        "answer": answers(data="<p>hi", status=201, headers={"x_under": "1", "set-cookie": ["a=1", "b=2"]}),
        "bytes": answers(data="/wAB", base64=True, headers={"content-type": "image/png"}),
        "least": answers(),
        "no-json": (guests.prints("hello"), WWS), "nothing": (guests.nothing(), WWS),
        "status-99": answers(status=99), "status-600": answers(status=600),
        "status-text": answers(status="200"), "injects": answers(headers={"a": "b\r\nset-cookie: c"}),
        "injects-name": answers(headers={"a: b\r\nc": "d"}), "not-base64": answers(data="?", base64=True),
        "kv-list": answers(kv=[]), "kv-number": answers(kv={"a": 1}),
        "kv-huge": answers(kv={"k": "v" * (1 << 20)}), "kv-long-key": answers(kv={"k" * 2000: ""}),
        "exits": (guests.prints('{"data":"x"}', exit_code=3), WWS),
        "exits-badly": (guests.prints("no", exit_code=3), WWS),
        "traps": (guests.prints('{"data":"x"}', trap=True), WWS),
        "mirror": ((built / "mirror.wasm").read_bytes(), WWS),
        "index": guests.prints('"root"'), "api/index": guests.prints('"api"'),
        "show/[id]": guests.echoes_data(), "show/me": guests.prints('"me"'),
        "[resource]/[id]/show": guests.echoes_data(), "tail/[...rest]": guests.echoes_data(),
        "deep/[...slug]/index": guests.echoes_data(),
        "hosted": (guests.prints('"api"'), 'host = "api.example.com"\nroute = "/who"\n'),
        "wild": (guests.prints('"wild"'), 'host = "*.example.com"\nroute = "/who"\n'),
        "anyone": (guests.prints('"any"'), 'route = "/who"\n'),
    }, "--kv-file", str(tmp_path_factory.mktemp("kv") / "kv.sqlite"))


def test_an_answer(server):
    answer = server.get("/answer")
    assert (answer.status, answer.body) == (201, b"<p>hi")
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert answer.header("x_under") == "1" and answer.header("set-cookie") == "a=1, b=2"
    assert [value for name, value in answer.fields if name == "set-cookie"] == ["a=1", "b=2"]
    binary = server.get("/bytes")
    assert binary.body == b"\xff\x00\x01" and binary.header("content-type") == "image/png"
    assert server.get("/least").status == 200


@pytest.mark.parametrize(("name", "status", "reason"), [
    ("no-json", 502, "bad-output"), ("nothing", 502, "bad-output"),
    ("status-99", 502, "bad-output"), ("status-600", 502, "bad-output"),
    ("status-text", 502, "bad-output"), ("injects", 502, "bad-output"),
    ("injects-name", 502, "bad-output"), ("not-base64", 502, "bad-output"),
    ("kv-list", 502, "bad-output"), ("kv-number", 502, "bad-output"),
    ("kv-huge", 502, "bad-output"), ("kv-long-key", 502, "bad-output"),
    ("exits-badly", 500, "exit"), ("traps", 500, "trap"), ("exits", 200, None),
])
def test_bad_answers(server, name, status, reason):
    answer = server.get(f"/{name}")
    assert (answer.status, answer.reason) == (status, reason)
    assert answer.header("set-cookie") is None
    if reason:
        assert answer.json["detail"]


@pytest.mark.parametrize("body", [
    b"text", "é".encode(), b"\xff\xfe\x00\x01", bytes(range(256)) * 300, b'{"a":"\\u0000"}'])
def test_any_body_survives_both_ways(server, body):
    answer = server.post("/mirror", body, headers={"content-type": "x/y"})
    assert (answer.status, answer.body) == (200, body)
    assert answer.header("content-type") == "x/y" and answer.header("x-method") == "POST"


def test_odd_headers_do_no_harm(server):
    with server.connect() as connection:
        connection.send(b"POST /mirror HTTP/1.1\r\nhost: x\r\ncontent-type: caf\xe9\r\n"
                        b"x-a: 1\r\nx-a: 2\r\ncontent-length: 2\r\n\r\nhi")
        answer = connection.receive()
    assert (answer.status, answer.body) == (200, b"hi")
    assert answer.header("content-type").encode("latin-1").decode() == "café"


@pytest.mark.parametrize(("target", "data"), [
    ("/show/7", {"id": "7"}), ("/articles/2/show", {"resource": "articles", "id": "2"}),
    ("/tail/a/b%20c", {"rest": "a/b c"}), ("/tail/", {"rest": ""}), ("/deep/x/y", {"slug": "x/y"}),
])
def test_routes_by_file_name(server, target, data):
    assert server.get(target).json == data


def test_an_index_is_its_folders(server):
    assert server.get("/").body == b'"root"' and server.get("/api").body == b'"api"'
    assert server.get("/show/me").body == b'"me"'
    for target in ("/index", "/api/index", "/tail", "/show/", "/show/%5Bid%5D/x"):
        assert server.get(target).status == 404, target


@pytest.mark.parametrize(("host", "word"), [
    ("api.example.com", "api"), ("API.example.com:8000", "api"), ("www.example.com", "wild"),
    ("a.b.example.com", "wild"), ("example.com", "any"), ("localhost", "any")])
def test_routes_by_host(server, host, word):
    assert server.get("/who", headers={"host": host}).json == word


def test_a_name_that_is_no_parameter_is_reported(folder, start):
    folder.put("[...a]/b", guests.nothing())
    folder.put("[]", guests.nothing())
    folder.put("[a]/x", guests.prints('"one"'))
    folder.put("[b]/x", guests.prints('"two"'))
    server = start()
    assert "takes all that is left" in server.problems()["[...a]/b.wasm"]
    assert "is no parameter" in server.problems()["[].wasm"]
    error = server.wait_state("[b]/x", "failed")["error"]
    assert "[a]/x.wasm" in error and "[b]/x.wasm" in error
    assert server.get("/1/x").body == b'"one"'


# The store.

@pytest.fixture
def notes(folder) -> Folder:
    built = build_examples()
    folder.put("notes/[key]", (built / "notes/[key].wasm").read_bytes(), WWS)
    return folder


@pytest.fixture
def kv_file(tmp_path) -> str:
    return str(tmp_path / "state" / "kv.sqlite")


def test_what_is_kept_is_there_after_a_kill(notes, start, kv_file):
    server = start("--kv-file", kv_file)
    assert server.get("/notes/milk").status == 404
    put = server.request("PUT", "/notes/milk", body="two litres")
    assert (put.status, put.body) == (201, b"kept\n")
    assert server.get("/notes/milk").body == b"two litres"
    server.kill()
    again = start("--kv-file", kv_file)
    assert again.get("/notes/milk").body == b"two litres"


def put_many(server: Server, keys: list[str]) -> None:
    with server.connect() as connection:
        for key in keys:
            answer = connection.request("PUT", f"/notes/{key}", body=key)
            assert answer.status == 201, answer


def test_concurrent_changes_keep_each_others_keys(notes, start, kv_file):
    server = start("--kv-file", kv_file, "--workers", "2")
    keys = [f"k{number}" for number in range(1000)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda at: put_many(server, keys[at::16]), range(16)))
    with server.connect() as connection:
        for key in keys:
            assert connection.request("GET", f"/notes/{key}").body == key.encode(), key


def test_two_processes_share_a_store(notes, start, kv_file):
    one, two = start("--kv-file", kv_file), start("--kv-file", kv_file)
    keys = [f"k{number}" for number in range(100)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(put_many, (one, two), (keys[::2], keys[1::2])))
    for server in (one, two):
        for key in keys:
            server.wait_body(f"/notes/{key}", key)


def test_stores_are_apart_unless_they_share_a_name(folder, start, kv_file):
    writes = guests.prints_json({"kv": {"k": "v"}})
    folder.put("one", writes, WWS)
    folder.put("two", guests.echoes_stdin(), 'contract = "wws"\n')
    folder.put("mine", writes, WWS + '[kv]\nnamespace = "ours"\n')
    server = start("--kv-file", kv_file)
    assert server.get("/one").status == 200 and server.get("/mine").status == 200
    # echoes_stdin answers with its own document: what it was given as kv is what it leaves.
    assert server.get("/two").status == 200
    import sqlite3
    with sqlite3.connect(kv_file) as database:
        assert sorted(database.execute("SELECT store, key, value FROM kv")) == [
            ("one", "k", "v"), ("ours", "k", "v")]


def test_a_store_that_cannot_be_opened_fails_its_functions_only(folder, start, tmp_path):
    folder.put("uses", guests.prints_json({"kv": {"k": "v"}}), WWS)
    folder.put("other", guests.prints('"other"'))
    (tmp_path / "file").write_text("x" * 5000)
    server = start("--kv-file", str(tmp_path / "file"))
    answer = server.get("/uses")
    assert (answer.status, answer.reason) == (500, "internal")
    server.stderr.wait_for("file is not a database")
    assert server.get("/other").body == b'"other"'


def test_the_default_file_is_the_users_and_of_this_source(folder, start, tmp_path):
    folder.put("uses", guests.prints_json({"kv": {"k": "v"}}), WWS)
    state = tmp_path / "state"
    server = start(env={"XDG_STATE_HOME": str(state)})
    assert server.get("/uses").status == 200
    files = list(state.glob("funcd/*/kv.sqlite"))
    assert len(files) == 1 and files[0].stat().st_mode & 0o777 == 0o600
    assert files[0].parent.stat().st_mode & 0o777 == 0o700


def test_a_store_is_bounded(folder, start, kv_file):
    folder.put("big", guests.prints_json({"kv": {"k": "v" * 2000}}), WWS)
    server = start("--kv-file", kv_file, "--kv-size", "1KiB")
    answer = server.get("/big")
    assert (answer.status, answer.reason) == (502, "bad-output")
    assert "2001 bytes, more than the 1024" in answer.json["detail"]
    assert json.loads(answer.body)["reason"] == "bad-output"
