"""Functions that are not called leave memory, and are there when they are called again."""

import random
import threading

from funcd import client, guests
from funcd.examples import component
from funcd.waiting import wait_until

SOON = "100ms"


def name_of(number: int) -> str:
    return f"f{number}"


def answer_of(number: int) -> str:
    return f'{{"f":{number}}}'


def put_many(folder, count: int) -> None:
    for number in range(count):
        folder.put(name_of(number), guests.prints(answer_of(number)))


def loaded(server) -> set[str]:
    return {name for name, each in server.functions().items() if each["is_loaded"]}


def wait_loaded(server, names: set[str]) -> None:
    wait_until(lambda: loaded(server) == names, f"in memory are {sorted(names)}")


def programs(server) -> dict:
    return server.admin("/v1/status").json["programs"]


def put_one_of_each_kind(folder) -> dict[str, str]:
    """A command, a reactor with its snapshot, a component: what each answers."""
    folder.put("command", guests.prints(answer_of(1)))
    body = "(call $write (i32.const 1) (i32.const 1024) (i32.const 7))"
    reactor = guests.module(body, b'{"f":2}', start="handle", extra='(func (export "_initialize"))')
    folder.put("reactor", reactor)
    folder.put("component", component("hello"))
    return {"command": answer_of(1), "reactor": answer_of(2)}


def test_what_is_not_called_leaves_memory_and_comes_back(folder, start):
    answers = put_one_of_each_kind(folder)
    server = start("--unload-after", SOON)
    for name in ("command", "reactor", "component"):
        server.wait_optimized(name)
    assert server.functions()["reactor"]["snapshot"]["used"] is True
    answers["component"] = server.get("/component").text
    for times in range(1, 4):
        wait_loaded(server, set())
        for name, answer in answers.items():
            response = server.get(f"/{name}")
            assert response.status == 200 and response.text == answer, response
        assert server.functions()["reactor"]["snapshot"]["used"] is True
        assert server.admin("/v1/functions/command").json["invocations"]["count"] == times
    counts = programs(server)
    assert counts["unloads"] >= 9 and counts["loads"] >= 9
    metrics = server.metrics()
    assert metrics.sum("funcd_program_unloads_total") >= 9
    assert metrics.sum("funcd_program_loads_total") >= 9


def test_what_was_live_begins_out_of_memory(folder, start):
    put_many(folder, 20)
    first = start()
    for number in range(20):
        first.wait_optimized(name_of(number))
    first.stop()
    second = start()
    assert loaded(second) == set()
    functions = second.functions()
    assert all(each["state"] == "live" and each["from_cache"] for each in functions.values())
    assert second.get("/f7").text == answer_of(7)
    assert loaded(second) == {"f7"}


def test_off_keeps_all_in_memory(folder, start):
    put_many(folder, 3)
    first = start()
    for number in range(3):
        first.wait_optimized(name_of(number))
    first.stop()
    second = start("--unload-after", "off")
    assert loaded(second) == {"f0", "f1", "f2"}


def test_no_request_fails_while_functions_come_and_go(folder, start):
    count, threads_max, unloads_wanted = 40, 6, 500
    put_many(folder, count)
    server = start("--unload-after", "1ms", "--workers", "2")
    for number in range(count):
        server.wait_optimized(name_of(number))
    failures: list[str] = []
    answered = [0] * threads_max
    stop = threading.Event()

    def ask(thread: int) -> None:
        picks = random.Random(thread)
        try:
            with client.Connection(server.address) as connection:
                while not stop.is_set():
                    number = picks.randrange(count)
                    response = connection.request("GET", f"/{name_of(number)}")
                    assert response.status == 200, f"{response.status} {response.body!r}"
                    assert response.text == answer_of(number), response.text
                    answered[thread] += 1
        except BaseException as failure:
            failures.append(repr(failure))

    threads = [threading.Thread(target=ask, args=(thread,)) for thread in range(threads_max)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: failures or programs(server)["unloads"] >= unloads_wanted,
                   f"{unloads_wanted} programs have left memory", 120)
        # And while they are replaced.
        for number in range(0, count, 4):
            folder.put(name_of(number), guests.prints(answer_of(number), err=b"new"))
            server.wait_optimized(name_of(number))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert all(answered)


