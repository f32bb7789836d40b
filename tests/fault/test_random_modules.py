"""Modules that nobody wrote: kept ones of tests/corpus/modules, all at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from funcd import guests
from funcd.binary import ROOT
from funcd.random_modules import FLAGS, judge, publish
from funcd.waiting import wait_until

MODULES = sorted((ROOT / "tests" / "corpus" / "modules").glob("*.wasm"))


def test_random_modules(folder, start):
    assert len(MODULES) >= 20
    folder.put("hello", guests.prints('{"hello":1}'))
    server = start(*FLAGS)
    names = publish(server, folder, MODULES)
    with ThreadPoolExecutor(8) as pool:
        labels = list(pool.map(lambda name: judge(server, name), names))
    # They are not all refused, nor do they all end at their first instruction.
    assert len(set(labels)) >= 3, labels
    wait_until(lambda: all(f["in_flight"] == 0 for f in server.functions().values()),
               "nothing is in flight")
    assert server.get("/hello").body == b'{"hello":1}'


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_random_modules_that_are_cut_short(folder, start, cut):
    """Each without its last part: refused, and the reason is told."""
    for module in MODULES[:20]:
        whole = module.read_bytes()
        folder.put(module.stem, whole[: len(whole) * cut // 6])
    server = start(*FLAGS)
    functions = server.functions()
    assert len(functions) == 20
    assert all(each["state"] == "failed" and each["error"] for each in functions.values())
