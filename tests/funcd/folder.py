"""The functions folder of a test, and the ways in which people put files into it."""

import os
import shutil
from pathlib import Path


class Folder:
    def __init__(self, path: Path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        # Beside the folder and on its file system, so that a rename is atomic.
        self.staging = path.parent / f"{path.name}.staging"
        self.staging.mkdir(exist_ok=True)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def put(self, name: str, wasm: bytes, sidecar: str | None = None) -> None:
        """A function, moved into place whole; its sidecar first, so that both are seen at once."""
        if sidecar is not None:
            self.put_file(f"{name}.toml", sidecar)
        self.put_file(f"{name}.wasm", wasm)

    def put_file(self, name: str, content: bytes | str) -> None:
        """Rename-over: what `install`, `mv` and careful deployers do."""
        content = content.encode() if isinstance(content, str) else content
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = self.staging / name.replace("/", "__")
        staged.write_bytes(content)
        os.rename(staged, target)

    def copy(self, name: str, content: bytes) -> None:
        """Truncate and write in place: what `cp` does."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def remove(self, name: str) -> None:
        target = self.path / name
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink()