def test_what_is_replaced_out_of_memory_is_the_new_one(folder, start):
    folder.put("hello", guests.prints(answer_of(1)))
    server = start("--unload-after", SOON)
    server.wait_optimized("hello")
    wait_loaded(server, set())
    folder.put("hello", guests.prints(answer_of(2)))
    server.wait_body("/hello", answer_of(2))
    wait_loaded(server, set())  # its code is in the cache by then
    folder.put("hello", b"no module")
    server.wait_state("hello", "stale")
    assert server.get("/hello").text == answer_of(2)
    wait_loaded(server, set())
    assert server.get("/hello").text == answer_of(2)


def test_what_is_replaced_while_the_server_is_down_is_the_new_one(folder, start):
    folder.put("hello", guests.prints(answer_of(1)))
    first = start()
    first.wait_optimized("hello")
    first.stop()
    folder.put("hello", guests.prints(answer_of(2)))
    second = start()
    assert second.get("/hello").text == answer_of(2)


def test_code_that_the_cache_has_lost_is_compiled_again(folder, start):
    folder.put("hello", guests.prints(answer_of(1)))
    server = start("--unload-after", SOON)
    server.wait_optimized("hello")
    wait_loaded(server, set())
    for file in server.cache.glob("*.cwasm"):
        file.unlink()
    assert server.get("/hello").text == answer_of(1)
    server.stderr.wait_for("cache.lost function=hello")
    server.wait_optimized("hello")
    wait_loaded(server, set())
    assert server.get("/hello").text == answer_of(1)


def test_code_that_is_damaged_is_compiled_again(folder, start):
    folder.put("hello", guests.prints(answer_of(1)))
    server = start("--unload-after", SOON)
    server.wait_optimized("hello")
    for times in range(2):
        wait_loaded(server, set())
        (file,) = server.cache.glob("*.cwasm")
        code = bytearray(file.read_bytes())
        code[len(code) // 2] ^= 0xFF
        file.write_bytes(code)
        assert server.get("/hello").text == answer_of(1), times
        server.wait_optimized("hello")
    server.stderr.wait_for("cache.damaged.*its content does not have its hash")


def test_killed_at_any_time_it_comes_back_whole(folder, start):
    count = 30
    put_many(folder, count)
    for times in range(6):
        server = start("--unload-after", "20ms", ready=False)
        picks = random.Random(times)
        if times > 0:
            wait_until(lambda: server.admin("/readyz").status == 200, "/readyz is 200")
        for _ in range(times * 10):
            number = picks.randrange(count)
            assert server.get(f"/{name_of(number)}").text == answer_of(number)
        if times % 2:
            server.wait_optimized(name_of(0))
        server.kill()
    last = start("--unload-after", "20ms")
    for number in range(count):
        assert last.get(f"/{name_of(number)}").text == answer_of(number)


def test_a_smoke_request_is_not_asked_for_again_at_a_restart(folder, start):
    """What went live stays live, whoever is away by then; what is new is asked."""
    smoke = '[smoke]\npath = "/hello"\nexpect_status = 200\n'
    folder.put("hello", guests.prints(answer_of(1)), smoke)
    first = start()
    first.wait_optimized("hello")
    asked = first.admin("/v1/functions/hello").json
    first.stop()
    second = start()
    assert loaded(second) == set()  # nobody has run it
    assert second.functions()["hello"]["digest"] == asked["digest"]
    folder.put("hello", guests.prints("", exit_code=3), smoke)
    second.wait_state("hello", "stale")
    assert second.get("/hello").text == answer_of(1)
