"""kill -9 at any point of a download and of a deployment: by bytes that went, not by time."""

import json
import random
import re
import subprocess

import pytest

from funcd import guests
from funcd.binary import clean_environment, find_binary, funcd
from funcd.liar import HoldingProxy
from funcd.waiting import wait_until

NAMES = ["a", "b", "c"]


def version(number: int, padding: int = 0) -> bytes:
    return guests.prints(f'{{"v":{number}}}') + (guests.padding(number, padding) if padding else b"")


def body(number: int) -> bytes:
    return f'{{"v":{number}}}'.encode()


@pytest.fixture
def proxy(bucket):
    proxy = HoldingProxy(bucket.gateway.port)
    yield proxy
    proxy.close()


def put_all(bucket, number: int) -> None:
    for name in NAMES:
        bucket.put(f"{name}.wasm", version(number, 100_000))


def test_a_server_that_is_killed_while_it_reads(bucket, start_on, proxy):
    """Without the bucket it serves then what it has served before, or the new; never less."""
    put_all(bucket, 0)
    server = start_on(bucket, endpoint=proxy.url, poll="30s")
    server.stop()
    whole = proxy.passed
    assert whole > 300_000
    cache = server.cache
    points = [whole * step // 11 for step in range(1, 12)]
    for number, point in enumerate(points, start=1):
        put_all(bucket, number)
        proxy.hold_after(point)
        server = start_on(bucket, endpoint=proxy.url, cache=cache, ready=False, poll="100ms")
        assert proxy.held.wait(20), point
        server.kill()
        proxy.hold_after(0)
        server = start_on(bucket, "--s3-wait", "50ms", endpoint=proxy.url, cache=cache)
        for name in NAMES:
            assert server.get(f"/{name}").body in (body(number - 1), body(number)), (point, name)
        server.kill()
        proxy.hold_after(None)
        server = start_on(bucket, endpoint=proxy.url, cache=cache, poll="100ms")
        for name in NAMES:
            server.wait_body(f"/{name}", body(number))
        server.stop()


def route_of(number: int) -> str:
    return f'route = "/v{number}"\n'


def live_numbers(server, newest: int) -> list[int]:
    """Of what is served; a module is never seen under the route of another one's sidecar."""
    live = []
    for number in range(newest + 1):
        answer = server.get(f"/v{number}")
        assert answer.status == 404 or answer.body == body(number), (number, answer.body)
        if answer.status == 200:
            live.append(number)
    return live


class Deploying:
    def __init__(self, folder, source: str, env: dict):
        self.folder = folder
        self.arguments = ["deploy", folder / "hello.wasm", "--to", source]
        self.env = clean_environment(**env)
        self.source = source

    def write(self, number: int) -> None:
        (self.folder / "hello.wasm").write_bytes(version(number, 50_000))
        (self.folder / "hello.toml").write_text(route_of(number))

    def begin(self) -> subprocess.Popen:
        return subprocess.Popen([find_binary(), *map(str, self.arguments)], env=self.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, cwd=self.folder)

    def whole(self) -> int:
        """To its end; the revision's number."""
        done = funcd(*self.arguments, env=self.env, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return int(re.search(rb"revision (\d+)", done.stdout).group(1))

    def revisions(self) -> dict:
        done = funcd("revisions", "hello", "--to", self.source, "--json", env=self.env,
                     cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def check_deployments(deploying: Deploying, server, kill_at: list, kill) -> None:
    """Each is killed at its moment: what is live is whole, and the next one gets through."""
    newest = 0
    revision = 1
    for moment in kill_at:
        newest += 1
        deploying.write(newest)
        kill(deploying, moment)
        deploying.revisions()  # can be read
        wait_until(lambda: live_numbers(server, newest), f"something is live after {moment}")
        newest += 1
        deploying.write(newest)
        number = deploying.whole()
        assert number > revision, moment
        revision = number
        wait_until(lambda: live_numbers(server, newest) == [newest], f"{newest} is live")


def test_a_deployment_that_is_killed(bucket, start_on, proxy, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    env = bucket.gateway.environment | {"AWS_ENDPOINT_URL": proxy.url}
    deploying = Deploying(folder, bucket.url, env)
    deploying.write(0)
    assert deploying.whole() == 1
    whole = proxy.passed
    server = start_on(bucket, poll="100ms")
    assert live_numbers(server, 0) == [0]

    def kill(deploying, point):
        proxy.hold_after(point)
        process = deploying.begin()
        assert proxy.held.wait(20), point
        process.kill()
        process.wait(timeout=20)
        proxy.hold_after(None)

    check_deployments(deploying, server, [whole * step // 13 for step in range(13)], kill)


@pytest.mark.parametrize("seed", range(2))
def test_a_deployment_to_a_folder_that_is_killed(folder, start, tmp_path, seed):
    mine = tmp_path / "mine"
    mine.mkdir()
    deploying = Deploying(mine, str(folder.path), {})
    deploying.write(0)
    assert deploying.whole() == 1
    server = start()
    choose = random.Random(seed)

    def kill(deploying, moment):
        process = deploying.begin()
        try:
            process.wait(timeout=moment)  # the moment itself is what is tested
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=20)

    check_deployments(deploying, server, [choose.random() * 0.06 for _ in range(8)], kill)
