"""A server under measurement: started on one core, watched through /proc, ended by its pid."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from pathlib import Path

CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
ADDRESS = re.compile(r"(?:listening|running) on http://127\.0\.0\.1:(\d+)")
ADMIN_ADDRESS = re.compile(r"admin on http://127\.0\.0\.1:(\d+)")


class BenchError(Exception):
    """A measurement that cannot be made; the message says which and why."""


class Server:
    """A process that prints where it listens. Use as a context manager."""

    def __init__(self, name: str, command: list[str], core: int | None = None,
                 folder: Path | None = None, port: int | None = None,
                 has_admin: bool = False, env: dict[str, str] | None = None) -> None:
        """`port`: of a server that does not print it. `core`: None leaves it unpinned."""
        pin = [] if core is None else ["taskset", "-c", str(core)]
        self.name = name
        self.core = core
        self.started_s = time.monotonic()
        self.process = subprocess.Popen(
            pin + command, cwd=folder, stdin=subprocess.DEVNULL, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._said = b""
        try:
            self.port = self._wait_for_port(ADDRESS) if port is None else port
            self.admin_port = self._wait_for_port(ADMIN_ADDRESS) if has_admin else None
        except BaseException:
            self.stop()
            raise
        # What it prints from now on is not read; a full pipe would stop it.
        self._drain = subprocess.Popen(["cat"], stdin=self.process.stdout,
                                       stdout=subprocess.DEVNULL)

    def _wait_for_port(self, address: re.Pattern) -> int:
        pipe = self.process.stdout
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            found = address.search(self._said.decode(errors="replace"))
            if found:
                return int(found[1])
            ready, _, _ = select.select([pipe], [], [], 0.2)
            if ready:
                piece = os.read(pipe.fileno(), 65536)
                self._said += piece
                if not piece:
                    break
        said = self._said.decode(errors="replace").strip()[-500:]
        raise BenchError(f"{self.name}: did not say where it listens; it said: {said!r}")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def cpu_s(self) -> float:
        """User + system time so far of the process and all it has started."""
        return sum(_cpu_ticks(pid) for pid in _tree(self.process.pid)) / CLOCK_TICKS_PER_S

    def core_busy_s(self) -> float:
        """Time so far that its core has worked for anybody, a hypervisor's theft included."""
        if self.core is None:
            return 0.0
        stat = Path("/proc/stat").read_text()
        fields = re.search(rf"^cpu{self.core} (.*)$", stat, re.MULTILINE)[1].split()
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
        return (user + nice + system + irq + softirq + steal) / CLOCK_TICKS_PER_S

    def rss_bytes(self, field: str = "VmRSS") -> int:
        """Of all its processes. RssAnon leaves out what is mapped from files: proc(5)."""
        total = 0
        for pid in _tree(self.process.pid):
            status = Path(f"/proc/{pid}/status").read_text()
            found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
            total += int(found[1]) * 1024 if found else 0
        return total

    def check_alive(self) -> None:
        code = self.process.poll()
        if code is not None:
            raise BenchError(f"{self.name}: has ended by itself with {code}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        drain = getattr(self, "_drain", None)
        if drain:
            drain.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _tree(pid: int) -> list[int]:
    pids = [pid]
    for pid_of_parent in pids:
        for task in Path(f"/proc/{pid_of_parent}/task").glob("*"):
            try:
                pids += [int(child) for child in (task / "children").read_text().split()]
            except FileNotFoundError:
                continue
    return pids


def _cpu_ticks(pid: int) -> int:
    """utime, stime and those of children that have been waited for: proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15])
