"""Fixtures of all end-to-end tests, and the mark that each gets from the folder it lies in."""

import contextlib
from pathlib import Path

import pytest

from funcd.binary import ROOT, find_binary
from funcd.bucket import Bucket, Gateway
from funcd.folder import Folder
from funcd.server import Server

_MARKS = {"e2e": "e2e", "wasi": "e2e", "fault": "fault", "parity": "parity"}


def pytest_collection_modifyitems(items):
    for item in items:
        mark = _MARKS[Path(item.path).relative_to(ROOT / "tests").parts[0]]
        item.add_marker(getattr(pytest.mark, mark))


def pytest_report_header():
    return f"funcd: {find_binary()}"


@pytest.fixture
def folder(tmp_path) -> Folder:
    """An empty functions folder."""
    return Folder(tmp_path / "functions")


@pytest.fixture
def start(folder):
    """Starts servers on the test's folder; each is stopped, and judged, at the end."""
    with contextlib.ExitStack() as stack:
        def start_one(*flags, ready: bool = True, **options) -> Server:
            server = Server(options.pop("folder", folder), *flags, **options)
            stack.callback(server.stop)
            return server.wait_ready() if ready and server.admin_address else server

        yield start_one


@pytest.fixture
def server(start) -> Server:
    """A server on the test's own folder, which is empty at first."""
    return start()


@pytest.fixture
def gateway(tmp_path):
    """An S3 server of the test's own."""
    server = Gateway(tmp_path / "gateway")
    yield server.start()
    server.stop()


@pytest.fixture
def bucket(gateway) -> Bucket:
    """An empty bucket, and a prefix in it that functions are put under."""
    gateway.create_bucket("functions")
    return Bucket(gateway, "functions", "prod/")


@pytest.fixture
def start_on(start):
    """Starts servers on a bucket, which look at it often."""
    def start_one(bucket: Bucket, *flags, poll: str = "200ms", env: dict | None = None,
                  endpoint: str | None = None, **options) -> Server:
        return start("--s3-poll", poll, "--s3-endpoint", endpoint or bucket.gateway.url, *flags,
                     source=bucket.url, env=bucket.gateway.environment | (env or {}), **options)

    return start_one


@pytest.fixture(scope="module")
def serve_all(tmp_path_factory):
    """Starts one server for a module's tests: serve_all({name: wasm or (wasm, sidecar)}, ...)."""
    with contextlib.ExitStack() as stack:
        def start_one(functions: dict, *flags, files: dict | None = None, **options) -> Server:
            folder = Folder(tmp_path_factory.mktemp("served") / "functions")
            for name, content in (files or {}).items():
                folder.put_file(name, content)
            for name, function in functions.items():
                wasm, sidecar = function if isinstance(function, tuple) else (function, None)
                folder.put(name, wasm, sidecar)
            server = Server(folder, *flags, **options)
            stack.callback(server.stop)
            return server.wait_ready() if server.admin_address else server

        yield start_one
