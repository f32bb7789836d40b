"""Load on a server while a test does something to it."""

import re
import shutil
import signal
import subprocess
import threading
from typing import Callable

from funcd import client


class Checkers:
    """Threads that ask again and again, each on a connection of its own, and judge each answer.

    `judge(response, memory)` raises when an answer is wrong; `memory` is a dict of the thread.
    """

    def __init__(self, address, target: str, judge: Callable, threads: int = 2):
        self.count = 0
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(address, target, judge))
                         for _ in range(threads)]

    def _run(self, address, target, judge):
        memory: dict = {}
        try:
            with client.Connection(address) as connection:
                while not self._stop.is_set():
                    judge(connection.request("GET", target), memory)
                    with self._lock:
                        self.count += 1
        except BaseException as failure:  # also that of a socket: every request must succeed
            with self._lock:
                self.failures.append(repr(failure))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)


class Wrk:
    """wrk until the block ends; then what it has counted. Absent where it is not installed."""

    def __init__(self, address, target: str):
        self.is_there = shutil.which("wrk") is not None
        self._url = f"http://{address[0]}:{address[1]}{target}"
        self._process = None
        self.requests = self.failed = 0
        self.output = ""

    def __enter__(self):
        if self.is_there:
            # It reports when interrupted.
            self._process = subprocess.Popen(
                ["wrk", "-t1", "-c16", "-d600s", self._url], stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True)
        return self

    def __exit__(self, *_):
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        self.output, _ = self._process.communicate(timeout=60)
        found = re.search(r"(\d+) requests in", self.output)
        assert found, self.output
        self.requests = int(found.group(1))
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", self.output)
        self.failed += int(bad.group(1)) if bad else 0
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)",
                           self.output)
        self.failed += sum(map(int, errors.groups())) if errors else 0
