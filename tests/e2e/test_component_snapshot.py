"""Components that start from what a warm-up request has left."""

import json

import pytest

from funcd.binary import funcd
from funcd.examples import component, language
from funcd.waiting import wait_until

WARM = "[snapshot]\nwarm = true\n"


def sidecar(path, more=""):
    return f'route = "/{{name}}/*"\n{WARM}{more}[smoke]\npath = "{path}"\n'.replace(
        "{name}", path.split("/")[1])


def snapshot_of(server, name):
    return server.admin(f"/v1/functions/{name}").json["snapshot"]


@pytest.fixture(scope="module")
def server(serve_all):
    counter = component("counter")
    return serve_all({
        "warm": (counter, sidecar("/warm/ready")),
        "plain": (counter, 'route = "/plain/*"\n'),
        "drawn": (counter, sidecar("/drawn/ready?/random")),
        "timed": (counter, sidecar("/timed/begin")),
        "keeps": (counter, sidecar("/keeps/keeps")),
        "shows": (counter, sidecar("/shows/count")),
        "traps": (counter, 'route = "/traps/*"\n' + WARM + '[smoke]\npath = "/traps/traps"\n'
                           "expect_status = 500\n"),
    })


def test_it_is_used_and_tells_what_was_asked_for(server):
    assert snapshot_of(server, "warm") == {"used": True, "reason": None, "asked_for": []}
    assert snapshot_of(server, "drawn")["asked_for"] == ["random"]


def test_each_request_meets_a_fresh_instance_of_it(server):
    assert [server.get("/plain/count").text for _ in range(3)] == ["1"] * 3
    assert [server.get("/warm/count").text for _ in range(5)] == ["2"] * 5


def test_an_answer_holds_nothing_of_the_warm_up(server):
    assert server.get("/warm/ready").text == "ready"
    assert server.get("/warm/other").text == "ready"


def test_what_was_drawn_before_is_the_same_in_each_instance(server):
    assert len({server.get("/drawn/random").text for _ in range(4)}) == 1
    assert len({server.get("/warm/random").text for _ in range(4)}) == 4


def test_the_clock_goes_on_beyond_the_build(server):
    assert snapshot_of(server, "timed")["asked_for"] == ["clock"]
    assert int(server.get("/plain/later").text) < 1e9
    assert 1e9 < int(server.get("/timed/later").text) < 20e9


@pytest.mark.parametrize("name, why", [
    ("keeps", "handle"), ("shows", "answers GET /shows/count otherwise"),
    ("traps", "warm-up request")])
def test_what_has_none_starts_plainly(server, name, why):
    said = snapshot_of(server, name)
    assert not said["used"] and why in said["reason"], said
    assert server.get(f"/{name}/count").text == "1"


def test_a_trap_ends_one_request(server):
    assert server.get("/warm/traps").status == 500
    assert server.get("/warm/count").text == "2"


def test_it_is_kept_in_the_cache(folder, start):
    folder.put("warm", component("counter"), sidecar("/warm/ready"))
    first = start()
    assert not first.admin("/v1/functions/warm").json["from_cache"]
    first.kill()
    again = start().admin("/v1/functions/warm").json
    assert again["from_cache"] and again["snapshot"]["used"]


def test_another_warm_up_request_is_another_snapshot(folder, start):
    folder.put("warm", component("counter"), sidecar("/warm/ready"))
    server = start()
    assert snapshot_of(server, "warm")["used"]
    folder.put_file("warm.toml", sidecar("/warm/keeps"))
    wait_until(lambda: not snapshot_of(server, "warm")["used"], "the other snapshot")


def test_snapshot_and_check_of_a_file(tmp_path):
    (tmp_path / "f.wasm").write_bytes(component("counter"))
    done = funcd("snapshot", "--json", "--path", "/random", tmp_path / "f.wasm",
                 "-o", tmp_path / "out.wasm")
    said = json.loads(done.stdout)
    assert said["snapshot"]["us_per_instance"] > 0 and said["asked_for"] == ["random"]
    done = funcd("check", tmp_path / "out.wasm")
    assert done.returncode == 0 and "funcd:asked" not in done.stdout.decode()
    done = funcd("snapshot", "--path", "/keeps", tmp_path / "f.wasm")
    assert done.returncode == 1 and "handle" in done.stderr


def warmed(serve_all, name):
    wasm, config = language(f"{name}/http")
    server = serve_all({f"{name}/http": (wasm, config + WARM)})
    server.wait_state(f"{name}/http", "live")
    return server


def test_python_starts_from_its_first_request(serve_all):
    server = warmed(serve_all, "python")
    said = snapshot_of(server, "python/http")
    assert said["used"], said
    for _ in range(3):
        answer = server.get("/python/hello")
        assert (answer.status, answer.body) == (200, b"hello")
    body = bytes(i % 251 for i in range(100_000))
    assert server.post("/python/echo", body).body == body
    answer = server.get("/python/headers", headers={"X-Name": "ada"})
    assert (answer.status, answer.header("x-seen"), answer.body) == (203, "ada", b"seen")
    assert server.get("/python/fail").status == 500
    assert server.get("/python/hello").body == b"hello"


def test_a_runtime_that_answers_one_request_starts_plainly(serve_all):
    server = warmed(serve_all, "javascript")
    said = snapshot_of(server, "javascript/http")
    assert not said["used"] and "handles" in said["reason"], said
    assert [server.get("/javascript/hello").body for _ in range(2)] == [b"hello"] * 2


def test_a_path_that_no_client_sends_is_wrong_usage():
    for path in ("nopath", "/with space", "http://a/"):
        done = funcd("snapshot", "--path", path, "any.wasm")
        assert done.returncode == 2 and "--path" in done.stderr
