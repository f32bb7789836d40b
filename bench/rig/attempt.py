"""Measurements by name: those that are wanted are made, and one that fails leaves the others."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from typing import TypeVar

from rig.server import BenchError

Result = TypeVar("Result")


def attempt(measures: Mapping[str, Callable[[], list[Result]]],
            wanted: Callable[[str], bool]) -> tuple[list[Result], list[str]]:
    """What was measured, and what went wrong with the rest."""
    results: list[Result] = []
    troubles: list[str] = []
    for key in filter(wanted, measures):
        try:
            results += measures[key]()
        except (BenchError, OSError, subprocess.TimeoutExpired) as error:
            troubles.append(f"{key}: {error}")
    return results, troubles
