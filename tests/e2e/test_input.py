"""DATA: defaults, query, path parameters and body, in this order of precedence."""

import json

import pytest

from funcd import guests

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
TYPED = """[input]
name = "zztkm"
age = 20
ratio = 1.5
on = true
tags = ["a"]
where = { city = "kobe" }
"""
REQUEST_SCHEMA = json.dumps({
    "type": "object", "required": ["name"],
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer"},
                   "ratio": {"type": "number"}, "on": {"type": "boolean"}}})


@pytest.fixture(scope="module")
def server(serve_all):
    echo = guests.echoes_data()
    return serve_all({
        "echo": echo,
        "typed": (echo, TYPED),
        "user": (echo, 'route = "/users/{id}"\n[input]\nid = "none"\nage = 1\n'),
        "two": (echo, 'route = "/a/{first}/b/{second}"\n'),
        "checked": (echo, '[request]\nschema = "request.schema.json"\n'),
        "stdin": guests.echoes_stdin(),
        "env": (guests.echoes_env(), '[env]\nGREETING = "hello"\nEMPTY = ""\n'),
        "args": guests.echoes_args(),
    }, files={"request.schema.json": REQUEST_SCHEMA}, env={"SECRET_OF_THE_HOST": "hunter2"})


def data(server, target, body=None, headers=None):
    method = "GET" if body is None else "POST"
    answer = server.request(method, target, body=body, headers=headers)
    assert answer.status == 200, answer.body
    return answer.json


@pytest.mark.parametrize(("target", "expected"), [
    ("/echo", {}),
    ("/echo?", {}),
    ("/echo?a=1", {"a": "1"}),
    ("/echo?a=1&b=two", {"a": "1", "b": "two"}),
    ("/echo?a=1&a=2", {"a": ["1", "2"]}),
    ("/echo?a=1&b=0&a=2&a=3", {"a": ["1", "2", "3"], "b": "0"}),
    ("/echo?a=", {"a": ""}),
    ("/echo?a", {"a": ""}),
    ("/echo?a=b=c", {"a": "b=c"}),
    ("/echo?a+b=c+d", {"a b": "c d"}),
    ("/echo?a=%20%2B%26%3D%23", {"a": " +&=#"}),
    ("/echo?a=%22%5C%0A", {"a": "\"\\\n"}),
    ("/echo?%E3%82%BC=%F0%9F%98%84", {"ゼ": "😄"}),
    ("/echo?a=1&&b=2&", {"a": "1", "b": "2"}),
    ("/echo?a=?", {"a": "?"}),
])
def test_query(server, target, expected):
    assert data(server, target) == expected


@pytest.mark.parametrize(("query", "key", "expected"), [
    ("", "age", 20),
    ("?age=36", "age", 36),
    ("?age=-1", "age", -1),
    ("?age=123456789012345678901234567890", "age", 123456789012345678901234567890),
    ("?ratio=2.25", "ratio", 2.25),
    ("?ratio=2", "ratio", 2),
    ("?on=false", "on", False),
    ("?on=true", "on", True),
    ("?name=36", "name", "36"),
    ("?name=true", "name", "true"),
    ("?other=36", "other", "36"),
])
def test_a_value_takes_the_type_of_the_default_it_replaces(server, query, key, expected):
    whole = data(server, f"/typed{query}")
    assert whole[key] == expected and type(whole[key]) is type(expected)
    defaults = {"name": "zztkm", "age": 20, "ratio": 1.5, "on": True, "tags": ["a"],
                "where": {"city": "kobe"}}
    assert {k: v for k, v in whole.items() if k != key} == {
        k: v for k, v in defaults.items() if k != key}


def test_path_parameters(server):
    assert data(server, "/users/7") == {"id": "7", "age": 1}
    assert data(server, "/users/a%20b%2Fc") == {"id": "a b/c", "age": 1}
    assert data(server, "/a/x/b/y") == {"first": "x", "second": "y"}


def test_a_later_source_wins(server):
    assert data(server, "/users/7?id=8&age=2") == {"id": "7", "age": 2}
    assert data(server, "/users/7?age=2", '{"age":3}', JSON) == {"id": "7", "age": 3}
    assert data(server, "/users/7", '{"id":"body"}', JSON) == {"id": "body", "age": 1}
    assert data(server, "/users/7?age=2", "age=4&x=y", FORM) == {"id": "7", "age": 4, "x": "y"}


@pytest.mark.parametrize("document", [
    '{"a":1}', '{"a":{"b":[1,2.50,null,true]}}', '{"a":123456789012345678901234567890}',
    '{"a":"\\u30bc 😄"}', "{}",
])
def test_a_json_object_is_merged(server, document):
    assert data(server, "/echo?q=1", document, JSON) == {"q": "1"} | json.loads(document)
    assert data(server, "/typed", document, JSON)["name"] == "zztkm"


