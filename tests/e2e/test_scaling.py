"""Three nodes that share nothing but a bucket, behind haproxy, under load."""

import subprocess
import threading

import pytest

from funcd import client, guests
from funcd.binary import clean_environment, funcd
from funcd.bucket import free_port
from funcd.waiting import wait_until

CLIENTS = 4
CONFIG = """
global
    maxconn 200
defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 20s
    option redispatch
    retries 3
    retry-on conn-failure empty-response
frontend public
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
"""
NODE = "    server {name} {host}:{port} check addr 127.0.0.1 port {admin} inter 100ms fall 1 rise 1\n"


def version(number: int) -> bytes:
    return guests.prints(f'{{"v":{number}}}')


def body(number: int) -> bytes:
    return f'{{"v":{number}}}'.encode()


class Load:
    """Asks without a pause, and keeps what was no good."""

    def __init__(self, address: tuple[str, int], bodies: set[bytes]):
        self.failures: list[str] = []
        self.seen: dict[bytes, int] = {}
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(address, bodies), daemon=True)
                         for _ in range(CLIENTS)]

    def _ask(self, address, bodies):
        while not self._is_over.is_set():
            try:
                answer = client.request(address, "GET", "/hello", timeout=20)
                what = None if answer.status == 200 and answer.body in bodies else repr(answer)
            except Exception as failure:  # whatever it is: the client has no answer
                answer, what = None, repr(failure)
            with self._lock:
                if what:
                    self.failures.append(what)
                else:
                    self.seen[answer.body] = self.seen.get(answer.body, 0) + 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        for thread in self._threads:
            thread.join(timeout=30)


@pytest.fixture
def balance(tmp_path):
    """Starts haproxy before nodes; returns its address."""
    processes = []

    def start(nodes) -> tuple[str, int]:
        port = free_port()
        config = CONFIG.format(port=port) + "".join(
            NODE.format(name=f"node{number}", host=node.address[0], port=node.address[1],
                        admin=node.admin_address[1]) for number, node in enumerate(nodes))
        file = tmp_path / "haproxy.cfg"
        file.write_text(config)
        log = open(tmp_path / "haproxy.log", "wb")
        processes.append(subprocess.Popen(["haproxy", "-db", "-f", file], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log))
        log.close()

        def answers() -> bool:
            assert processes[-1].poll() is None, (tmp_path / "haproxy.log").read_text()
            try:
                return client.request(("127.0.0.1", port), "GET", "/hello").status == 200
            except (OSError, client.Closed):
                return False

        wait_until(answers, "haproxy answers")
        return "127.0.0.1", port

    yield start
    for process in processes:
        process.kill()
        process.wait(timeout=20)


def test_deploys_a_rollback_an_outage_and_a_killed_node(bucket, start_on, balance, tmp_path):
    bucket.put("hello.wasm", version(0))
    nodes = [start_on(bucket, cache=tmp_path / f"cache{number}") for number in range(3)]
    address = balance(nodes)
    env = clean_environment(**bucket.gateway.environment, FUNCD_S3_ENDPOINT=bucket.gateway.url)

    def command(verb: str, *arguments):
        done = funcd(verb, *arguments, "--to", bucket.url, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr

    def wait_everywhere(number: int, those):
        for node in those:
            node.wait_body("/hello", body(number), seconds=5)

    with Load(address, {body(number) for number in range(6)}) as load:
        for number in range(1, 5):
            (tmp_path / "hello.wasm").write_bytes(version(number))
            command("deploy", "hello.wasm")
            wait_everywhere(number, nodes)
        command("rollback", "hello", "2")
        wait_everywhere(1, nodes)
        bucket.gateway.stop()
        for node in nodes:
            wait_until(lambda: node.admin("/v1/status").json["source_error"], "the bucket is away")
        before = sum(load.seen.values())
        wait_until(lambda: sum(load.seen.values()) > before + 50, "it goes on without the bucket")
        bucket.gateway.start()
        nodes[0].kill()
        before = sum(load.seen.values())
        wait_until(lambda: sum(load.seen.values()) > before + 200, "it goes on with two nodes")
        (tmp_path / "hello.wasm").write_bytes(version(5))
        command("deploy", "hello.wasm")
        wait_everywhere(5, nodes[1:])
        wait_until(lambda: load.seen.get(body(5), 0) > 50, "the last one answers")
    assert load.failures == [], load.failures[:5]
    assert set(load.seen) == {body(number) for number in range(6)}
