"""The article's server (tests/parity/seed_server.py) with the obvious repair: engine, linker and
each module are kept.

    uvicorn --app-dir bench/seed_server seed_server_kept:app

serves ./functions/NAME.wasm at /NAME; each request still gets a store and an instance of its own.
"""

import json
import logging
from functools import cache
from typing import Any

from aiofiles import tempfile
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from wasmtime import Engine, Linker, Module, Store, WasiConfig, WasmtimeError

app = FastAPI()

logging.basicConfig(level="INFO")
logger = logging.getLogger(__name__)

engine = Engine()
linker = Linker(engine)
linker.define_wasi()


class Item(BaseModel):
    """Item."""

    name: str
    age: int
    description: str


@cache
def module_at(wasm_path: str) -> Module:
    """Compile a module once."""
    return Module.from_file(engine, wasm_path)


@app.get("/{funcname}")
async def execute(funcname: str) -> Item:
    """Execute wasm function."""
    d = {"name": "zztkm", "age": 20}
    try:
        return Item(**await invoke_wasm_module(f"functions/{funcname}.wasm", d))
    except Exception:
        logger.exception("error")
        raise HTTPException(status_code=400, detail="Bad Request") from None


async def invoke_wasm_module(wasm_path: str, input_data: dict[str, Any]) -> dict[str, Any]:
    """Invoke wasm module."""
    module = module_at(wasm_path)
    config = WasiConfig()
    async with tempfile.NamedTemporaryFile() as f:
        config.stdout_file = f.name
        config.env = [["DATA", json.dumps(input_data)]]
        store = Store(engine)
        store.set_wasi(config)
        start = linker.instantiate(store, module).exports(store)["_start"]
        try:
            start(store)
        except WasmtimeError as e:
            logger.debug(e)
        out = await f.read()
        return json.loads(out.decode(encoding="utf-8"))
