"""The example functions in Rust, JavaScript and Python, as their toolchains make them."""

import json
import re
import tomllib

import pytest

from funcd.binary import funcd
from funcd.examples import build_examples, component, language, language_file
from funcd.streams import echoed_in_pieces

LANGUAGES = ("rust", "javascript", "python")
# Of a function in each language that fails: status, reason. JavaScript's runtime answers by itself.
FAILED = {"rust": (500, "trap"), "javascript": (500, None), "python": (500, "trap")}
ATE_TOO_MUCH = {"rust": (500, "memory-limit"), "javascript": (500, None),
                "python": (500, "memory-limit")}


@pytest.fixture(scope="module", params=LANGUAGES)
def served(request, serve_all):
    """A server with one language's component, and which it is."""
    name = f"{request.param}/http"
    server = serve_all({name: language(name)})
    server.wait_state(name, "live")
    return server, request.param


def test_hello(served):
    server, name = served
    answer = server.get(f"/{name}/hello")
    assert (answer.status, answer.body, answer.header("content-type")) == (200, b"hello", "text/plain")
    assert server.functions()[f"{name}/http"]["contract"] == "wasi-http"


def test_headers_and_status(served):
    server, name = served
    answer = server.get(f"/{name}/headers", headers={"X-Name": "ada"})
    assert (answer.status, answer.header("x-seen"), answer.body) == (203, "ada", b"seen")


@pytest.mark.parametrize("size", [0, 1, 65537, 1_000_000])
def test_bodies_are_echoed(served, size):
    server, name = served
    body = bytes(i % 251 for i in range(size))
    assert server.post(f"/{name}/echo", body).body == body


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_comes_back_before_its_end_is_sent(served, framing):
    server, name = served
    body = bytes(range(256)) * 1024
    with server.connect() as connection:
        assert echoed_in_pieces(connection, f"/{name}/echo", body, framing) == body


def test_an_error_is_told_and_logged(served):
    server, name = served
    answer = server.get(f"/{name}/fail")
    assert (answer.status, answer.reason) == FAILED[name]
    entry = server.admin(f"/v1/functions/{name}%2Fhttp/logs").json["entries"][-1]
    assert "this function fails" in entry["stderr"]
    assert (entry["status"], entry["reason"]) == FAILED[name]
    assert server.get(f"/{name}/hello").body == b"hello"


def test_a_loop_ends_at_its_limit(served):
    server, name = served
    answer = server.get(f"/{name}/loop")
    assert (answer.status, answer.reason) == (504, "time-limit")
    assert server.get(f"/{name}/hello").body == b"hello"


def test_memory_ends_at_its_limit(served):
    server, name = served
    answer = server.get(f"/{name}/eat")
    assert (answer.status, answer.reason) == ATE_TOO_MUCH[name]
    entry = server.admin(f"/v1/functions/{name}%2Fhttp/logs").json["entries"][-1]
    assert "memory" in entry["stderr"].lower()
    assert server.get(f"/{name}/hello").body == b"hello"


@pytest.fixture(scope="module")
def commands(serve_all):
    return serve_all({name: language(name) for name in ("rust/data", "rust/cgi", "rust/wws")})


def test_data_in_rust(commands):
    assert commands.get("/rust/data?count=3").json == {"item": "tea", "total": 7.5}
    seen = len(commands.stderr.lines)
    failed = commands.get("/rust/data?count=0")
    assert (failed.status, failed.json) == (400, {"detail": "Bad Request"})
    commands.stderr.wait_for("function=rust/data .*nothing is ordered", since=seen)


def test_cgi_in_rust(commands):
    answer = commands.post("/rust/cgi?a=1", "one\ntwo\n")
    assert (answer.status, answer.text, answer.header("x-query")) == (200, "1: one\n2: two\n", "a=1")
    refused = commands.get("/rust/cgi")
    assert (refused.status, refused.header("allow")) == (405, "POST")


def test_wws_in_rust(commands):
    assert commands.get("/rust/wws/ada").status == 404
    assert [commands.request("POST", "/rust/wws/ada").text for _ in range(3)] == [
        "ada: 1\n", "ada: 2\n", "ada: 3\n"]
    assert commands.get("/rust/wws/ada").text == "ada: 3\n"


def checked(path, cache) -> dict[str, dict]:
    """What `funcd check` says of each function in a folder."""
    done = funcd("check", "--json", "--cache-dir", cache, path)
    assert done.returncode == 0, done.stderr or done.stdout
    return {each["function"]: each for each in json.loads(done.stdout)["files"]}


def imported(file: dict) -> set[str]:
    return {each["module"] for each in file["imports"]}


def contract_of(sidecar) -> str:
    """What a sidecar names; the schema of a response names `data`."""
    table = tomllib.loads(sidecar.read_text()) if sidecar.exists() else {}
    return table.get("contract", "data" if "response" in table else "auto")


def test_check_of_each_command(tmp_path):
    folder = build_examples()
    files = checked(folder, tmp_path / "cache")
    assert {f"{path.relative_to(folder)}" for path in folder.rglob("*.wasm")} == {
        f"{name}.wasm" for name in files}
    for name, file in files.items():
        assert imported(file) == {"wasi_snapshot_preview1"}, name
        assert file["contract"] == contract_of(folder / f"{name}.toml"), name


def is_component_of(file: dict, versions: str) -> bool:
    exports = {each["name"] for each in file["exports"]}
    return (file["contract"] == "wasi-http" and file["is_served"]
            and any(re.fullmatch(rf"wasi:http/(incoming-)?handler@{versions}", name)
                    for name in exports)
            and any(name.startswith("wasi:http/types@") for name in imported(file))
            and all(re.fullmatch(rf"wasi:[a-z]+/[a-z-]+@{versions}", name)
                    for name in imported(file)))


@pytest.mark.parametrize("name", ["hello", "echo", "env"])
def test_check_of_each_component_in_c(tmp_path, name):
    (tmp_path / f"{name}.wasm").write_bytes(component(name))
    file = checked(tmp_path, tmp_path / "cache")[name]
    assert is_component_of(file, r"0\.2\.\d+"), file
    assert "wasi:http/types@0.2.0" in imported(file)


@pytest.mark.parametrize(("name", "handler"), [
    ("rust", "0.2.12"), ("javascript", "0.2.10"), ("python", "0.2.10")])
def test_check_of_each_language(tmp_path, name, handler):
    file = checked(language_file(f"{name}/http").parent, tmp_path / "cache")
    assert is_component_of(file["http"], r"0\.2\.\d+"), file["http"]
    assert f"wasi:http/incoming-handler@{handler}" in {
        each["name"] for each in file["http"]["exports"]}
    for contract in ("data", "cgi", "wws") if name == "rust" else ():
        assert file[contract]["contract"] == contract
        assert imported(file[contract]) == {"wasi_snapshot_preview1"}


def test_check_tells_which_versions_are_served(tmp_path):
    # As tools of another time would have built it: names in a component carry their length.
    (tmp_path / "old.wasm").write_bytes(component("hello").replace(b"@0.2.0", b"@0.1.0"))
    done = funcd("check", tmp_path / "old.wasm", "--cache-dir", tmp_path / "cache")
    said = done.stdout.decode() + done.stderr
    assert done.returncode == 1 and "@0.1.0" in said
    assert "served are" in said and "0.2.0 to 0.2.12 and 0.3.0" in said and "build it with" in said
