"""`funcd run`: one WASI program, with this terminal's stdio."""

import json
import os
import signal
import subprocess
import time

import pytest

from funcd import guests, hostile
from funcd.binary import clean_environment, find_binary, funcd
from funcd.waiting import wait_until


@pytest.fixture
def program(tmp_path):
    def write(wasm: bytes, name: str = "program.wasm"):
        (tmp_path / name).write_bytes(wasm)
        return tmp_path / name

    return write


def test_stdout_and_stderr_are_its_own(program):
    done = funcd("run", program(guests.prints("out\n", err=b"err\n")))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", "err\n")


def test_output_is_not_changed(program):
    binary = bytes(range(256)) * 300
    assert funcd("run", program(guests.prints(binary))).stdout == binary


def test_stdin(program):
    text = b"line\n\0\xff" * 50_000
    assert funcd("run", program(guests.echoes_stdin()), stdin=text).stdout == text


def test_a_closed_stdin_is_empty(program):
    """Its number is that of no file that funcd opens."""
    file = program(guests.echoes_stdin())
    done = subprocess.run(["sh", "-c", 'exec "$0" run "$1" <&-', find_binary(), file],
                          capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_arguments(program):
    file = program(guests.echoes_args())
    done = funcd("run", file, "--", "one", "two words", "--help", "-x", "")
    assert json.loads(done.stdout)[1:] == ["one", "two words", "--help", "-x", ""]
    assert json.loads(done.stdout)[0].endswith("program.wasm")


def test_environment_is_what_was_given(program):
    file = program(guests.echoes_env())
    env = clean_environment(SECRET="hunter2")
    done = funcd("run", file, "--env", "A=1", "--env", "B=x=y", "--env", "EMPTY=", env=env)
    assert json.loads(done.stdout) == ["A=1", "B=x=y", "EMPTY="]
    assert json.loads(funcd("run", file, env=env).stdout) == []


@pytest.mark.parametrize("code", [0, 1, 3, 125, 126, 255])
def test_exit_code(program, code):
    done = funcd("run", program(guests.prints("before", exit_code=code)))
    assert (done.returncode, done.stdout) == (code, b"before")


@pytest.mark.parametrize(("wasm", "word"), [
    (guests.prints("before", trap=True), "unreachable"), (hostile.divides_by_zero(), "divide"),
    (hostile.reads_out_of_bounds(), "out of bounds"), (hostile.recurses(), "stack"),
])
def test_a_trap_is_134(program, wasm, word):
    done = funcd("run", program(wasm))
    assert done.returncode == 134 and word in done.stderr
    if word == "unreachable":
        assert done.stdout == b"before", "what was printed is there"


@pytest.mark.parametrize("wasm", [hostile.loops(), guests.sleeps(60, "")])
def test_a_time_limit_is_124(program, wasm):
    started = time.monotonic()
    done = funcd("run", "--timeout", "300ms", program(wasm))
    assert done.returncode == 124 and "300ms" in done.stderr
    assert time.monotonic() - started < 5


def test_a_memory_limit(program):
    file = program(hostile.touches_memory(64, "fits"))
    assert funcd("run", file).stdout == b"fits"
    done = funcd("run", "--memory", "16MiB", file)
    assert done.returncode == 134 and "memory" in done.stderr
    done = funcd("run", "--memory", "1MB", file)
    assert done.returncode == 134 and "its limit of 1MB" in done.stderr, done.stderr


def test_sleeping_takes_no_time_of_the_processor(program):
    def used() -> float:
        times = os.times()
        return times.children_user + times.children_system

    before = used()
    assert funcd("run", program(guests.sleeps(0.5, "up"))).stdout == b"up"
    assert used() - before < 0.4


@pytest.mark.parametrize(("wasm", "word"), [
    (hostile.truncated(), ""), (hostile.NOT_WASM["elf"], "ELF"),
    (hostile.NOT_WASM["empty"], "empty"),
    (hostile.NOT_WASM["html"], ""), (hostile.imports_unknown(), "fd_teleport"),
    (hostile.lacks_start(), "_start"),
])
def test_what_cannot_be_run(program, wasm, word):
    done = funcd("run", program(wasm))
    assert done.returncode == 1 and word in done.stderr and "program.wasm" in done.stderr


def test_a_file_that_is_not_there(tmp_path):
    done = funcd("run", tmp_path / "none.wasm")
    assert done.returncode == 1 and "none.wasm" in done.stderr


def test_text_is_run_too(program):
    text = b'(module (memory (export "memory") 1) (func (export "_start")))'
    assert funcd("run", program(text, "program.wat")).returncode == 0


def test_compiled_code_is_run(program, tmp_path):
    file = program(guests.prints("compiled"))
    assert funcd("compile", file, "-o", tmp_path / "program.cwasm").returncode == 0
    file.unlink()
    assert funcd("run", tmp_path / "program.cwasm").stdout == b"compiled"


def test_interrupted(program):
    # A shell gives its background jobs SIGINT ignored, and they give it on.
    process = subprocess.Popen([find_binary(), "run", program(guests.sleeps(60, ""))],
                               stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    wait_until(lambda: len(os.listdir(f"/proc/{process.pid}/task")) > 1, "it runs")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) != 0
    process.stderr.close()


def test_a_reader_that_goes_away(program):
    """As in `funcd run x.wasm | head -c 5`: it ends, and does not run on for ever."""
    process = subprocess.Popen([find_binary(), "run", program(hostile.prints_forever(1))],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.read(5) == b"xxxxx"
    process.stdout.close()
    assert process.wait(timeout=20) != 0
    process.stderr.close()
