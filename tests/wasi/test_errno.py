"""Every preview 1 function, called with good and bad arguments: as Wasmtime, bit for bit.

In the server's own host functions (no folder is mounted), under `funcd run` and under `serve`.
"""

import pytest

from funcd.binary import funcd
from oracle import run_oracle
from probes import PROBES, SIGNATURES, program

STDIN = b"0123456789abcdefghij"
ARGS = ["probe.wasm", "x y"]
ENV = {"A": "1", "B": "two"}
BY_NAME = {probe.name: probe for probe in PROBES}
# Under `serve` arguments and environment are those of the request; a closed stdout answers nothing.
SERVED = [name for name, probe in BY_NAME.items()
          if not probe.function.startswith(("args_", "environ_")) and name != "fd_close-1"]


def expected_of(name: str):
    return run_oracle(program(BY_NAME[name]), args=ARGS, env=ENV, stdin=STDIN)


@pytest.mark.parametrize("name", BY_NAME)
def test_run(name, tmp_path):
    (tmp_path / "probe.wasm").write_bytes(program(BY_NAME[name]))
    done = funcd("run", tmp_path / "probe.wasm", "--env", "A=1", "--env", "B=two", "--", "x y",
                 stdin=STDIN)
    expected = expected_of(name)
    how = "trap" if done.returncode == 134 else f"exit {done.returncode}"
    assert (how, done.stdout) == (expected.how, expected.out), done.stderr


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({name: program(BY_NAME[name]) for name in SERVED})


@pytest.mark.parametrize("name", SERVED)
def test_serve(name, server):
    answer = server.post(f"/{name}", STDIN, headers={"content-type": "text/plain"})
    expected = expected_of(name)
    if expected.how == "trap":
        assert (answer.status, answer.reason) == (500, "trap"), answer.body
    else:
        assert (answer.status, answer.body) == (200, expected.out)


def test_every_function_has_a_probe():
    assert {probe.function for probe in PROBES} == set(SIGNATURES)
