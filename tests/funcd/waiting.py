"""Waiting for a fact, never for a time."""

import time
from typing import Callable, TypeVar

from funcd.binary import find_binary
from funcd.bounds import DONE_S_MAX

T = TypeVar("T")


def is_sanitized() -> bool:
    """Whether the binary runs under a sanitizer, which keeps memory that was freed."""
    return find_binary().parent.name in ("asan", "tsan")


def patience() -> int:
    """How many times slower than usual a bound may be: sanitizers take their time."""
    return 5 if is_sanitized() else 1


def wait_until(condition: Callable[[], T], what: str, seconds: float = DONE_S_MAX) -> T:
    """Asks again and again until the answer is true, and returns it; fails at the deadline."""
    seconds *= patience()
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}; last answer: {answer!r}")
        time.sleep(0.005)
