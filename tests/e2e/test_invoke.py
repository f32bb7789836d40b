"""funcd invoke: what it sends to whom, and what it makes of the answer."""

import pytest

from funcd import guests
from funcd.binary import funcd


def says(word: str) -> bytes:
    return guests.prints(f'"{word}"')


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({
        "a": (says("a"), 'host = "a.example.com"\nroute = "/same"\n'),
        "c": (says("c"), 'route = "/same"\n'),
        "wild": (says("wild"), 'host = "*.example.com"\nroute = "/same"\n'),
        "hello": says("hello"),
        "hello@2": (says("canary"), '[canary]\nweight = "100%"\n'),
    })


def run(server, verb: str, *arguments: str):
    return funcd(verb, *arguments, "--admin", f"127.0.0.1:{server.admin_address[1]}")


def test_a_functions_host_is_sent(server):
    assert run(server, "invoke", "a").stdout.decode().strip() == '"a"'
    assert run(server, "invoke", "c").stdout.decode().strip() == '"c"'


def test_a_wildcard_needs_a_host(server):
    done = run(server, "invoke", "wild")
    assert done.returncode == 1 and done.stdout == b""
    assert "wild answers at *.example.com; name the host with --host" in done.stderr
    done = run(server, "invoke", "wild", "--host", "x.example.com")
    assert (done.returncode, done.stdout.decode().strip()) == (0, '"wild"')


@pytest.mark.parametrize("verb", ["list", "status"])
def test_a_host_is_shown(server, verb):
    lines = run(server, verb).stdout.decode().splitlines()
    assert any(" a.example.com/same " in line for line in lines), lines
    assert any(" *.example.com/same " in line for line in lines), lines
    assert server.functions()["a"]["host"] == "a.example.com"
    assert server.functions()["c"]["host"] is None


def test_a_canary_is_not_asked_by_name(server):
    done = run(server, "invoke", "hello@2")
    assert done.returncode == 1 and done.stdout == b""
    assert "hello@2 is a canary, and gets its share of the requests for hello" in done.stderr


def test_head_has_no_body(server):
    done = run(server, "invoke", "hello", "--method", "HEAD")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", "")
