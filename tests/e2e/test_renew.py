"""renew: instances of wasi:http 0.2 that answer again once they are as good as new."""

import subprocess

from funcd import guests
from funcd.binary import find_binary
from funcd.examples import component


def test_a_component_that_is_renewed(start, folder):
    for name in ("hello", "echo"):
        folder.put(name, component(name), "renew = true\n")
    server = start("--workers", "1")
    for name in ("hello", "echo"):
        server.wait_optimized(name)
    for number in range(50):
        body = f"{number}-" * (number * 100)
        assert server.get("/hello").body == b"hello"
        assert server.post("/echo", body).text == body
    done = subprocess.run([find_binary(), "check", folder / "hello.wasm"], capture_output=True, text=True)
    assert done.returncode == 0 and "instances are made as good as new" in done.stdout


def test_other_functions_are_refused_it(start, folder):
    folder.put("command", guests.nothing(), "renew = true\n")
    folder.put("third", component("http3/reuse"), "renew = true\n")
    server = start()
    for name, kind in (("command", "is a module"), ("third", "is a component of wasi:http 0.3")):
        error = server.wait_state(name, "failed")["error"]
        assert kind in error and f"remove renew from {name}.toml" in error
