"""What a function's invocations left to read: the admin address and funcd logs."""

import json
import select
import subprocess

import pytest

from funcd import guests, hostile
from funcd.binary import find_binary, funcd
from funcd.waiting import wait_until


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({
        "quiet": guests.prints("{}"),
        "chatty": guests.prints("{}", err=b"one\ntwo \x1b[2J\n"),
        "api/trap": hostile.traps(),
    })


def logs(server, name, query=""):
    answer = server.admin(f"/v1/functions/{name}/logs{query}")
    assert answer.status == 200, answer.text
    return answer.json


def cli(server, *arguments):
    return funcd("logs", *arguments, "--admin", "{}:{}".format(*server.admin_address))


def test_a_quiet_function_leaves_nothing(server):
    assert server.get("/quiet").status == 200
    assert logs(server, "quiet") == {"function": "quiet", "last_number": 0, "entries": []}


def test_stderr_is_kept_with_the_invocation(server):
    before = logs(server, "chatty")["last_number"]
    assert server.get("/chatty").status == 200
    [entry] = logs(server, "chatty", f"?after={before}")["entries"]
    assert entry["stderr"] == "one\ntwo \x1b[2J\n" and entry["status"] == 200
    assert entry["reason"] is None and entry["number"] == before + 1
    wait_until(lambda: entry["invocation"] in server.stderr.text, "the line in the log")


def test_a_failure_is_kept_with_its_reason_and_trace(server):
    answer = server.get("/api/trap")
    entry = logs(server, "api/trap")["entries"][-1]
    assert entry["reason"] == "trap" and entry["status"] == 500 and entry["detail"]
    assert entry["invocation"] == answer.json["invocation"]
    assert "0x" in entry["trace"] or "at" in entry["trace"]
    assert logs(server, "api%2Ftrap")["entries"][-1] == entry


def test_limit_takes_the_newest(server):
    for _ in range(3):
        server.get("/chatty")
    page = logs(server, "chatty", "?limit=2")
    assert [each["number"] for each in page["entries"]] == [page["last_number"] - 1,
                                                            page["last_number"]]


@pytest.mark.parametrize("query", ["?limit=x", "?after=-1", "?lines=3", "?limit=%zz"])
def test_a_wrong_query_is_told(server, query):
    answer = server.admin(f"/v1/functions/chatty/logs{query}")
    assert answer.status == 400 and answer.json["reason"] == "bad-request"


def test_the_command_shows_them(server):
    server.get("/chatty")
    done = cli(server, "chatty", "-n", "1")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and len(lines) == 3
    assert " 200" in lines[0] and lines[1] == "  | one" and lines[2] == "  | two \\x1b[2J"


def test_the_command_prints_json_lines(server):
    server.get("/api/trap")
    done = cli(server, "api/trap", "--json", "-n", "1")
    assert json.loads(done.stdout)["reason"] == "trap"


def test_an_unknown_function(server):
    done = cli(server, "nobody")
    assert done.returncode == 1 and "no function 'nobody'" in done.stderr


def test_follow_goes_on(server):
    server.get("/chatty")
    command = [find_binary(), "logs", "chatty", "-f", "--json", "-n", "0",
               "--admin", "{}:{}".format(*server.admin_address)]
    seen = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            # Until the command has begun to follow, what comes is not shown.
            def follows():
                server.get("/chatty")
                return process.poll() is None and seen_line(process, seen)
            wait_until(follows, "an entry is shown", 20)
        finally:
            process.kill()
    assert seen[0]["stderr"].startswith("one")


def seen_line(process, seen):
    ready, _, _ = select.select([process.stdout], [], [], 0.2)
    if ready:
        seen.append(json.loads(process.stdout.readline()))
    return bool(seen)
