"""Canaries: a share of a function's requests for another revision, in a folder and in a bucket."""

import json
import math

import pytest

from funcd import client, guests
from funcd.binary import clean_environment, funcd
from funcd.waiting import wait_until

STABLE, CANARY = b'{"v":1}', b'{"v":2}'
COOKIE = "funcd-client"


class Rollout:
    """A source, a server on it, and the commands that change it."""

    def __init__(self, source: str, server, env: dict, folder, put):
        self.source = source
        self.server = server
        self.env = clean_environment(**env)
        self.folder = folder
        self.put = put  # a file into the source, by hand
        folder.mkdir()

    def run(self, *arguments, code: int = 0):
        done = funcd(*arguments, "--to", self.source, env=self.env, cwd=self.folder)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stderr if code else done.stdout.decode()

    @property
    def waiting(self) -> list[str]:
        return ["--wait", "--admin", "%s:%d" % self.server.admin_address]

    def deploy(self, content: bytes, *flags, sidecar: str | None = None, code: int = 0):
        (self.folder / "hello.wasm").write_bytes(content)
        beside = self.folder / "hello.toml"
        beside.unlink(missing_ok=True)
        if sidecar is not None:
            beside.write_text(sidecar)
        return self.run("deploy", "hello.wasm", *flags, *self.waiting, code=code)

    def change(self, *arguments, code: int = 0):
        return self.run(*arguments, *self.waiting, code=code)

    def revisions(self) -> list[dict]:
        return json.loads(self.run("revisions", "hello", "--json"))["revisions"]


@pytest.fixture(params=["folder", "bucket"])
def rollout(request, tmp_path) -> Rollout:
    if request.param == "folder":
        folder = request.getfixturevalue("folder")
        server = request.getfixturevalue("start")("--access-log")
        return Rollout(str(folder.path), server, {}, tmp_path / "work", folder.put_file)
    bucket = request.getfixturevalue("bucket")
    bucket.put("README", "something has to be there")
    server = request.getfixturevalue("start_on")(bucket, "--access-log")
    env = bucket.gateway.environment | {"FUNCD_S3_ENDPOINT": bucket.gateway.url}
    return Rollout(bucket.url, server, env, tmp_path / "work", bucket.put)


def is_canary(connection: client.Connection, **headers) -> bool:
    """Which side answers; every answer is one of the two."""
    answer = connection.request("GET", "/hello", headers=headers or None)
    assert answer.status == 200 and answer.body in (STABLE, CANARY), answer
    return answer.body == CANARY


def expect_share(count: int, requests: int, share: float):
    """Six standard deviations: one run in 500 million is wrong by chance."""
    slack = 6 * math.sqrt(requests * share * (1 - share))
    assert abs(count - requests * share) <= slack, f"{count} of {requests}, wanted {share}"


def test_five_percent_of_ten_thousand(rollout):
    rollout.deploy(guests.prints(STABLE))
    said = rollout.deploy(guests.prints(CANARY), "--canary", "5%")
    assert f"hello: revision 2 is a canary on {rollout.source}, for 5% of the requests" in said
    with rollout.server.connect() as connection:
        met = sum(is_canary(connection) for _ in range(10_000))
        expect_share(met, 10_000, 0.05)
        answer = connection.request("GET", "/hello")
        assert answer.header("set-cookie") is None, "nobody has asked for it"
    page = rollout.server.metrics()
    assert page.sum("funcd_canary_weight", function="hello") == 0.05
    counted = page.sum("funcd_requests_total", function="hello", revision="canary", code="2xx")
    assert counted in (met, met + 1), "the last one may have met it"
    assert page.sum("funcd_requests_total", function="hello") == 10_001
    entry = rollout.server.functions()["hello@2"]
    assert entry["canary"] == {"of": "hello", "number": 2, "weight": "5%", "sticky": "none"}
    assert rollout.server.functions()["hello"]["canary"] is None
    rollout.server.stderr.wait_for(r"request .*function=hello@2 ")
    rollout.server.stderr.wait_for(r"request .*function=hello ")


def test_each_change_in_json(rollout):
    def said(output: str) -> dict:
        told = json.loads(output)
        assert told.pop("function") == "hello" and told.pop("source") == rollout.source
        assert told.pop("is_live") is True
        digests = {each["number"]: each["digest"] for each in rollout.revisions()}
        assert told.pop("digest") == digests[told["revision"]]
        return told

    assert said(rollout.deploy(guests.prints(STABLE), "--json")) == {
        "revision": 1, "canary": None, "dropped_canary": None}
    assert said(rollout.deploy(guests.prints(CANARY), "--canary", "5%", "--json")) == {
        "revision": 2, "canary": "5%", "dropped_canary": None}
    assert said(rollout.change("canary", "hello", "20%", "--json")) == {
        "revision": 2, "canary": "20%", "dropped_canary": None}
    assert said(rollout.change("rollback", "hello", "--json")) == {
        "revision": 1, "canary": None, "dropped_canary": 2}
    rollout.change("canary", "hello", "50%", "--revision", "2")
    promoted = said(rollout.change("promote", "hello", "--json"))
    assert (promoted["revision"], promoted["canary"]) == (2, None)


