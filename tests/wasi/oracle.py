"""Wasmtime's own WASI preview 1, as the package from PyPI has it: what `funcd run` must equal."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from wasmtime import Engine, ExitTrap, Linker, Module, Store, Trap, WasiConfig, WasmtimeError

_ENGINE = Engine()


@dataclass(frozen=True)
class Ended:
    how: str  # "exit 3" or "trap"
    out: bytes


def run_oracle(wasm: bytes, *, args=(), env=None, stdin: bytes = b"", folder: Path | None = None
               ) -> Ended:
    """One run. stdin, stdout and stderr are no terminals, as under a test."""
    linker = Linker(_ENGINE)
    linker.define_wasi()
    module = Module(_ENGINE, wasm)
    with tempfile.TemporaryDirectory() as scratch:
        paths = {name: Path(scratch) / name for name in ("in", "out", "err")}
        for path in paths.values():
            path.write_bytes(b"")
        paths["in"].write_bytes(stdin)
        config = WasiConfig()
        config.argv = list(args)
        config.env = list((env or {}).items())
        config.stdin_file = str(paths["in"])
        config.stdout_file = str(paths["out"])
        config.stderr_file = str(paths["err"])
        if folder is not None:
            config.preopen_dir(str(folder), "/")
        store = Store(_ENGINE)
        store.set_wasi(config)
        how = "exit 0"
        try:
            linker.instantiate(store, module).exports(store)["_start"](store)
        except ExitTrap as exit_trap:
            how = f"exit {exit_trap.code}"
        except (Trap, WasmtimeError):
            how = "trap"
        return Ended(how, paths["out"].read_bytes())
