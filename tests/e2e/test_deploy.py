"""funcd deploy, revisions and rollback, into a folder and into a bucket."""

import json
import threading

import pytest

from funcd import guests
from funcd.binary import clean_environment, funcd
from funcd.bucket import Bucket
from funcd.folder import Folder
from funcd.waiting import wait_until


def version(number: int) -> bytes:
    return guests.prints(f'{{"v":{number}}}')


def body(number: int) -> bytes:
    return f'{{"v":{number}}}'.encode()


class Target:
    """A source, a server on it, and the commands that change it."""

    def __init__(self, storage: Folder | Bucket, server, folder):
        self.storage = storage
        self.is_bucket = isinstance(storage, Bucket)
        self.source = storage.url if self.is_bucket else str(storage.path)
        env = {}
        if self.is_bucket:
            env = storage.gateway.environment | {"FUNCD_S3_ENDPOINT": storage.gateway.url}
        self.server = server
        self.env = clean_environment(**env)
        self.folder = folder
        folder.mkdir()

    def run(self, *arguments, code: int = 0):
        done = funcd(*arguments, "--to", self.source, env=self.env, cwd=self.folder)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    def deploy(self, file: str, content: bytes, *flags, sidecar: str | None = None, code: int = 0,
               wait: bool = True):
        (self.folder / file).write_bytes(content)
        beside = (self.folder / file).with_suffix(".toml")
        beside.unlink(missing_ok=True)
        if sidecar is not None:
            beside.write_text(sidecar)
        waiting = ["--wait", "--admin", "%s:%d" % self.server.admin_address] if wait else []
        return self.run("deploy", file, *flags, *waiting, code=code)

    # Past funcd deploy, as people do it.
    def put(self, path: str, content: bytes | str) -> None:
        put = self.storage.put if self.is_bucket else self.storage.put_file
        put(path, content)

    def read(self, path: str) -> bytes:
        if self.is_bucket:
            return self.storage.get(path)
        return (self.storage / path).read_bytes()

    def rollback(self, name: str, *number):
        return self.run("rollback", name, *number, "--wait", "--admin",
                        "%s:%d" % self.server.admin_address)

    def revisions(self, name: str) -> list[dict]:
        return json.loads(self.run("revisions", name, "--json").stdout)["revisions"]


@pytest.fixture(params=["folder", "bucket"])
def target(request, tmp_path) -> Target:
    if request.param == "folder":
        folder = request.getfixturevalue("folder")
        server = request.getfixturevalue("start")()
        return Target(folder, server, tmp_path / "work")
    bucket = request.getfixturevalue("bucket")
    bucket.put("README", "something has to be there")
    server = request.getfixturevalue("start_on")(bucket, poll="10m")
    return Target(bucket, server, tmp_path / "work")


def test_deploy_and_roll_back(target):
    for number in range(1, 4):
        done = target.deploy("hello.wasm", version(number))
        assert f"hello: revision {number} is live on {target.source}" in done.stdout.decode()
        assert target.server.get("/hello").body == body(number)
    target.rollback("hello")
    assert target.server.get("/hello").body == body(2)
    target.rollback("hello", 1)
    assert target.server.get("/hello").body == body(1)
    assert [each["number"] for each in target.revisions("hello") if each["is_live"]] == [1]
    target.deploy("hello.wasm", version(9))
    assert target.server.get("/hello").body == body(9)
    assert [each["number"] for each in target.revisions("hello")] == [1, 2, 3, 4]
    assert target.server.problems() == {}


def test_without_a_source_it_is_that_of_the_server(target):
    (target.folder / "hello.wasm").write_bytes(version(1))
    admin = ("--admin", "%s:%d" % target.server.admin_address)

    def said(*arguments, code=0):
        done = funcd(*arguments, *admin, env=target.env, cwd=target.folder)
        assert done.returncode == code, done.stderr
        return done.stdout.decode() + done.stderr

    assert f"revision 1 is live on {target.source}" in said("deploy", "hello.wasm", "--wait")
    assert target.server.get("/hello").body == body(1)
    assert "deployed" in said("revisions", "hello")
    assert "no revision before 1" in said("rollback", "hello", code=1)
    target.server.stop()
    assert "or name the source with --to" in said("deploy", "hello.wasm", code=1)


