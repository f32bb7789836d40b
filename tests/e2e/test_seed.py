"""What the README promises: the article's program, and the other examples, over real HTTP."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from funcd.binary import ROOT
from funcd.examples import copy_examples
from funcd.folder import Folder
from funcd.server import Server

AS_IN_THE_ARTICLE = b'{"name":"zztkm","age":20,"description":"This is a description"}'
SEED_CONFIG = (ROOT / "examples" / "seed" / "funcd.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = Folder(tmp_path_factory.mktemp("examples") / "functions")
    copy_examples(folder.path)
    return folder


@pytest.fixture(scope="module")
def server(examples):
    server = Server(examples, config=SEED_CONFIG).wait_ready()
    yield server
    server.stop()


def test_the_article_s_line(server):
    answer = server.get("/gojson")
    assert (answer.status, answer.body) == (200, AS_IN_THE_ARTICLE)
    assert answer.header("content-type") == "application/json"


def test_the_article_s_line_with_a_query(server):
    answer = server.get("/gojson?name=ada&age=36")
    assert answer.body == b'{"name":"ada","age":36,"description":"This is a description"}'


def test_unknown_function_is_a_bad_request_as_in_the_article(server):
    answer = server.get("/nobody")
    assert (answer.status, answer.body) == (400, b'{"detail":"Bad Request"}')
    assert answer.reason == "not-found"


def test_many_at_once_do_not_mix(server):
    def ask(number):
        answer = server.get(f"/gojson?name=n{number}&age={number}")
        return answer.json == {"name": f"n{number}", "age": number,
                               "description": "This is a description"}

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))


def test_every_example_is_live(server, examples):
    functions = server.functions()
    files = {path.relative_to(examples.path).with_suffix("").as_posix()
             for path in examples.path.rglob("*.wasm")}
    assert len(files) >= 8 and set(functions) == files
    assert {name: f["error"] for name, f in functions.items() if f["state"] != "live"} == {}
    assert server.problems() == {}


@pytest.mark.parametrize(("target", "expected"), [
    ("/hello", None),
    ("/cjson?name=ada&age=36",
     {"name": "ada", "age": 36, "description": "This is a description"}),
    ("/users/7", {"id": "7", "url": "/users/7"}),
    ("/greet?name=ada", {"greeting": "good morning, ada"}),
    ("/sleeper", None),
])
def test_examples_in_json(server, target, expected):
    answer = server.get(target)
    assert answer.status == 200 and answer.header("content-type") == "application/json"
    if expected is not None:
        assert answer.json == expected
    else:
        assert isinstance(answer.json, dict)


def test_a_json_body_is_data_itself(server):
    answer = server.post("/api/sum", "[1,2,3.5]", headers={"content-type": "application/json"})
    assert answer.status == 200 and "6.5" in answer.text, answer.body


def test_a_cgi_program(server):
    answer = server.get("/cgi/some/path?q=<1>")
    assert answer.status == 200 and answer.header("content-type") == "text/html; charset=utf-8"
    assert "<th>REQUEST_METHOD<td>GET" in answer.text


def test_a_mounted_folder(server, examples):
    motto = (examples / "data/motto.txt").read_text(encoding="utf-8").strip()
    answer = server.get("/files")
    assert answer.status == 200 and motto.splitlines()[0] in answer.text


def test_a_second_start_takes_compiled_code_from_disk(examples):
    first = Server(examples, config=SEED_CONFIG).wait_ready()
    for name in first.functions():
        first.wait_optimized(name)
    first.stop()
    second = Server(examples, config=SEED_CONFIG).wait_ready()
    try:
        assert all(function["from_cache"] for function in second.functions().values())
        assert json.loads(second.get("/gojson").body)["age"] == 20
    finally:
        second.stop()
