"""The examples as examples/README.md calls them, and what the article's function answers."""

from __future__ import annotations

from rig import load
from rig.load import Request
from rig.server import Server

DATA = '{"name":"zztkm","age":20}'
ANSWER = b'{"name":"zztkm","age":20,"description":"This is a description"}'

EXAMPLES = (
    Request("/gojson"),
    Request("/cjson"),
    Request("/hello"),
    Request("/users/7"),
    Request("/greet?name=ada"),
    Request("/api/sum", "POST", b"[1,2,3.5]", {"content-type": "application/json"}),
    Request("/cgi/some/path?q=1"),
    Request("/files"),
    Request("/sleeper"),
)


def wait_for_all(server: Server) -> None:
    """Until every example answers: from then on nothing is compiled in the background."""
    for request in EXAMPLES:
        load.first_answer_s(server.port, request, server.started_s, None)