def test_the_sidecar_belongs_to_the_revision(target):
    target.deploy("hello.wasm", guests.echoes_data(), "--name", "api/hello",
                  sidecar='route = "/greet"\n[input]\nv = 1\n')
    assert target.server.get("/greet").body == b'{"v":1}'
    target.deploy("hello.wasm", guests.echoes_data(), "--name", "api/hello",
                  sidecar='route = "/greet"\n[input]\nv = 2\n')
    assert target.server.get("/greet").body == b'{"v":2}', "the module is the same"
    target.deploy("hello.wasm", version(3), "--name", "api/hello", sidecar="")
    assert target.server.get("/greet").status == 404
    assert target.server.get("/api/hello").body == body(3), "an empty one takes it away"
    target.rollback("api/hello", 1)
    assert target.server.get("/greet").body == b'{"v":1}'


def test_without_a_sidecar_the_function_keeps_its_own(target):
    """Here one that was written by hand, in the source, and never deployed."""
    (target.folder / "item.schema.json").write_text('{"type":"object","properties":{"v":{}}}')
    sidecar = ('[env]\nA = "1"\n[request]\nschema = "item.schema.json"\n'
               '[response]\nschema = "item.schema.json"\n')
    target.put("api/item.schema.json", '{"type":"object","properties":{"w":{}}}')
    target.put("api/item.toml", sidecar)
    target.put("api/item.wasm", guests.prints(b'{"v":1,"w":1}'))
    target.server.admin("/v1/source/refresh", method="POST")
    wait_until(lambda: target.server.get("/api/item").status == 200, "it is live")
    for number in (2, 3):
        done = target.deploy("item.wasm", guests.prints(f'{{"v":{number},"w":{number}}}'),
                             "--name", "api/item")
        assert done.stdout.decode().splitlines()[1:] == ["api/item: keeps api/item.toml"]
        assert target.server.get("/api/item").json == {"w": number}
    assert target.read("api/item.toml") == sidecar.encode()
    # As a canary too, and in JSON.
    done = target.deploy("item.wasm", guests.prints(b'{"v":4,"w":4}'), "--name", "api/item",
                         "--canary", "100%", "--json")
    assert json.loads(done.stdout)["kept_sidecar"] == "api/item.toml"
    assert target.server.get("/api/item").json == {"w": 4}
    # It belongs to the revision: it comes back with it.
    target.deploy("item.wasm", guests.prints(b'{"v":5}'), "--name", "api/item", sidecar="")
    assert target.read("api/item.toml") == b""
    done = target.deploy("item.wasm", guests.prints(b'{"v":6}'), "--name", "api/item")
    assert "keeps" not in done.stdout.decode(), "there is none"
    target.rollback("api/item", 3)
    assert target.server.get("/api/item").json == {"w": 3}


def test_a_kept_sidecar_that_is_wrong_is_told(target):
    target.put("hello.toml", "rouet = 1\n")
    done = target.deploy("hello.wasm", version(1), code=1)
    assert "hello.toml:1: unknown key 'rouet'" in done.stderr
    assert "that is the sidecar of hello in the source" in done.stderr
    assert target.read("hello.toml") == b"rouet = 1\n"
    target.deploy("hello.wasm", version(1), sidecar="")
    assert target.server.get("/hello").body == body(1)


def test_schemas_come_along(target):
    (target.folder / "item.schema.json").write_text(
        '{"type":"object","properties":{"v":{"type":"integer"}},"required":["v"]}')
    target.deploy("item.wasm", guests.prints(b'{"v":7,"w":8}'), sidecar='[response]\nschema = "item.schema.json"\n')
    assert target.server.get("/item").json == {"v": 7}, "what the schema does not name is dropped"


def test_waiting_ends_when_a_schema_that_changed_alone_answers(target):
    sidecar = '[response]\nschema = "item.schema.json"\n'
    for number in range(20):
        wanted = "vw"[number % 2]
        (target.folder / "item.schema.json").write_text(
            json.dumps({"type": "object", "properties": {wanted: {"type": "integer"}}}))
        target.deploy("item.wasm", guests.prints(b'{"v":7,"w":8}'), "--name", "api/item",
                      sidecar=sidecar)
        assert list(target.server.get("/api/item").json) == [wanted], number


def test_what_is_refused_says_why_and_changes_nothing(target):
    target.deploy("hello.wasm", version(1))
    done = target.deploy("hello.wasm", b"no module", code=1)
    assert "hello.wasm: not a WebAssembly module" in done.stderr
    done = target.deploy("hello.wasm", version(2), sidecar="rouet = 1\n", code=1)
    assert "unknown key 'rouet'" in done.stderr
    target.deploy("hello.wasm", version(2), "--timeout", "5x", code=2)
    assert len(target.revisions("hello")) == 1
    # What only the server can tell, it tells the one who waits.
    done = target.deploy("hello.wasm", version(2), code=1,
                         sidecar='[smoke]\npath = "/hello"\nexpect_status = 204\n')
    assert "its smoke request GET /hello was answered with 200" in done.stderr
    assert target.server.get("/hello").body == body(1)
    target.rollback("hello")
    assert target.server.wait_state("hello", "live")["error"] is None


