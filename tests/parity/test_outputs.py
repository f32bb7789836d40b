"""The same function on both servers: the same status, the same JSON."""

import pytest

from differences import BAD_REQUEST, OF_OUTPUTS
from exact import exact
from funcd import client
from outputs import ENDED, PRINTED

NAMES = [*PRINTED, *ENDED]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_OUTPUTS])
def test_same_answer(name, seed_server, funcd_server):
    expected = client.request(seed_server.address, "GET", f"/{name}")
    answer = funcd_server.get(f"/{name}")
    why = f"seed: {expected.body[:200]!r}, funcd: {answer.body[:200]!r} {answer.reason}"
    assert answer.status == expected.status, why
    assert exact(answer.body) == exact(expected.body), why
    assert answer.header("content-type") == expected.header("content-type")
    assert (answer.reason is None) == (expected.status == 200), "it says why, and only then"


@pytest.mark.parametrize("name", OF_OUTPUTS)
def test_wanted_difference(name, seed_server, funcd_server):
    difference = OF_OUTPUTS[name]
    assert client.request(seed_server.address, "GET", f"/{name}").status == difference.seed
    answer = funcd_server.get(f"/{name}")
    assert (answer.status, answer.body) == (difference.funcd, BAD_REQUEST), difference.why


def test_cases_are_many_and_both_kinds(seed_server):
    statuses = [client.request(seed_server.address, "GET", f"/{name}").status for name in PRINTED]
    assert len(NAMES) >= 40
    assert statuses.count(200) >= 20 and statuses.count(400) >= 20
