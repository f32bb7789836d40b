"""200 new versions of a function under load, every other one truncated: no request fails."""

import pytest

from funcd import guests
from funcd.load import Checkers, Wrk
from funcd.waiting import wait_until

SWAPS = 200


def version(number: int) -> bytes:
    return guests.prints(f'{{"v":{number}}}')


def judge(response, memory):
    """Every answer is a good version, and none is older than the one before it."""
    assert response.status == 200, f"{response.status} {response.body!r}"
    number = response.json["v"]
    assert number % 2 == 0, f"version {number} was never whole"
    assert number >= memory.get("v", 0), f"{number} after {memory['v']}"
    memory["v"] = number


def served(server) -> float:
    return server.metrics().sum("funcd_requests_total", function="hello")


@pytest.mark.parametrize("how", ["copy", "put_file"])
@pytest.mark.parametrize("pace", ["each-seen", "at-once"])
def test_no_request_fails(folder, start, how, pace):
    folder.put("hello", version(0))
    folder.put("bystander", guests.prints('{"v":1000}'))
    server = start()
    put = getattr(folder, how)
    with (Wrk(server.address, "/hello") as wrk, Checkers(server.address, "/hello", judge) as hello,
          Checkers(server.address, "/bystander", judge, threads=1) as bystander):
        wait_until(lambda: bystander.count and served(server) > 500, "load is there")
        for number in range(1, SWAPS + 1):
            whole = version(number)
            is_good = number % 2 == 0
            put("hello.wasm", whole if is_good else whole[: len(whole) * 2 // 3])
            if pace == "each-seen" and is_good:
                server.wait_body("/hello", f'{{"v":{number}}}')
                server.wait_state("hello", "live")
            elif pace == "each-seen":
                server.wait_state("hello", "stale")
        server.wait_body("/hello", f'{{"v":{SWAPS}}}')
        seen, checked = served(server), hello.count
        wait_until(lambda: served(server) > seen + 500 and hello.count > checked + 10, "load goes on")
    assert hello.failures == [] and bystander.failures == []
    assert wrk.failed == 0, wrk.output
    if wrk.is_there:
        assert wrk.requests > 500, wrk.output
    server.wait_state("hello", "live")


def test_the_last_good_version_stays_when_the_last_one_is_bad(folder, start):
    folder.put("hello", version(0))
    server = start()
    with Checkers(server.address, "/hello", judge) as hello:
        for number in (2, 4, 6):
            folder.copy("hello.wasm", version(number))
            server.wait_body("/hello", f'{{"v":{number}}}')
        folder.copy("hello.wasm", version(7)[:50])
        server.wait_state("hello", "stale")
        assert server.get("/hello").json == {"v": 6}
    assert hello.failures == [] and hello.count > 0
