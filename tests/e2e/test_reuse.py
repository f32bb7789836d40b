"""reuse: an instance of wasi:http 0.3 that answers one request after another."""

import concurrent.futures
import json
import subprocess

import pytest

from funcd.binary import find_binary
from funcd.examples import component
from funcd.waiting import wait_until

ROUTE = 'route = "/{name}/*"\n'
IDLE_OF_WORKER = 64


def sidecar(name: str, reuse: int, more: str = "") -> str:
    return ROUTE.format(name=name) + f"reuse = {reuse}\n" + more


@pytest.fixture(scope="module")
def server(serve_all):
    wasm = component("http3/reuse")
    names = {"five": 5, "many": 1000, "told": 1000, "once": 1, "left": 1000, "grows": 1000}
    functions = {name: (wasm, sidecar(name, reuse)) for name, reuse in names.items()}
    functions["fails"] = (wasm, sidecar("fails", 1000, '[limits]\ntimeout = "300ms"\n'))
    functions["passes"] = (component("http3/http3"), sidecar("passes", 1000))
    server = serve_all(functions, "--workers", "1")
    for name in functions:
        server.wait_optimized(name)
    return server


def counts(server, targets) -> list:
    return [int(server.get(target).header("x-count") or 0) for target in targets]


def test_an_instance_answers_as_many_requests_as_it_may(server):
    assert counts(server, ["/five/"] * 12) == [1, 2, 3, 4, 5] * 2 + [1, 2]
    assert server.metrics().sum("funcd_reused_total", function="five") == 9
    assert server.metrics().sum("funcd_instances_idle") >= 1


def test_it_is_off_by_default(server):
    assert counts(server, ["/once/"] * 3) == [1] * 3
    assert server.metrics().sum("funcd_reused_total", function="once") == 0


def test_what_the_guest_does_after_its_answer_belongs_to_it(server):
    first = counts(server, ["/many/"])[0]
    for number in range(first + 1, first + 9, 2):
        answer = server.get("/many/body")
        assert (answer.text, answer.header("x-count")) == (str(number), str(number))
        assert counts(server, ["/many/work"]) == [number + 1]
    assert server.request("HEAD", "/many/body").body == b""


def test_each_request_has_its_own_lines_of_the_log(server):
    for _ in range(3):
        server.get("/told/say")
    entries = server.admin("/v1/functions/told/logs").json["entries"][-3:]
    assert [entry["stderr"] for entry in entries] == ["1", "2", "3"]
    assert len({entry["invocation"] for entry in entries}) == 3


def test_a_failure_ends_the_instance_and_nothing_else(server):
    for target, reason in (("/fails/trap", "trap"), ("/fails/loop", "time-limit")):
        assert counts(server, ["/fails/"] * 2) == [1, 2]
        answer = server.get(target)
        assert answer.reason == reason
    # An error code is an answer.
    assert counts(server, ["/fails/", "/fails/refused", "/fails/"]) == [1, 0, 3]


def test_a_client_that_leaves_ends_the_instance(server):
    assert counts(server, ["/left/"] * 2) == [1, 2]
    with server.connect() as connection:
        connection.send("GET /left/loop HTTP/1.1\r\nhost: a\r\n\r\n")
        wait_until(lambda: server.metrics().sum("funcd_function_in_flight", function="left") == 1,
                   "it runs")
    wait_until(lambda: server.metrics().sum("funcd_function_in_flight", function="left") == 0,
               "it has ended")
    assert counts(server, ["/left/"]) == [1]


def test_memory_is_that_of_the_whole_instance(server):
    # 16 MiB each, of 128: the eighth is refused, and that instance answers no more.
    assert counts(server, ["/grows/grow"] * 10) == [1, 2, 3, 4, 5, 6, 7, 8, 1, 2]


@pytest.mark.parametrize("size", [0, 9, 65536, 3_000_000])
def test_a_body_is_handed_on_again_and_again(server, size):
    body = bytes(i % 251 for i in range(size))
    for _ in range(3):
        assert server.post("/passes/echo", body).body == body
        assert server.get("/passes/").status == 203


def test_a_body_that_is_not_read_harms_no_later_request(server):
    first = counts(server, ["/many/"])[0]
    for number in range(first + 1, first + 4):
        assert server.post("/many/", b"x" * 100_000).header("x-count") == str(number)


def test_many_clients_at_once(server):
    def ask(number):
        with server.connect() as connection:
            return [connection.request("GET", f"/many/{number}/body") for _ in range(20)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [answer for each in pool.map(ask, range(8)) for answer in each]
    assert len(answers) == 160
    assert all(answer.text == answer.header("x-count") for answer in answers)


def test_a_new_revision_begins_anew(start, folder):
    wasm = component("http3/reuse")
    folder.put("f", wasm, sidecar("f", 100))
    folder.put("g", wasm, sidecar("g", 100))
    server = start("--workers", "1")
    for name in ("f", "g"):
        server.wait_optimized(name)
    assert counts(server, ["/f/"] * 2 + ["/g/"] * 2) == [1, 2, 1, 2]
    folder.put("f", wasm, sidecar("f", 99))
    wait_until(lambda: server.functions()["f"]["reuse"] == 99, "the new sidecar is live")
    assert counts(server, ["/f/", "/f/", "/g/"]) == [1, 2, 3]
    folder.remove("f.wasm")
    wait_until(lambda: server.metrics().sum("funcd_instances_idle") == 1, "its instance is gone")
    assert counts(server, ["/g/"]) == [4]


def test_more_functions_than_instances_may_wait(start, folder):
    names = [f"f{number}" for number in range(IDLE_OF_WORKER + 16)]
    for name in names:
        folder.put(name, component("http3/reuse"), sidecar(name, 100))
    server = start("--workers", "1", "--instances", "16")
    server.wait_optimized(names[-1])
    for _ in range(2):
        assert all(server.get(f"/{name}/").status == 200 for name in names)
    assert server.metrics().sum("funcd_instances_idle") <= IDLE_OF_WORKER
    # Nor do they keep others from running.
    folder.put("plain", component("hello"))
    server.wait_body("/plain", "hello")


def test_they_wait_for_seconds_only(start, folder):
    folder.put("f", component("http3/reuse"), sidecar("f", 100))
    server = start("--workers", "1")
    server.wait_optimized("f")
    assert counts(server, ["/f/"] * 2) == [1, 2]
    assert server.metrics().sum("funcd_instances_idle") == 1
    wait_until(lambda: server.metrics().sum("funcd_instances_idle") == 0, "it is gone", 30)
    assert counts(server, ["/f/"]) == [1]


def test_other_functions_are_refused_it(start, folder):
    folder.put("old", component("hello"), "reuse = 10\n")
    server = start()
    error = server.wait_state("old", "failed")["error"]
    assert "wasi:http 0.2" in error and "wasi:http/handler@0.3" in error and "old.toml" in error
    done = subprocess.run([find_binary(), "check", folder / "old.wasm"], capture_output=True, text=True)
    assert done.returncode == 1 and "remove reuse from old.toml" in done.stdout
    folder.put("new", component("http3/reuse"), sidecar("new", 10))
    done = subprocess.run([find_binary(), "check", folder / "new.wasm"], capture_output=True, text=True)
    assert done.returncode == 0 and "one for up to 10 requests" in done.stdout
    done = subprocess.run([find_binary(), "check", "--json", folder / "new.wasm"],
                          capture_output=True, text=True)
    assert json.loads(done.stdout)["files"][0]["reuse"] == 10
