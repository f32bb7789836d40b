"""The same request to both servers, however odd its path."""

import json

import pytest

from differences import BAD_REQUEST, OF_REQUESTS
from exact import exact
from funcd import client

SAME = [
    ("GET", "/item"),
    ("GET", "/%69tem"),
    ("GET", "/%69%74%65%6d"),
    ("GET", "/no-such-function"),
    ("GET", "/ITEM"),
    ("GET", "/item.wasm"),
    ("GET", "/item%20"),
    ("GET", "/item%00"),
    ("GET", "/item%00.wasm"),
    ("GET", "/item%0a"),
    ("GET", "/."),
    ("GET", "/.."),
    ("GET", "/%2e"),
    ("GET", "/%2e%2e"),
    ("GET", "/..%5citem"),
    ("GET", "/%c0%ae%c0%ae"),
    ("GET", "/%ff"),
    ("GET", "/%e3%82%bc"),
    ("GET", "/%zz"),
    ("GET", "/item%"),
    ("GET", "/item;a=1"),
    ("GET", "/item,1"),
    ("GET", "/~item"),
    ("GET", "/" + "a" * 255),
    ("GET", "/" + "a" * 5000),
]


@pytest.mark.parametrize(("method", "target"), SAME, ids=lambda text: text[:30])
def test_same_answer(method, target, seed_server, funcd_server):
    expected = client.request(seed_server.address, method, target)
    answer = funcd_server.request(method, target)
    assert (answer.status, exact(answer.body)) == (expected.status, exact(expected.body))


@pytest.mark.parametrize(("method", "target"), OF_REQUESTS, ids=lambda text: text[:30])
def test_wanted_difference(method, target, seed_server, funcd_server):
    difference = OF_REQUESTS[method, target]
    assert client.request(seed_server.address, method, target).status == difference.seed
    answer = funcd_server.request(method, target)
    assert answer.status == difference.funcd, difference.why
    if answer.status == 400:
        assert answer.body == BAD_REQUEST


def test_the_function_gets_the_same_data(seed_server, funcd_server):
    """The text of DATA may differ in spaces, so the document in it is what is compared."""
    expected, answer = (exact(client.request(address, "GET", "/describe-data").body)["description"]
                        for address in (seed_server.address, funcd_server.address))
    assert exact(answer) == exact(expected)


def test_query_changes_the_data_of_funcd_only(seed_server, funcd_server):
    """The article's server has its input in its source; `?age=36` is what funcd adds."""
    def age(address):
        answer = client.request(address, "GET", "/describe-data?age=36").json
        return json.loads(answer["description"])["age"]

    assert (age(seed_server.address), age(funcd_server.address)) == (20, 36)