def test_what_was_changed_by_hand_is_no_revision(target):
    target.deploy("hello.wasm", version(1))
    target.deploy("hello.wasm", version(2))
    target.put("hello.wasm", version(3))
    assert not [each for each in target.revisions("hello") if each["is_live"]]
    assert json.loads(target.run("revisions", "hello", "--json").stdout)["is_changed_by_hand"]
    told = target.run("revisions", "hello").stdout.decode()
    assert "*" not in told
    assert "hello: what is live was not deployed: its module, sidecar or a schema was changed" in told
    # It becomes one with the next change: the way back leads to what was deployed last, and to it.
    target.rollback("hello")
    assert [each["number"] for each in target.revisions("hello") if each["is_live"]] == [2]
    assert target.revisions("hello")[2]["note"] == "found"
    target.rollback("hello", "3")
    assert target.server.get("/hello").body == body(3)
    target.put("hello.wasm", version(1))
    assert [each["number"] for each in target.revisions("hello") if each["is_live"]] == [1]
    assert not json.loads(target.run("revisions", "hello", "--json").stdout)["is_changed_by_hand"]


def test_names_and_numbers_that_are_not_there(target):
    done = target.run("revisions", "hello", code=1)
    assert "hello: has no revisions in" in done.stderr
    assert "has no revisions" in target.run("rollback", "hello", code=1).stderr
    target.deploy("hello.wasm", version(1))
    assert "there is no revision before 1" in target.run("rollback", "hello", code=1).stderr
    assert "there is no revision 7" in target.run("rollback", "hello", "7", code=1).stderr
    done = target.deploy("Bad Name.wasm", version(1), code=1)
    assert "name the function with --name" in done.stderr


def test_several_at_once_each_get_a_number_and_the_last_one_stays(target):
    target.deploy("hello.wasm", version(0))
    failures = []

    def deploy(number: int):
        try:
            file = f"v{number}.wasm"
            target.deploy(file, version(number), "--name", "hello", wait=False)
        except AssertionError as failure:
            failures.append(failure)

    threads = [threading.Thread(target=deploy, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    revisions = target.revisions("hello")
    assert [each["number"] for each in revisions] == list(range(1, 8))
    live = next(each for each in revisions if each["is_live"])
    assert live["number"] == 7
    target.server.admin("/v1/source/refresh", method="POST")
    wait_until(lambda: target.server.functions()["hello"]["digest"] == live["digest"],
               "the last one is live")


def test_what_lay_there_before_is_the_first_revision(bucket, start_on, tmp_path):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket)
    target = Target(bucket, server, tmp_path / "work")
    target.deploy("hello.wasm", version(2))
    assert [each["note"] for each in target.revisions("hello")] == ["found", "deployed"]
    target.rollback("hello")
    assert server.get("/hello").body == body(1)


def test_a_sidecar_waits_for_its_module(bucket, start_on, tmp_path):
    """A deployment that is cut short between the two changes nothing."""
    bucket.put("README", "x")
    server = start_on(bucket)
    target = Target(bucket, server, tmp_path / "work")
    target.deploy("hello.wasm", version(1), sidecar="[limits]\nconcurrency = 3\n")
    bucket.put("hello.toml", 'route = "/elsewhere"\n', {"x-amz-meta-funcd-module": "0" * 64})
    wait_until(lambda: "hello.toml" in server.problems(), "it is reported")
    assert "another hello.wasm, which is not there yet" in server.problems()["hello.toml"]
    assert server.get("/hello").body == body(1) and server.get("/elsewhere").status == 404
    # By whatever means a module comes after it: that one counts.
    wait_until(lambda: bucket.put("hello.wasm", version(5))
               or server.get("/elsewhere").body == body(5), "both are taken")


def test_old_revisions_go(folder, start, tmp_path):
    server = start()
    target = Target(folder, server, tmp_path / "work")
    for number in range(53):
        target.deploy("hello.wasm", version(number), wait=False)
    numbers = [each["number"] for each in target.revisions("hello")]
    assert numbers == list(range(4, 54))
    kept = [path for path in (folder / ".funcd/hello").iterdir() if len(path.name) == 64]
    assert len(kept) == 50
    server.wait_body("/hello", body(52))