def cookie_of(answer: client.Response) -> str:
    value = answer.header("set-cookie")
    name, _, rest = value.partition("=")
    assert name == COOKIE, value
    assert rest.partition("; ")[2] == "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
    return rest.partition(";")[0]


def test_a_cookie_keeps_its_client_as_the_weight_grows(rollout):
    rollout.deploy(guests.prints(STABLE))
    rollout.deploy(guests.prints(CANARY), "--canary", "20%", "--sticky", "cookie")
    sides = {}
    with rollout.server.connect() as connection:
        for _ in range(400):
            answer = connection.request("GET", "/hello")
            sides[cookie_of(answer)] = answer.body == CANARY
        assert len(sides) == 400
        expect_share(sum(sides.values()), 400, 0.2)
        answer = connection.request("GET", "/hello", headers={"cookie": f"a=b; {COOKIE}=x"})
        assert answer.header("set-cookie") is None
        for weight, share in (("20%", 0.2), ("50%", 0.5), ("90%", 0.9), ("100%", 1.0)):
            said = rollout.change("canary", "hello", weight)
            assert f"for {weight} of the requests" in said
            for value, was_canary in sides.items():
                sides[value] = is_canary(connection, cookie=f"{COOKIE}={value}")
                assert sides[value] or not was_canary, "nobody goes back"
            expect_share(sum(sides.values()), 400, share)
        said = rollout.change("promote", "hello")
        assert f"hello: revision 2 is live on {rollout.source}" in said
        assert all(is_canary(connection, cookie=f"{COOKIE}={value}") for value in sides)
    wait_until(lambda: list(rollout.server.functions()) == ["hello"], "the canary is gone")


def test_a_header_names_the_client(rollout):
    rollout.deploy(guests.prints(STABLE))
    rollout.deploy(guests.prints(CANARY), "--canary", "25%", "--sticky", "header:X-User")
    with rollout.server.connect() as connection:
        def sides():
            return [is_canary(connection, **{"x-user": f"user{n}"}) for n in range(400)]
        first = sides()
        expect_share(sum(first), 400, 0.25)
        assert sides() == first
        rollout.change("canary", "hello", "60%")
        assert all(later or not before for before, later in zip(first, sides()))
        assert len({is_canary(connection) for _ in range(200)}) == 2, "who has none is drawn"


def test_promote_and_rollback(rollout):
    rollout.deploy(guests.prints(STABLE))
    said = rollout.run("promote", "hello", code=1)
    assert "hello: has no canary that funcd deploy has made" in said
    rollout.deploy(guests.prints(b'{"v":3}'), "--canary", "5%")
    assert [each["canary"] for each in rollout.revisions()] == [
        None, {"weight": "5%", "sticky": "none"}]
    said = rollout.change("rollback", "hello")
    assert "revision 1 is live" in said and "its canary, revision 2, is dropped" in said
    assert list(rollout.server.functions()) == ["hello"]
    rollout.deploy(guests.prints(CANARY), "--canary", "100%")
    assert rollout.server.get("/hello").body == CANARY
    rollout.change("promote", "hello")
    assert rollout.server.get("/hello").body == CANARY
    rollout.change("rollback", "hello", "1")
    assert rollout.server.get("/hello").body == STABLE
    # A revision that is kept can be it, and a deployment for all drops it.
    rollout.change("canary", "hello", "100%", "--revision", "3")
    assert rollout.server.get("/hello").body == CANARY
    said = rollout.deploy(guests.prints(b'{"v":4}'))
    assert "its canary, revision 3, is dropped" in said
    assert rollout.server.get("/hello").body == b'{"v":4}'
    assert rollout.server.problems() == {}


