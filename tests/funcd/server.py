"""A `funcd serve` process on free ports, and what its admin address says."""

import contextlib
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

from funcd import client
from funcd.binary import check_stderr, clean_environment, find_binary
from funcd.bounds import COMPILED_S_MAX, DONE_S_MAX
from funcd.folder import Folder
from funcd.prometheus import Page
from funcd.waiting import wait_until


class Output:
    """A stream of the process, read by a thread of its own so that the pipe never fills."""

    def __init__(self, stream):
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._is_at_end = False
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream):
        for raw in stream:
            with self._changed:
                self._lines.append(raw.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._is_at_end = True
            self._changed.notify_all()

    @property
    def lines(self) -> list[str]:
        with self._changed:
            return list(self._lines)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, seconds: float = DONE_S_MAX, *, since: int = 0) -> re.Match:
        """The first line from number `since` on in which the pattern is found."""
        regex = re.compile(pattern)

        def find():
            return next((m for line in self._lines[since:] if (m := regex.search(line))), None)

        with self._changed:
            self._changed.wait_for(lambda: find() or self._is_at_end, timeout=seconds)
            found = find()
        assert found, f"no line with {pattern!r}; there is:\n{self.text[-4000:]}"
        return found

    def close(self):
        self._thread.join(timeout=10)


class Server:
    """Runs until stop(). The test fails when the process dies or complains by itself."""

    def __init__(self, folder: Folder, *flags: str, config: str | None = None,
                 env: dict | None = None, cache: Path | None = None, admin: bool = True,
                 preexec=None, source: str | None = None):
        self.folder = folder
        self.cache = cache or folder.path.parent / f"{folder.path.name}.cache"
        command = [find_binary(), "serve", source or folder.path, "--listen", "127.0.0.1:0",
                   "--admin", "127.0.0.1:0" if admin else "off", "--cache-dir", self.cache]
        if config is not None:
            file = folder.path.parent / f"{folder.path.name}.funcd.toml"
            file.write_text(config)
            command += ["--config", file]
        self.process = subprocess.Popen(
            [*map(str, command), *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=clean_environment(**(env or {})), cwd=folder.path.parent,
            preexec_fn=preexec)
        self.stdout = Output(self.process.stdout)
        self.stderr = Output(self.process.stderr)
        self.may_die = False
        self.is_judged = False
        try:
            self.address = self._address("listening on")
            self.admin_address = self._address("admin on") if admin else None
        except BaseException:
            self.kill()
            raise

    def _address(self, label: str) -> tuple[str, int]:
        found = self.stdout.wait_for(rf"{label} http://([\d.]+):(\d+)")
        return found.group(1), int(found.group(2))

    def wait_ready(self, seconds: float = COMPILED_S_MAX) -> "Server":
        def ask():
            return self.admin("/readyz").status == 200
        try:
            wait_until(ask, "/readyz is 200", seconds)
        except AssertionError as failure:
            raise AssertionError(f"{failure}; stderr:\n{self.stderr.text[-4000:]}") from None
        return self

    # Requests.

    def get(self, target: str, **options) -> client.Response:
        return client.request(self.address, "GET", target, **options)

    def post(self, target: str, body, **options) -> client.Response:
        return client.request(self.address, "POST", target, body=body, **options)

    def request(self, method: str, target: str, **options) -> client.Response:
        return client.request(self.address, method, target, **options)

    def connect(self, timeout: float = 30.0) -> client.Connection:
        return client.Connection(self.address, timeout)

    # What the server says about itself.

    def admin(self, target: str, method: str = "GET") -> client.Response:
        return client.request(self.admin_address, method, target)

    def metrics(self) -> Page:
        response = self.admin("/metrics")
        assert response.status == 200
        return Page(response.text)

    def functions(self) -> dict[str, dict]:
        return {each["name"]: each for each in self.admin("/v1/functions").json["functions"]}

    def problems(self) -> dict[str, str]:
        """Message by path of what lies in the folder and is not served."""
        problems = self.admin("/v1/functions").json["problems"]
        return {each["path"]: each["message"] for each in problems}

    def wait_state(self, name: str, state: str, seconds: float = COMPILED_S_MAX) -> dict:
        def ask():
            function = self.functions().get(name)
            return function if function and function["state"] == state else None
        try:
            return wait_until(ask, f"{name} is {state}", seconds)
        except AssertionError as failure:
            raise AssertionError(f"{failure}; functions: {self.functions()}") from None

    def wait_optimized(self, name: str, seconds: float = COMPILED_S_MAX) -> dict:
        """Until optimized code runs, and lies in the cache."""
        def ask():
            function = self.functions().get(name)
            return function if function and function["code"] == "optimized" else None
        return wait_until(ask, f"{name} is optimized", seconds)

    def wait_body(self, target: str, body: str | bytes, seconds: float = COMPILED_S_MAX) -> None:
        body = body.encode() if isinstance(body, str) else body
        wait_until(lambda: self.get(target).body == body, f"{target} answers {body[:80]!r}",
                   seconds)

    # Its end.

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait_exit(self, seconds: float = 40.0) -> int:
        code = self.process.wait(timeout=seconds)
        self.stdout.close()
        self.stderr.close()
        return code

    def kill(self) -> None:
        self.may_die = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.wait_exit()

    def stop(self) -> None:
        """Ends the process by its id, and judges how it has behaved. Once is enough."""
        if self.is_judged:
            return
        self.is_judged = True
        if not self.may_die:
            assert self.is_alive(), (
                f"the server died with {self.process.returncode}:\n{self.stderr.text[-6000:]}")
            self.terminate()
            try:
                code = self.wait_exit()
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("the server did not end 40 s after SIGTERM:\n"
                                     + self.stderr.text[-4000:]) from None
            assert code == 0, f"exit code {code} after SIGTERM:\n{self.stderr.text[-6000:]}"
        elif self.is_alive():
            self.kill()
        check_stderr(self.stderr.text)
