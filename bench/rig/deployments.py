"""What a deployment costs those who ask meanwhile: nothing. Hundreds of deployments, rollbacks and
outages of the bucket under load, and how soon a change in the bucket is live."""

from __future__ import annotations

import http.client
import itertools
import os
import subprocess
import sys
import time
from typing import Callable

from rig.moments import Moment
from rig.server import BenchError, Server
from rig.setup import ROOT, Bench, say

sys.path.append(str(ROOT / "tests"))

from funcd.bucket import Bucket, Gateway  # noqa: E402
from funcd.load import Checkers, Wrk  # noqa: E402

ROUNDS = 20
DEPLOYS, ROLLBACKS, OUTAGES = 500, 100, 20  # in all, so many of each a round
POLL_S = 2.0
ANSWERS_PER_OUTAGE = 500
WAIT_S_MAX = 60.0
COMMAND_S_MAX = 120.0
FIRST_VERSION = 10_000_000

# (module
#   (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
#   (memory (export "memory") 1)
#   (data (i32.const 0) "\10\00\00\00\14\00\00\00") (data (i32.const 16) "{\"version\":10000000}")
#   (func (export "_start")
#     (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
_PRINTS = bytes.fromhex(
    "0061736d01000000010c0260047f7f7f7f017f60000002230116776173695f736e617073686f745f70726576"
    "696577310866645f77726974650000030201010503010001071302066d656d6f72790200065f737461727400"
    "010a0f010d00410141004101410810001a0b0b27020041000b0810000000140000000041100b147b22766572"
    "73696f6e223a31303030303030307d")


def measure_all(bench: Bench, wanted: Callable[[str], bool],
                times: int, is_quick: bool) -> tuple[list[Moment], list[str]]:
    if not wanted("deployments"):
        return [], []
    try:
        with _Setting(bench) as setting:
            return [*_live(setting, times), *_under_load(setting, 2 if is_quick else ROUNDS)], []
    except (BenchError, AssertionError, OSError, subprocess.TimeoutExpired) as error:
        return [], [f"deployments: {error}"]


class _Setting:
    """A bucket, a server on it, and the versions of one function."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.folder = bench.folder / "deployments"
        self.folder.mkdir()
        self.gateway = Gateway(self.folder / "gateway")
        self._numbers = itertools.count(1)

    def __enter__(self) -> "_Setting":
        self.gateway.start()
        try:
            self.gateway.create_bucket("functions")
            self.bucket = Bucket(self.gateway, "functions", "prod/")
            self.bucket.put("hello.wasm", self.next_version()[0])
            self.env = {**os.environ, **self.gateway.environment}
            self.server = Server(
                "funcd on a bucket",
                [str(self._bench.build / "funcd"), "serve", self.bucket.url,
                 "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--s3-poll", f"{POLL_S:g}s",
                 "--s3-endpoint", self.gateway.url, "--cache-dir", str(self.folder / "cache")],
                has_admin=True, env=self.env)
        except BaseException:
            self.gateway.stop()
            raise
        self.wait(lambda: self.ask() is not None, "it answers")
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.gateway.stop()

    def next_version(self) -> tuple[bytes, bytes]:
        """A module that nobody has compiled, and what it answers."""
        body = b'{"version":%d}' % (FIRST_VERSION + next(self._numbers))
        return _PRINTS.replace(b'{"version":%d}' % FIRST_VERSION, body), body

    def ask(self, port: int | None = None, path: str = "/hello", method: str = "GET"):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.server.port, timeout=20)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            return body if answer.status in (200, 202) else None
        finally:
            connection.close()

    def refresh(self) -> None:
        self.ask(self.server.admin_port, "/v1/source/refresh", "POST")

    def is_away(self) -> bool:
        return b'"state": "away"' in (self.ask(self.server.admin_port, "/v1/status") or b"")

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_S_MAX
        while not condition():
            self.server.check_alive()
            if time.monotonic() > deadline:
                raise BenchError(f"not within {WAIT_S_MAX:.0f} s: {what}")
            time.sleep(0.001)

    def command(self, *words: str) -> None:
        done = subprocess.run(
            [str(self._bench.build / "funcd"), *words, "--to", self.bucket.url, "--s3-endpoint",
             self.gateway.url, "--wait", "--admin", f"127.0.0.1:{self.server.admin_port}"],
            env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=COMMAND_S_MAX,
            check=False)
        if done.returncode != 0:
            raise BenchError(f"funcd {words[0]}: {done.stderr.strip()}")


def _live(setting: _Setting, times: int) -> list[Moment]:
    """From the end of the upload to the first answer of what was uploaded."""
    say("a change in the bucket until it is live")
    polled_s, hooked_s = [], []
    for turn in range(2 * times):
        module, body = setting.next_version()
        # Uploads fall at different moments of the interval.
        time.sleep(POLL_S * turn / (2 * times))
        setting.bucket.put("hello.wasm", module)
        began_s = time.monotonic()
        if turn % 2:
            setting.refresh()
        setting.wait(lambda body=body: setting.ask() == body, "the new version answers")
        (hooked_s if turn % 2 else polled_s).append(time.monotonic() - began_s)
    return [_worst("deployments-poll", f"a change in the bucket is live, polled every {POLL_S:g} s",
                   polled_s),
            _worst("deployments-hook", "a change in the bucket is live, with the hook", hooked_s)]


def _worst(key: str, title: str, values_s: list[float]) -> Moment:
    return Moment(key, f"{title}, the longest of {len(values_s)}", max(values_s), "s",
                  f"from {min(values_s):.2f}")


def _under_load(setting: _Setting, rounds: int) -> list[Moment]:
    address = ("127.0.0.1", setting.server.port)
    setting.command("deploy", _file(setting))

    def judge(answer, _memory) -> None:
        assert answer.status == 200 and answer.body.startswith(b'{"version":'), answer

    deploys, rollbacks = DEPLOYS // ROUNDS, ROLLBACKS // ROUNDS
    began_s = time.monotonic()
    with Wrk(address, "/hello") as wrk, Checkers(address, "/hello", judge) as checkers:
        for turn in range(rounds):
            say(f"deployments, round {turn + 1} of {rounds}")
            for number in range(deploys):
                setting.command("deploy", _file(setting))
                if number % (deploys // rollbacks) == 0:
                    setting.command("rollback", "hello")
            _outage(setting, checkers)
    elapsed_s = time.monotonic() - began_s
    failed = wrk.failed + len(checkers.failures)
    requests = wrk.requests + checkers.count
    if not wrk.is_there or requests == 0:
        raise BenchError("nobody has asked")
    for failure in checkers.failures[:5]:
        say(f"failed: {failure}")
    title = (f"failed requests of {requests:,} while there were {rounds * deploys} deploys, "
             f"{rounds * rollbacks} rollbacks and {rounds * OUTAGES // ROUNDS} outages")
    return [Moment("deployments-failed", title, failed, "", f"in {elapsed_s:.0f} s")]


def _file(setting: _Setting) -> str:
    file = setting.folder / "hello.wasm"
    file.write_bytes(setting.next_version()[0])
    return str(file)


def _outage(setting: _Setting, checkers: Checkers) -> None:
    """The bucket is killed, the server notices, goes on, and finds it again."""
    setting.gateway.stop()
    setting.refresh()
    setting.wait(setting.is_away, "the bucket is away")
    until = checkers.count + ANSWERS_PER_OUTAGE
    setting.wait(lambda: checkers.count >= until or bool(checkers.failures), "it goes on without")
    setting.gateway.start()
    setting.refresh()
    setting.wait(lambda: not setting.is_away(), "the bucket is back")
