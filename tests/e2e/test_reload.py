"""The folder is the deployment: every way of putting a file there."""

import os
import shutil

import pytest

from funcd import guests, hostile
from funcd.client import format_request
from funcd.folder import Folder
from funcd.waiting import wait_until

ECHO = guests.echoes_data()


def version(number: int) -> bytes:
    return guests.prints(f'{{"v":{number}}}')


def body(number: int) -> str:
    return f'{{"v":{number}}}'


def wait_gone(server, name: str) -> None:
    wait_until(lambda: server.get(f"/{name}").status == 404, f"{name} is gone")
    assert name not in server.functions()


@pytest.mark.parametrize("how", ["copy", "put_file"])
def test_a_new_file_and_a_newer_one(folder, server, how):
    for number in range(1, 6):
        getattr(folder, how)("hello.wasm", version(number))
        server.wait_body("/hello", body(number))
    server.wait_state("hello", "live")


def test_what_lay_there_at_the_start(folder, start):
    folder.put("hello", version(1))
    folder.put("api/users", version(2))
    server = start()
    assert server.get("/hello").body == body(1).encode()
    assert server.get("/api/users").body == body(2).encode()


def test_a_file_written_in_pieces(folder, server):
    """A download or a slow copy: the file is whole only when its writer closes it."""
    folder.put("hello", version(1))
    server.wait_body("/hello", body(1))
    for number in (2, 3):
        whole = version(number)
        with open(folder / "hello.wasm", "wb") as file:
            for at in range(0, len(whole), len(whole) // 7):
                file.write(whole[at:at + len(whole) // 7])
                file.flush()
                os.fsync(file.fileno())
                assert server.get("/hello").body == body(number - 1).encode()
        server.wait_body("/hello", body(number))
    assert server.wait_state("hello", "live")["error"] is None


def test_a_first_file_written_in_pieces(folder, server):
    whole = version(1)
    with open(folder / "hello.wasm", "wb") as file:
        for at in range(0, len(whole), 100):
            file.write(whole[at:at + 100])
            file.flush()
            assert server.get("/hello").status in (404, 503)
    server.wait_body("/hello", body(1))


def test_deleted_and_added_again(folder, server):
    for number in (1, 2, 3):
        folder.put("hello", version(number))
        server.wait_body("/hello", body(number))
        folder.remove("hello.wasm")
        wait_gone(server, "hello")


def test_subfolders(folder, server):
    folder.put("a/b/c/deep", version(1))
    server.wait_body("/a/b/c/deep", body(1))
    folder.put("a/b/c/deep", version(2))
    server.wait_body("/a/b/c/deep", body(2))
    folder.put("a/b/c/other", version(3))
    server.wait_body("/a/b/c/other", body(3))
    folder.remove("a")
    wait_gone(server, "a/b/c/deep")
    wait_gone(server, "a/b/c/other")
    folder.put("a/b/c/deep", version(4))
    server.wait_body("/a/b/c/deep", body(4))


def test_a_folder_moved_in_around_and_out(folder, server, tmp_path):
    built = Folder(tmp_path / "built")
    for name in ("one", "sub/two", "sub/sub/three"):
        built.put(name, guests.prints(f'"{name}"'))
    os.rename(built.path, folder / "release")
    server.wait_body("/release/one", '"one"')
    server.wait_body("/release/sub/sub/three", '"sub/sub/three"')
    os.rename(folder / "release", folder / "current")
    server.wait_body("/current/sub/two", '"sub/two"')
    wait_gone(server, "release/one")
    os.rename(folder / "current", tmp_path / "old")
    wait_gone(server, "current/sub/two")


def test_a_sidecar_s_change_is_a_change(folder, server):
    folder.put("hello", ECHO)
    server.wait_body("/hello", "{}")
    folder.put_file("hello.toml", "[input]\na = 1\n")
    wait_until(lambda: server.get("/hello").json == {"a": 1}, "the default is there")
    folder.copy("hello.toml", b"route = '/moved'\n[input]\na = 2\n")
    wait_until(lambda: server.get("/moved").status == 200, "the route is there")
    assert server.get("/moved").json == {"a": 2} and server.get("/hello").status == 404
    folder.remove("hello.toml")
    server.wait_body("/hello", "{}")
    assert server.get("/moved").status == 404


def test_a_schema_s_change_is_a_change(folder, server):
    folder.put_file("out.json", '{"type":"object","properties":{"a":{"type":"integer"}}}')
    folder.put("hello", guests.prints('{"a":1,"b":2}'), '[response]\nschema = "out.json"\n')
    server.wait_body("/hello", '{"a":1}')
    folder.put_file("out.json", '{"type":"object","properties":{"b":{"type":"integer"}}}')
    server.wait_body("/hello", '{"b":2}')


def test_a_schema_that_comes_last(folder, server):
    """Files arrive in any order; the last one makes the function whole."""
    folder.put("hello", guests.prints('{"a":1,"b":2}'), '[response]\nschema = "out.json"\n')
    assert "out.json" in server.wait_state("hello", "failed")["error"]
    folder.put_file("out.json", '{"type":"object","properties":{"a":{"type":"integer"}}}')
    server.wait_body("/hello", '{"a":1}')


@pytest.mark.parametrize("bad", ["truncated", "bad_section", "imports_unknown", "lacks_start"])
@pytest.mark.parametrize("how", ["copy", "put_file"])
def test_a_bad_file_leaves_the_old_revision_live(folder, server, bad, how):
    folder.put("hello", version(1))
    folder.put("other", version(9))
    server.wait_body("/hello", body(1))
    server.wait_body("/other", body(9))
    live = server.wait_state("hello", "live")
    seen = len(server.stderr.lines)
    getattr(folder, how)("hello.wasm", getattr(hostile, bad)())
    stale = server.wait_state("hello", "stale")
    assert stale["digest"] == live["digest"] and stale["error"]
    assert "hello" in server.stderr.wait_for("hello", since=seen).string
    for target, number in {"/hello": 1, "/other": 9}.items():
        assert server.get(target).body == body(number).encode()
    getattr(folder, how)("hello.wasm", version(2))
    server.wait_body("/hello", body(2))
    assert server.wait_state("hello", "live")["error"] is None


def test_a_request_in_flight_ends_on_the_revision_it_began_with(folder, server):
    folder.put("slow", guests.sleeps(0.8, '{"v":1}'))
    server.wait_state("slow", "live")
    with server.connect() as connection:
        connection.send(format_request("GET", "/slow"))
        wait_until(lambda: server.functions()["slow"]["in_flight"] == 1, "it runs")
        old = server.functions()["slow"]["digest"]
        folder.put("slow", version(2))
        wait_until(lambda: server.functions()["slow"]["digest"] != old, "it is replaced", 0.7)
        assert server.get("/slow").body == body(2).encode()
        assert connection.receive().body == b'{"v":1}'
        assert connection.request("GET", "/slow").body == b'{"v":2}'


def test_a_request_in_flight_outlives_its_file(folder, server):
    folder.put("slow", guests.sleeps(0.8, '{"v":1}'))
    server.wait_state("slow", "live")
    with server.connect() as connection:
        connection.send(format_request("GET", "/slow"))
        wait_until(lambda: server.functions()["slow"]["in_flight"] == 1, "it runs")
        folder.remove("slow.wasm")
        wait_gone(server, "slow")
        assert connection.receive().body == b'{"v":1}'


def test_quick_successions_end_with_the_last(folder, server):
    for number in range(1, 151):
        (folder.copy if number % 2 else folder.put_file)("hello.wasm", version(number))
    server.wait_body("/hello", body(150))
    assert server.wait_state("hello", "live")["error"] is None


def test_a_thousand_files_at_once(folder, server, tmp_path):
    many = Folder(tmp_path / "many")
    for number in range(1000):
        many.put(f"f{number}", version(number))
    shutil.copytree(many.path, folder / "many")
    wait_until(lambda: server.admin("/v1/status").json["functions"]["live"] == 1000,
               "a thousand are live", seconds=90)
    with server.connect() as connection:
        for number in range(0, 1000, 7):
            assert connection.request("GET", f"/many/f{number}").body == body(number).encode()
    folder.remove("many")
    wait_until(lambda: server.functions() == {}, "all are gone")
    wait_until(lambda: server.get("/many/f1").status == 404, "nor are they served")


def test_an_untouched_function_keeps_its_revision(folder, server):
    folder.put("a", version(1))
    folder.put("b", version(2))
    server.wait_body("/b", body(2))
    server.wait_body("/a", body(1))
    before = server.wait_state("a", "live")
    folder.put("b", version(3))
    server.wait_body("/b", body(3))
    os.utime(folder / "a.wasm")
    folder.put("c", version(4))
    server.wait_body("/c", body(4))
    assert server.functions()["a"]["published_at"] == before["published_at"]


def test_the_counters_of_a_function_outlive_its_revisions(folder, server):
    for number in (1, 2, 3):
        folder.put("hello", version(number))
        server.wait_body("/hello", body(number))
    counted = server.metrics().sum("funcd_requests_total", function="hello")
    assert counted >= 3


def test_a_request_waits_for_a_first_build(folder, start):
    """A server that has just started knows the name, and not yet the code."""
    folder.put("slow", hostile.slow_to_compile(600))
    server = start(ready=False)
    assert server.functions().get("slow", {"state": "building"})["state"] == "building"
    answer = server.get("/slow")
    assert (answer.status, answer.body) == (200, b'{"slow":"compiled"}')