@pytest.mark.parametrize("document", ["[1,2,3.5]", '"text"', "42", "null", "true", "[]"])
def test_a_json_body_that_is_no_object_is_data_itself(server, document):
    assert data(server, "/typed?age=1", document, JSON) == json.loads(document)


@pytest.mark.parametrize("content_type", [
    "application/json; charset=utf-8", "Application/JSON", "application/problem+json"])
def test_kinds_of_json(server, content_type):
    assert data(server, "/echo", '{"a":1}', {"content-type": content_type}) == {"a": 1}


def test_form(server):
    form = "a=1&b=c+d&b=%F0%9F%98%84"
    assert data(server, "/echo", form, FORM) == {"a": "1", "b": ["c d", "😄"]}
    assert data(server, "/typed", "age=7&on=false", FORM)["age"] == 7


@pytest.mark.parametrize("body", [
    '{"a":', "{'a':1}", '{"a":1}{"b":2}', "nonsense", b'{"a":"\xff"}', b"\xef\xbb\xbf{}",
    '{"a":NaN}', '{"a":01}',
])
def test_a_body_that_is_no_json(server, body):
    answer = server.post("/echo", body, headers=JSON)
    assert (answer.status, answer.reason) == (400, "bad-request")
    assert answer.json["reason"] == "bad-request" and answer.json["detail"]


@pytest.mark.parametrize(("target", "body", "word"), [
    ("/checked", None, "name"),
    ("/checked?name=", None, "name"),
    ("/checked?name=a&age=x", None, "age"),
    ("/checked", '{"name":5}', "name"),
    ("/checked", "[]", ""),
])
def test_data_that_does_not_fit_the_request_schema(server, target, body, word):
    answer = server.request("GET" if body is None else "POST", target, body=body,
                            headers=JSON if body else None)
    assert (answer.status, answer.reason) == (422, "bad-input"), answer.body
    assert word in answer.json["detail"]


def test_a_value_takes_the_type_of_the_request_schema(server):
    assert data(server, "/checked?name=1&age=36&ratio=0.5&on=true") == {
        "name": "1", "age": 36, "ratio": 0.5, "on": True}


def test_stdin_is_the_body(server):
    assert data(server, "/stdin", '{"a": [1, 2]}', JSON) == {"a": [1, 2]}
    big = json.dumps({"text": "x" * 1_000_000})
    assert server.post("/stdin", big, headers=JSON).body == big.encode()


def environment(server, target, **options):
    return dict(each.split("=", 1) for each in server.request("GET", target, **options).json)


def test_variables_of_the_sidecar(server):
    env = environment(server, "/env")
    assert env["GREETING"] == "hello" and env["EMPTY"] == ""


def test_variables_of_the_request(server):
    env = environment(server, "/env?a=1&b=%20", headers={"x-who": "ada", "cookie": "k=v"})
    assert env["REQUEST_METHOD"] == "GET" and env["QUERY_STRING"] == "a=1&b=%20"
    assert env["SCRIPT_NAME"] == "/env" and env["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert env["GATEWAY_INTERFACE"] == "CGI/1.1" and env["REMOTE_ADDR"] == "127.0.0.1"
    assert env["HTTP_X_WHO"] == "ada" and env["HTTP_COOKIE"] == "k=v"
    assert env["http_method"] == "GET"


def test_the_host_s_environment_stays_with_the_host(server):
    assert not {"SECRET_OF_THE_HOST", "PATH", "HOME", "PWD"} & set(environment(server, "/env"))


def test_a_proxy_field_sets_no_http_proxy(server):
    env = environment(server, "/env", headers={"proxy": "http://evil.example"})
    assert "HTTP_PROXY" not in env


def test_arguments(server):
    arguments = server.get("/args?x=1").json
    assert len(arguments) == 1 and arguments[0]


def test_no_instance_sees_another(serve_all):
    counter = guests.module("""
      (i32.store8 (i32.const 1029) (i32.add (i32.load8_u (i32.const 1029)) (i32.const 1)))
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (if (i32.ne (global.get $n) (i32.const 1)) (then unreachable))
      (call $write (i32.const 1) (i32.const 1024) (i32.const 7))""",
                            b'{"n":0}', extra="(global $n (mut i32) (i32.const 0))")
    server = serve_all({"counter": counter})
    with server.connect() as connection:
        for _ in range(300):
            assert connection.request("GET", "/counter").body == b'{"n":1}'
