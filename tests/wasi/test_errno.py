"""Every preview 1 function, called with good and bad arguments: as Wasmtime, bit for bit.

In the server's own host functions (no folder is mounted), under `funcd run` and under `serve`.
"""

import pytest

from errnos import ERRNO_OF_OURS
from funcd.binary import funcd
from oracle import Ended, run_oracle
from probes import PROBES, SIGNATURES, program

STDIN = b"0123456789abcdefghij"
BY_NAME = {probe.name: probe for probe in PROBES}
# Under `serve` arguments and environment are those of the request; a closed stdout answers nothing.
SERVED = [name for name, probe in BY_NAME.items()
          if not probe.function.startswith(("args_", "environ_")) and name != "fd_close-1"]


def expected_of(name: str) -> Ended:
    return run_oracle(program(BY_NAME[name]), args=["probe.wasm", "x y"],
                      env={"A": "1", "B": "two"}, stdin=STDIN)


def check(name: str, how: str, out: bytes, said: object) -> None:
    expected = expected_of(name)
    if name not in ERRNO_OF_OURS:
        assert (how, out) == (expected.how, expected.out), said
        return
    assert (how, out) != (expected.how, expected.out), "no difference any more"
    errno = ERRNO_OF_OURS[name]
    assert out[:3] == b'"%02x' % errno and how == f"exit {errno}", said


@pytest.mark.parametrize("name", BY_NAME)
def test_run(name, tmp_path):
    (tmp_path / "probe.wasm").write_bytes(program(BY_NAME[name]))
    done = funcd("run", tmp_path / "probe.wasm", "--env", "A=1", "--env", "B=two", "--", "x y",
                 stdin=STDIN)
    how = "trap" if done.returncode == 134 else f"exit {done.returncode}"
    check(name, how, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({name: program(BY_NAME[name]) for name in SERVED})


@pytest.mark.parametrize("name", SERVED)
def test_serve(name, server):
    answer = server.post(f"/{name}", STDIN, headers={"content-type": "text/plain"})
    if answer.status == 500:
        assert answer.reason == "trap", answer.body
        check(name, "trap", b"", answer.body)
    else:
        assert answer.status == 200, answer.body
        check(name, f"exit {int(answer.json[:2], 16)}", answer.body, answer.body)


def test_every_function_has_a_probe():
    assert {probe.function for probe in PROBES} == set(SIGNATURES)
