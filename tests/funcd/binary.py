"""Where the program under test is, and one-shot runs of it."""

import os
import re
import subprocess
from pathlib import Path

from funcd.bounds import COMPILED_S_MAX

ROOT = Path(__file__).resolve().parents[2]
# A report of any of these on stderr fails a test, whatever the exit code was.
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "WARNING: ThreadSanitizer", "ERROR: LeakSanitizer",
                   "runtime error:", "CHECK failed", "panicked at", "terminate called")


def find_binary() -> Path:
    """$FUNCD_BIN, else the release build, else the dev build."""
    named = os.environ.get("FUNCD_BIN")
    candidates = [Path(named)] if named else [
        ROOT / "build" / preset / "funcd" for preset in ("release", "dev")]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate.resolve()
    raise FileNotFoundError(f"no funcd at {', '.join(map(str, candidates))}; run: make build")


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without what would configure funcd."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FUNCD_")}
    return kept | variables


# What a function has said is not what the server says, although it is in its log.
_SAID_BY_A_FUNCTION = re.compile(r"^\S+ info stderr function=.*$", re.M)


def check_stderr(text: str) -> None:
    text = _SAID_BY_A_FUNCTION.sub("", text)
    for mark in SANITIZER_MARKS:
        assert mark not in text, f"{mark!r} on stderr:\n{text[-6000:]}"


def funcd(*arguments, stdin: bytes = b"", cwd: Path | None = None, env: dict | None = None,
          timeout: float = COMPILED_S_MAX, preexec=None) -> subprocess.CompletedProcess:
    """Runs a command to its end. stdout is bytes, stderr is text."""
    done = subprocess.run([find_binary(), *map(str, arguments)], input=stdin, cwd=cwd,
                          env=env or clean_environment(), capture_output=True, timeout=timeout,
                          preexec_fn=preexec, check=False)
    done.stderr = done.stderr.decode(errors="replace")
    check_stderr(done.stderr)
    assert done.returncode >= 0, f"killed by signal {-done.returncode}: {done.stderr[-2000:]}"
    return done
