"""Both servers on the same functions: the article's, and funcd as `examples/seed` configures it."""

import pytest

from funcd.guests import describes_data, prints
from outputs import ENDED, PRINTED
from seed import Seed

ITEM_SCHEMA = """{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "Item", "type": "object",
  "properties": {
    "name": {"type": "string"}, "age": {"type": "integer"}, "description": {"type": "string"}
  },
  "required": ["name", "age", "description"]
}"""
SIDECAR = """[input]
name = "zztkm"
age = 20
[response]
schema = "item.schema.json"
"""


@pytest.fixture(scope="module")
def functions() -> dict[str, bytes]:
    printed = {name: prints(text) for name, text in PRINTED.items()}
    return printed | ENDED | {"describe-data": describes_data()}


@pytest.fixture(scope="module")
def funcd_server(serve_all, functions):
    served = {name: (wasm, SIDECAR) for name, wasm in functions.items()}
    served["get-only"] = (functions["item"], f'methods = ["GET"]\n{SIDECAR}')
    return serve_all(served,
                     files={"item.schema.json": ITEM_SCHEMA}, config='errors = "bad-request"\n')


@pytest.fixture(scope="module")
def seed_server(tmp_path_factory, functions):
    folder = tmp_path_factory.mktemp("seed")
    (folder / "functions").mkdir()
    for name, wasm in functions.items():
        (folder / "functions" / f"{name}.wasm").write_bytes(wasm)
    seed = Seed(folder)
    yield seed
    seed.stop()
