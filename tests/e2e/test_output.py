"""What a function prints, as a response: schema, failure and the two styles of errors."""

import json

import pytest

from funcd import guests, hostile

ITEM = '{"name":"n","age":20,"description":"d"}'
SCHEMA = json.dumps({
    "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"},
                   "description": {"type": "string"}},
    "required": ["name", "age", "description"]})
BAD_REQUEST = b'{"detail":"Bad Request"}'

FUNCTIONS = {
    "item": guests.prints(ITEM),
    "extra": guests.prints(ITEM.replace("}", ',"extra":1}')),
    "twenty": guests.prints(ITEM.replace("20", '"20"')),
    "missing": guests.prints('{"name":"n"}'),
    "wrong": guests.prints(ITEM.replace("20", '"x"')),
    "text": guests.prints("hello, world\n"),
    "silent": guests.nothing(),
    "exit3": guests.prints("", err=b"no luck\n", exit_code=3),
    "exit3-after": guests.prints(ITEM, exit_code=3),
    "trap": hostile.traps(),
    "trap-after": guests.prints(ITEM, trap=True),
    "endless": (hostile.prints_forever(1), '[limits]\nresponse_body = "64KiB"\n'),
}


@pytest.fixture(scope="module")
def plain(serve_all):
    """No sidecar names a contract: `auto`."""
    return serve_all(FUNCTIONS)


@pytest.fixture(scope="module")
def strict(serve_all):
    """The same functions under the article's schema: the data contract."""
    def sidecar(function):
        own = function[1] if isinstance(function, tuple) else ""
        wasm = function[0] if isinstance(function, tuple) else function
        return wasm, own + '[response]\nschema = "item.schema.json"\n'

    return serve_all({name: sidecar(f) for name, f in FUNCTIONS.items()},
                     files={"item.schema.json": SCHEMA})


@pytest.fixture(scope="module")
def named(serve_all):
    """The data contract by name, without a schema."""
    def sidecar(function):
        own = function[1] if isinstance(function, tuple) else ""
        wasm = function[0] if isinstance(function, tuple) else function
        return wasm, 'contract = "data"\n' + own

    return serve_all({name: sidecar(f) for name, f in FUNCTIONS.items()})


def test_json_is_the_body(plain, named):
    for server in (plain, named):
        answer = server.get("/item")
        assert (answer.status, answer.body) == (200, ITEM.encode())
        assert answer.header("content-type") == "application/json"
        assert answer.reason is None


def test_schema_drops_and_converts(strict):
    assert strict.get("/item").json == json.loads(ITEM)
    assert strict.get("/extra").json == json.loads(ITEM)
    assert strict.get("/twenty").json == json.loads(ITEM)


@pytest.mark.parametrize(("name", "reason"), [
    ("missing", "bad-output"), ("wrong", "bad-output"), ("text", "bad-output"),
    ("silent", "bad-output"), ("exit3", "exit"), ("trap", "trap"), ("trap-after", "trap"),
    ("endless", "output-too-large"),
])
def test_seed_semantics(strict, name, reason):
    answer = strict.get(f"/{name}")
    assert (answer.status, answer.body) == (400, BAD_REQUEST)
    assert answer.reason == reason


def test_seed_semantics_by_name(named):
    for name, reason in {"text": "bad-output", "trap": "trap", "silent": "bad-output"}.items():
        answer = named.get(f"/{name}")
        assert (answer.status, answer.body, answer.reason) == (400, BAD_REQUEST, reason)


def test_exit_is_no_failure_when_there_is_output(plain, strict, named):
    for server in (plain, strict, named):
        answer = server.get("/exit3-after")
        assert (answer.status, answer.json) == (200, json.loads(ITEM)), answer.body


@pytest.mark.parametrize(("name", "status", "reason"), [
    ("exit3", 500, "exit"), ("trap", 500, "trap"), ("trap-after", 500, "trap"),
    ("endless", 502, "output-too-large"), ("nobody", 404, "not-found"),
])
def test_precise_errors(plain, name, status, reason):
    answer = plain.get(f"/{name}")
    assert (answer.status, answer.reason) == (status, reason), answer.body
    assert answer.header("content-type") == "application/json"
    assert set(answer.json) == {"detail", "reason", "invocation"}
    assert answer.json["reason"] == reason and answer.json["detail"]


def test_text_under_auto_is_text(plain):
    answer = plain.get("/text")
    assert (answer.status, answer.body) == (200, b"hello, world\n")
    assert answer.header("content-type").startswith("text/plain")


def test_the_log_tells_the_reason_under_the_invocation_s_id(plain):
    seen = len(plain.stderr.lines)
    invocation = plain.get("/trap").json["invocation"]
    line = plain.stderr.wait_for(str(invocation), since=seen).string
    assert "trap" in line and "unreachable" in line.lower()


def test_the_log_holds_what_stderr_got(plain):
    seen = len(plain.stderr.lines)
    plain.get("/exit3")
    plain.stderr.wait_for("no luck", since=seen)


def test_a_guest_cannot_forge_log_lines(serve_all):
    forged = b"x\n2026-01-01T00:00:00.000Z error planted function=evil\n\x1b[31mred\n"
    server = serve_all({"evil": guests.prints("", err=forged, exit_code=1)})
    server.get("/evil")
    server.stderr.wait_for("planted")
    lines = server.stderr.lines
    assert not any(line.startswith("2026-01-01T00:00:00.000Z") for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_bad_request_style_for_everything(serve_all):
    server = serve_all({"trap": hostile.traps(), "item": guests.prints(ITEM)},
                       config='errors = "bad-request"\n')
    assert server.get("/item").status == 200
    for target, reason in {"/trap": "trap", "/nobody": "not-found", "/": "not-found"}.items():
        answer = server.get(target)
        assert (answer.status, answer.body, answer.reason) == (400, BAD_REQUEST, reason)
