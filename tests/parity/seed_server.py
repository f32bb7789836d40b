"""The article's server, line for line where the article shows it: FastAPI and wasmtime.

What the article leaves out (imports, the file module, the command line) is filled in the plainest
way: its `async with tempfile.NamedTemporaryFile()` and `await f.read()` are those of aiofiles. The
port is picked by the kernel and printed by uvicorn; functions are read from `functions/` in the
working folder.
"""

import json
import logging
from typing import Any

import uvicorn
from aiofiles import tempfile
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from wasmtime import Engine, Linker, Module, Store, WasiConfig, WasmtimeError

app = FastAPI()

logging.basicConfig(level="INFO")
logger = logging.getLogger(__name__)


class Item(BaseModel):
    """Item."""

    name: str
    age: int
    description: str


async def invoke_wasm_module(modname: str, wasm_path: str,
                             input_data: dict[str, Any]) -> dict[str, Any]:
    """Invoke wasm module."""
    engine = Engine()
    linker = Linker(engine)
    linker.define_wasi()

    try:
        module = Module.from_file(linker.engine, wasm_path)
    except Exception:
        logger.exception("module not found %s", wasm_path)
        raise

    config = WasiConfig()

    async with tempfile.NamedTemporaryFile() as f:
        config.stdout_file = f.name
        config.env = [["DATA", json.dumps(input_data)]]

        store = Store(linker.engine)
        store.set_wasi(config)

        instance = linker.instantiate(store, module)
        start = instance.exports(store)["_start"]

        logger.info("start wasm module %s", modname)
        try:
            start(store)
            out = await f.read()
            return json.loads(out.decode(encoding="utf-8"))
        except WasmtimeError as e:
            logger.debug(e)
            out = await f.read()
            return json.loads(out.decode(encoding="utf-8"))


@app.get("/{funcname}")
async def execute(funcname: str) -> Item:
    """Execute wasm function."""
    wasm_path = f"functions/{funcname}.wasm"
    d = {"name": "zztkm", "age": 20}

    try:
        item_dict = await invoke_wasm_module(funcname, wasm_path, d)
        return Item(**item_dict)
    except Exception:
        logger.exception("error")
        raise HTTPException(status_code=400, detail="Bad Request") from None


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=0)
