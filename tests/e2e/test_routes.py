"""From names and sidecars to URLs."""

import pytest

from funcd import guests


def says(word: str) -> bytes:
    return guests.prints(f'"{word}"')


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({
        "hello": says("hello"),
        "api/users": says("api/users"),
        "api/v2/deep/er": says("deep"),
        "With-Dash_9": says("dash"),
        "param": (guests.echoes_data(), 'route = "/users/{id}"\n'),
        "me": (says("me"), 'route = "/users/me"\n'),
        "rest": (guests.echoes_env(), 'route = "/files/*"\n'),
        "deeper": (says("deeper"), 'route = "/files/special/*"\n'),
        "exact": (says("exact"), 'route = "/files/special/one"\n'),
    }, files={
        ".hidden.wasm": says("hidden"), "sp ace.wasm": says("space"), "ünï.wasm": says("uni"),
        "semi;colon.wasm": says("semi"), "dot.ted.wasm": says("dot"), "notes.txt": "notes",
        "api/.git/x.wasm": says("git"), "lonely.toml": "", "data.json": "{}",
    })


@pytest.mark.parametrize(("target", "word"), [
    ("/hello", "hello"), ("/api/users", "api/users"), ("/api/v2/deep/er", "deep"),
    ("/With-Dash_9", "dash"), ("/users/me", "me"), ("/files/special/two", "deeper"),
    ("/files/special/one", "exact"), ("/%68ello", "hello"), ("/api/%75sers", "api/users"),
])
def test_route(server, target, word):
    answer = server.get(target)
    assert (answer.status, answer.body) == (200, f'"{word}"'.encode())


def test_a_parameter_takes_one_segment(server):
    assert server.get("/users/7").json == {"id": "7"}
    assert server.get("/users/7/8").status == 404
    assert server.get("/users/").status == 404
    assert server.get("/users").status == 404


def test_a_star_takes_the_rest(server):
    assert server.get("/files/a/b/c").status == 200
    variables = dict(each.split("=", 1) for each in server.get("/files/a/b%20c").json)
    assert variables["PATH_INFO"] == "/a/b c"


def test_a_route_replaces_the_name(server):
    assert server.get("/param").status == 404 and server.get("/me").status == 404


def test_what_is_not_served_is_reported_with_its_reason(server):
    problems = server.problems()
    for name in (".hidden.wasm", "sp ace.wasm", "ünï.wasm", "semi;colon.wasm", "dot.ted.wasm"):
        assert problems[name], name
    assert "lonely.toml" in problems
    assert "notes.txt" not in problems and "data.json" not in problems
    for target in ("/.hidden", "/sp%20ace", "/%C3%BCn%C3%AF", "/semi;colon", "/dot.ted", "/notes",
                   "/api/.git/x"):
        assert server.get(target).status == 404, target


def test_two_functions_on_one_route(folder, start):
    """The second is refused by name; neither the first nor the rest is harmed."""
    folder.put("one", says("one"), 'route = "/same"\n')
    folder.put("other", says("other"))
    server = start()
    folder.put("two", says("two"), 'route = "/same"\n')
    error = server.wait_state("two", "failed")["error"]
    assert "/same" in error and "one" in error
    assert server.get("/same").body == b'"one"' and server.get("/other").body == b'"other"'
    folder.remove("one.wasm")
    server.wait_body("/same", '"two"')
