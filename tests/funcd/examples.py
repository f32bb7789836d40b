"""The example functions, built from source."""

import fcntl
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

from funcd.binary import ROOT

BUILT = ROOT / "build" / "examples"


def build_examples() -> Path:
    """The folder with all of them; quick when nothing has changed, safe with parallel workers."""
    BUILT.mkdir(parents=True, exist_ok=True)
    with open(ROOT / "build" / "examples.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([ROOT / "tools" / "with", ROOT / "examples" / "build", BUILT], check=True,
                       stdout=subprocess.DEVNULL)
    return BUILT


@lru_cache(maxsize=None)
def component(name: str) -> bytes:
    """A component in C, of examples/components or of tests/components."""
    into = ROOT / "build" / "components"
    own = ROOT / "tests" / "components" / f"{name}.c"
    source = own if own.exists() else ROOT / "examples" / "components" / f"{name}.c"
    into.mkdir(parents=True, exist_ok=True)
    with open(ROOT / "build" / "components.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([ROOT / "tools" / "with", ROOT / "examples" / "build-components", into, source],
                       check=True, stdout=subprocess.DEVNULL)
    return (into / f"{source.stem}.wasm").read_bytes()


def copy_examples(into: Path) -> None:
    shutil.copytree(build_examples(), into, dirs_exist_ok=True)


def build_languages() -> tuple[Path, str]:
    """The folder of what is built from examples/languages, and what the build says of the rest."""
    into = ROOT / "build" / "languages"
    into.mkdir(parents=True, exist_ok=True)
    with open(ROOT / "build" / "languages.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([ROOT / "tools" / "with", ROOT / "examples" / "build-languages", into],
                              check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return into, done.stderr.strip()


@lru_cache(maxsize=None)
def language_file(name: str) -> Path:
    """`rust/http`: its module. Where its toolchain is not to be had, the test is skipped."""
    folder, left_out = build_languages()
    file = folder / f"{name}.wasm"
    if not file.exists():
        pytest.skip(f"{name} is not built: {left_out}")
    return file


def language(name: str) -> tuple[bytes, str]:
    """Module and sidecar."""
    file = language_file(name)
    return file.read_bytes(), file.with_suffix(".toml").read_text()
