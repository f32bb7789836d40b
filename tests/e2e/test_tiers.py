"""Baseline code at once, optimized code in its place, and a compiler that is held in bounds."""

from pathlib import Path

import pytest

from funcd import guests, hostile
from funcd.waiting import wait_until

HELLO = '{"hello":"world"}'


def test_optimized_code_takes_the_place_of_baseline_code(folder, start):
    folder.put("hello", guests.prints(HELLO))
    server = start()
    first = server.functions()["hello"]
    server.wait_optimized("hello")
    assert server.stderr.wait_for("function.published.* code=baseline")
    assert server.stderr.wait_for("function.optimized")
    now = server.functions()["hello"]
    assert now["digest"] == first["digest"] and now["published_at"] == first["published_at"]
    assert server.get("/hello").text == HELLO


def test_both_give_the_same_answer(folder, start):
    folder.put("echo", guests.echoes_data())
    server = start()
    answers = {server.get("/echo?a=1&b=two").text}
    server.wait_optimized("echo")
    answers.add(server.get("/echo?a=1&b=two").text)
    assert answers == {'{"a":"1","b":"two"}'}


def test_baseline_can_be_off(folder, start):
    folder.put("hello", guests.prints(HELLO))
    server = start(config="[compile]\nbaseline = false\n")
    assert server.functions()["hello"]["code"] == "optimized"
    assert server.get("/hello").text == HELLO
    assert "code=baseline" not in server.stderr.text


def test_what_the_compiler_cannot_do_in_time_stays_baseline(folder, start):
    folder.put("slow", hostile.slow_to_compile(2000))
    folder.put("hello", guests.prints(HELLO))
    server = start(config='[compile]\ntimeout = "1ms"\n')
    server.stderr.wait_for("function.unoptimized .*function=slow.*compile.timeout")
    assert server.get("/slow").text == '{"slow":"compiled"}'
    assert server.functions()["slow"]["state"] == "live"


def test_without_baseline_a_compiler_out_of_bounds_is_an_error(folder, start):
    folder.put("slow", hostile.slow_to_compile(2000))
    server = start(config='[compile]\ntimeout = "1ms"\nbaseline = false\n')
    function = server.wait_state("slow", "failed")
    assert "compile.timeout" in function["error"] and function["error"].startswith("slow.wasm: ")


def test_one_compiler_holds_up_nobody_else(folder, start):
    """What takes the compiler long is under way; what comes then is live at once."""
    folder.put("slow", hostile.slow_to_compile(6000))
    server = start()
    wait_until(lambda: server.functions()["slow"]["code"] == "baseline", "slow runs")
    folder.put("hello", guests.prints(HELLO))
    server.wait_body("/hello", HELLO)
    assert server.functions()["slow"]["code"] == "baseline", "still being optimized"
    server.wait_optimized("slow")


def test_broken_modules_are_told_with_and_without_baseline(folder, start):
    folder.put("broken", hostile.bad_body())
    one = start()
    two = start(config="[compile]\nbaseline = false\n")
    errors = [server.wait_state("broken", "failed")["error"] for server in (one, two)]
    assert errors[0] == errors[1]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_no_compiler_outlives_the_server(folder, start, how):
    folder.put("slow", hostile.slow_to_compile(8000))
    server = start()
    compilers = wait_until(lambda: children_of(server.process.pid), "a compiler runs")
    server.stop() if how == "stop" else server.kill()
    server.may_die = True
    wait_until(lambda: not any(is_running(pid) for pid in compilers), "the compiler is gone")


def children_of(pid):
    found = []
    for task in (Path("/proc") / str(pid) / "task").iterdir():
        found += (task / "children").read_text().split()
    return found


def is_running(pid):
    try:
        return (Path("/proc") / pid / "stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