def test_a_bad_canary_gets_nothing(rollout):
    rollout.deploy(guests.prints(STABLE))
    smoke = '[smoke]\npath = "/hello"\nexpect_status = 204\n'
    said = rollout.deploy(guests.prints(CANARY), "--canary", "100%", sidecar=smoke, code=1)
    assert "hello@2.wasm: its smoke request GET /hello was answered with 200" in said
    said = rollout.deploy(guests.prints(CANARY), "--canary", "100%",
                          sidecar='route = "/elsewhere"\n', code=1)
    assert "its route is /elsewhere, and that of hello.wasm is /hello" in said
    assert rollout.server.get("/hello").body == STABLE
    assert rollout.server.get("/elsewhere").status == 404
    entry = rollout.server.wait_state("hello@3", "failed")
    assert "give hello@3.toml and hello.toml one route" in entry["error"]
    assert rollout.server.functions()["hello"]["state"] == "live"
    done = funcd("status", "--admin", "%s:%d" % rollout.server.admin_address)
    assert done.returncode == 1 and b"hello@3" in done.stdout
    rollout.change("rollback", "hello")
    assert list(rollout.server.functions()) == ["hello"]


def test_what_is_wrong_is_told(rollout):
    said = rollout.deploy(guests.prints(CANARY), "--canary", "5%", code=1)
    assert "hello: is not there yet, so there is nothing to be a canary of" in said
    rollout.deploy(guests.prints(STABLE))
    for flags, why in ((("--canary", "5"), "'5' is no weight"),
                       (("--canary", "101%"), "'101%' is no weight"),
                       (("--canary", "5%", "--sticky", "ip"), "'ip' holds no client")):
        assert why in rollout.deploy(guests.prints(CANARY), *flags, code=2)
    said = rollout.deploy(guests.prints(CANARY), "--canary", "5%",
                          sidecar='[canary]\nweight = "5%"\n', code=1)
    assert "[canary] is written by funcd deploy --canary; remove it" in said
    assert "hello: has no canary" in rollout.run("canary", "hello", "5%", code=1)
    assert len(rollout.revisions()) == 1


def test_by_hand(rollout):
    """Plain files: whoever can put a file there needs no command."""
    rollout.put("hello.wasm", guests.prints(STABLE))
    rollout.server.wait_body("/hello", STABLE)
    rollout.put("hello@7.wasm", guests.prints(CANARY))
    entry = rollout.server.wait_state("hello@7", "live")
    assert entry["canary"]["weight"] == "0%"
    with rollout.server.connect() as connection:
        assert not any(is_canary(connection) for _ in range(200))
        rollout.put("hello@7.toml", '[canary]\nweight = "50%"\n')
        wait_until(lambda: rollout.server.functions()["hello@7"]["canary"]["weight"] == "50%",
                   "the weight is seen")
        expect_share(sum(is_canary(connection) for _ in range(1_000)), 1_000, 0.5)
    rollout.put("hello@7.toml", '[canary]\nweihgt = "50%"\n')
    entry = rollout.server.wait_state("hello@7", "stale")
    assert "hello@7.toml:2: unknown key 'weihgt' in [canary]; did you mean 'weight'?" in entry["error"]


def test_nodes_agree(bucket, start_on, tmp_path):
    bucket.put("hello.wasm", guests.prints(STABLE))
    nodes = [start_on(bucket, cache=tmp_path / f"cache{number}") for number in range(3)]
    env = bucket.gateway.environment | {"FUNCD_S3_ENDPOINT": bucket.gateway.url}
    rollout = Rollout(bucket.url, nodes[0], env, tmp_path / "work", bucket.put)
    rollout.deploy(guests.prints(CANARY), "--canary", "30%", "--sticky", "cookie")
    for node in nodes:
        wait_until(lambda: node.get("/hello").header("set-cookie"), "every node has it")
    connections = [node.connect() for node in nodes]
    met = 0
    for number in range(300):
        answer = connections[number % 3].request("GET", "/hello")
        sides = [is_canary(each, cookie=f"{COOKIE}={cookie_of(answer)}") for each in connections]
        assert sides == [answer.body == CANARY] * 3
        met += sides[0]
    expect_share(met, 300, 0.3)
    rollout.change("promote", "hello")
    for node in nodes:
        node.wait_body("/hello", CANARY)
        wait_until(lambda: list(node.functions()) == ["hello"], "it is gone everywhere")
    for each in connections:
        each.close()


def test_a_streamed_answer_tells_its_client_too(folder, server):
    head = b"content-type: text/plain\n\n"
    folder.put("hello", guests.prints(head + b"stable"), 'contract = "cgi"\n')
    folder.put("hello@2", guests.prints_many(head + b"x" * 60_000, 4),
               'contract = "cgi"\n[canary]\nweight = "100%"\nsticky = "cookie"\n')
    server.wait_state("hello", "live")
    server.wait_state("hello@2", "live")
    answer = server.get("/hello")
    assert answer.header("transfer-encoding") == "chunked" and len(answer.body) > 200_000
    assert cookie_of(answer)
