"""[smoke]: a revision answers its request before anybody else can ask it."""

import time

from funcd import guests, hostile
from funcd.binary import funcd
from funcd.waiting import wait_until


def version(number: int) -> bytes:
    return guests.prints(f'{{"v":{number}}}')


SMOKE = '[smoke]\npath = "/hello"\n'


def test_what_passes_goes_live(folder, server):
    folder.put("hello", version(1), SMOKE)
    server.wait_body("/hello", '{"v":1}')
    folder.put("hello", version(2))
    server.wait_body("/hello", '{"v":2}')
    page = server.metrics()
    live = page.sum("funcd_requests_total", function="hello")
    assert server.get("/hello").status == 200
    assert server.metrics().sum("funcd_requests_total", function="hello") <= live + 1


def test_what_fails_leaves_the_old_one(folder, server):
    folder.put("hello", version(1), SMOKE)
    server.wait_body("/hello", '{"v":1}')
    folder.put("hello", hostile.traps())
    error = server.wait_state("hello", "stale")["error"]
    assert error.startswith("hello.wasm: its smoke request GET /hello was answered with 500: "), error
    assert error.endswith("expected status 200") and "trap" in error
    assert server.get("/hello").body == b'{"v":1}'
    assert server.metrics().sum("funcd_errors_total", function="hello", reason="trap") == 0
    folder.put("hello", version(3))
    server.wait_body("/hello", '{"v":3}')


def test_a_status_that_is_expected(folder, server):
    folder.put("hello", hostile.traps(), SMOKE + "expect_status = 500\n")
    server.wait_state("hello", "live")
    assert server.get("/hello").status == 500


def test_a_path_that_is_not_its_own(folder, server):
    folder.put("hello", version(1), '[smoke]\npath = "/other"\n')
    error = server.wait_state("hello", "failed")["error"]
    assert "does not meet its route /hello" in error


def test_a_route_with_parameters_and_a_host(folder, server):
    folder.put("hello", guests.echoes_data(),
               'route = "/users/{id}"\nhost = "*.example.com"\n[smoke]\npath = "/users/7?a=1"\n')
    server.wait_state("hello", "live")


def test_one_that_never_ends(folder, server):
    folder.put("hello", hostile.loops(), SMOKE + '[limits]\ntimeout = "200ms"\n')
    error = server.wait_state("hello", "failed")["error"]
    assert "was answered with 504" in error, error


def test_the_same_file_again_is_tried_again(folder, start):
    folder.put("hello", version(1), '[smoke]\npath = "/hello"\nexpect_status = 201\n')
    server = start()
    failed = server.wait_state("hello", "failed")
    folder.put("hello", version(1))
    folder.put_file("hello.toml", SMOKE)
    server.wait_body("/hello", '{"v":1}')
    assert failed["error"]


def test_a_store_is_there(folder, server):
    folder.put("hello", guests.prints('{"data":"hi","status":200}'), 'contract = "wws"\n' + SMOKE)
    server.wait_body("/hello", "hi")


def test_one_that_takes_long_delays_nobody_else(folder, server):
    folder.put("slow", guests.sleeps(5, "{}"), '[smoke]\npath = "/slow"\n')
    began = time.monotonic()
    wait_until(lambda: "slow" in server.functions(), "it is seen")
    folder.put("hello", version(1))
    server.wait_body("/hello", '{"v":1}')
    folder.put("other", version(2), '[smoke]\npath = "/other"\n')
    server.wait_body("/other", '{"v":2}')
    assert time.monotonic() - began < 4
    assert server.functions()["slow"]["state"] == "building"
    server.wait_state("slow", "live")
    assert time.monotonic() - began >= 5


def test_a_newer_one_does_not_wait_for_it(folder, server):
    folder.put("hello", version(1), SMOKE)
    server.wait_body("/hello", '{"v":1}')
    folder.put("hello", guests.sleeps(9, "{}"))
    server.wait_state("hello", "building")
    began = time.monotonic()
    folder.put("hello", version(2))
    server.wait_body("/hello", '{"v":2}')
    assert time.monotonic() - began < 4


def test_the_server_ends_meanwhile(folder, server):
    folder.put("hello", guests.sleeps(9, "{}"), SMOKE)
    server.wait_state("hello", "building")
    server.terminate()
    assert server.wait_exit(seconds=4) == 0
    server.may_die = True


def test_check_asks_too(folder, tmp_path):
    folder.put("hello", version(1), SMOKE + "expect_status = 201\n")
    folder.put("other", version(1), '[smoke]\npath = "/other"\n')
    words = "its smoke request GET /hello was answered with 200"
    flags = ["--cache-dir", tmp_path / "cache"]
    for arguments in (["check", folder.path / "hello.wasm"], ["check", folder.path],
                      ["serve", folder.path, "--check"]):
        done = funcd(*arguments, *flags)
        assert done.returncode == 1 and words in done.stdout.decode(), done
    done = funcd("check", folder.path / "other.wasm", *flags)
    assert done.returncode == 0 and "smoke     GET /other: status 200" in done.stdout.decode(), done
