"""The admin address: what is live, and why."""

import json
import re

import pytest

from funcd import client, guests, hostile
from funcd.binary import funcd
from funcd.waiting import wait_until


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({
        "hello": guests.prints('{"a":1}'),
        "api/users": (guests.echoes_data(), 'route = "/users/{id}"\nmethods = ["GET", "PUT"]\n'),
        "named": (guests.prints('{"a":1}'), 'contract = "data"\n[env]\nTOKEN = "hush"\n'),
        "trap": hostile.traps(),
        "broken": hostile.truncated(),
    }, files={"Bad Name.wasm": guests.prints("{}")})


def test_health(server):
    answer = server.admin("/healthz")
    assert answer.status == 200 and answer.json == {"status": "ok"}
    assert server.admin("/readyz").json == {"status": "ready"}
    assert server.admin("/healthz", "HEAD").status == 200


def test_functions_are_listed_by_name(server):
    names = [each["name"] for each in server.admin("/v1/functions").json["functions"]]
    assert names == ["api/users", "broken", "hello", "named", "trap"]


def test_a_live_function(server):
    function = server.functions()["api/users"]
    assert function["state"] == "live" and function["route"] == "/users/{id}"
    assert function["methods"] == ["GET", "PUT"] and function["error"] is None
    assert re.fullmatch(r"[0-9a-f]{64}", function["digest"])
    assert function["artifact_bytes"] == len(guests.echoes_data())
    assert server.functions()["named"]["contract"] == "data"
    assert function["limits"]["timeout_ms"] == 10_000
    assert function["limits"]["memory_bytes"] == 128 << 20


def test_a_broken_function(server):
    function = server.functions()["broken"]
    assert function["state"] == "failed" and function["digest"] is None
    assert function["error"].startswith("broken.wasm: ")


def test_what_is_not_served_is_reported(server):
    [(path, message)] = server.problems().items()
    assert path == "Bad Name.wasm" and message


def test_details_of_one(server):
    detail = server.admin("/v1/functions/api/users").json
    assert detail["name"] == "api/users" and detail["invocations"]["count"] >= 0
    assert server.admin("/v1/functions/api%2Fusers").json["name"] == "api/users"


def test_secrets_do_not_show(server):
    for target in ("/v1/functions", "/v1/functions/named", "/v1/status", "/metrics"):
        assert "hush" not in server.admin(target).text
    assert server.admin("/v1/functions/named").json["env"] == ["TOKEN"]


def test_status(server):
    status = server.admin("/v1/status").json
    version = funcd("--version").stdout.decode().split()[-1]
    assert status["version"] == version and status["pid"] == server.process.pid
    assert status["functions"] == {"live": 4, "stale": 0, "failed": 1, "building": 0}
    assert status["listen"].endswith(f":{server.address[1]}")
    assert status["rss_bytes"] > 1 << 20 and status["is_draining"] is False


def test_metrics_count_requests_and_errors(server):
    def counted(page):
        return (page.sum("funcd_requests_total", function="hello"),
                page.sum("funcd_errors_total", function="trap", reason="trap"),
                page.sum("funcd_request_duration_seconds_count", function="hello"))

    before = counted(server.metrics())
    for _ in range(7):
        assert server.get("/hello").status == 200
    for _ in range(3):
        assert server.get("/trap").status == 500
    expected = (before[0] + 7, before[1] + 3, before[2] + 7)
    wait_until(lambda: counted(server.metrics()) == expected, f"metrics count {expected}")


def test_metrics_name_every_function_and_the_process(server):
    page = server.metrics()
    assert server.admin("/metrics").header("content-type").startswith("text/plain; version=0.0.4")
    for name in ("hello", "api/users", "named", "trap"):
        assert page.families_with(function=name), name
    assert page.sum("process_resident_memory_bytes") > 1 << 20
    assert page.sum("funcd_functions", state="failed") == 1
    assert all(page.helps.get(family) for family in page.kinds)


def test_histogram_is_cumulative(server):
    server.get("/hello")
    buckets = [(float(dict(s.labels)["le"]), s.value) for s in server.metrics().samples
               if s.name == "funcd_request_duration_seconds_bucket" and s.has(function="hello")]
    assert buckets == sorted(buckets) and buckets[-1][0] == float("inf")
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)


def test_every_path_of_the_description_answers(server):
    document = server.admin("/openapi.json").json
    assert document["openapi"].startswith("3.")
    for path, operations in document["paths"].items():
        for method in operations:
            answer = server.admin(path.replace("{name}", "hello"), method=method.upper())
            assert answer.status == 200, (method, path)


@pytest.mark.parametrize("target", ["/nothing", "/v1/functions/nobody", "/v1/functions/", "/hello"])
def test_unknown(server, target):
    answer = server.admin(target)
    assert answer.status == 404 and answer.json["reason"] == "not-found"


def test_the_admin_address_is_read_only(server):
    for method in ("POST", "PUT", "DELETE"):
        answer = server.admin("/v1/functions", method)
        assert answer.status == 405 and "GET" in answer.header("allow")


def test_admin_paths_are_not_served_on_the_public_address(server):
    for target in ("/healthz", "/metrics", "/v1/functions"):
        assert server.get(target).status == 404


def test_admin_can_be_off(folder, start):
    folder.put("hello", guests.prints("{}"))
    server = start(admin=False)
    server.wait_body("/hello", "{}")
    assert "admin on" not in server.stdout.text


def test_the_access_log_can_be_turned_on(folder, start):
    folder.put("hello", guests.prints('{"a":1}'))
    quiet = start()
    assert quiet.get("/hello?x=1").status == 200
    server = start("--access-log", "--log-format", "json")
    seen = len(server.stderr.lines)
    assert client.request(server.address, "GET", "/hello?x=1").status == 200
    line = server.stderr.wait_for('"event": ?"request"', since=seen).string
    entry = json.loads(line)
    assert "200" in json.dumps(entry) and "GET" in json.dumps(entry)
    assert not any("x=1" in each for each in quiet.stderr.lines)


def test_one_log_line_for_each_event_in_json(folder, start):
    folder.put("hello", guests.prints("{}"))
    folder.put("broken", hostile.truncated())
    server = start("--log-format", "json")
    for name in ("hello", "broken"):
        server.stderr.wait_for(f'"function": ?"{name}"')
    entries = [json.loads(line) for line in server.stderr.lines]
    for name in ("hello", "broken"):
        assert sum(entry.get("function") == name for entry in entries) == 1
