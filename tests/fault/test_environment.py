"""What surrounds the server: ports, folders, files, signals."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess

import pytest

from funcd import client, guests
from funcd.binary import clean_environment, find_binary, funcd
from funcd.examples import component
from funcd.privileges import obey_permissions
from funcd.waiting import is_sanitized, wait_until

HELLO = b'{"hello":"world"}'


def refused(*arguments, code: int = 1, **options) -> str:
    """stderr of a command that must end by itself with this code, and explain itself."""
    done = funcd(*arguments, timeout=20, **options)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("funcd: "), done.stderr
    return done.stderr


@pytest.mark.parametrize("which", ["--listen", "--admin"])
def test_a_port_in_use(folder, which):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = "--admin" if which == "--listen" else "--listen"
        said = refused("serve", folder.path, which, f"127.0.0.1:{port}", other, "127.0.0.1:0")
    assert f"127.0.0.1:{port}" in said and "in use" in said
    assert which in said, "the remedy: another address by this flag"


def test_a_port_that_another_funcd_has(folder, start):
    """SO_REUSEPORT must not let two servers share a port unnoticed."""
    server = start()
    port = server.address[1]
    said = refused("serve", folder.path, "--listen", f"127.0.0.1:{port}", "--admin", "off")
    assert "in use" in said and server.is_alive()


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:-1",
                                     "127.0.0.1:x", ":", "300.1.1.1:80"])
def test_an_address_that_is_none(folder, address):
    done = funcd("serve", folder.path, "--listen", address, "--admin", "off", timeout=20)
    assert done.returncode in (1, 2) and address in done.stderr


def test_an_address_of_another_machine(folder):
    said = refused("serve", folder.path, "--listen", "192.0.2.1:8000", "--admin", "off")
    assert "192.0.2.1:8000" in said


def test_a_folder_that_does_not_exist(tmp_path):
    said = refused("serve", tmp_path / "nowhere", "--listen", "127.0.0.1:0", "--admin", "off")
    assert str(tmp_path / "nowhere") in said


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    said = refused("serve", tmp_path / "file", "--listen", "127.0.0.1:0", "--admin", "off")
    assert str(tmp_path / "file") in said


def test_a_folder_that_cannot_be_read(folder):
    os.chmod(folder.path, 0)
    try:
        said = refused("serve", folder.path, "--listen", "127.0.0.1:0", "--admin", "off",
                       preexec=obey_permissions)
        assert str(folder.path) in said and "permission" in said.lower()
    finally:
        os.chmod(folder.path, 0o755)


def test_a_subfolder_that_cannot_be_read(folder, start):
    folder.put("hello", guests.prints(HELLO))
    folder.put("closed/one", guests.prints(HELLO))
    os.chmod(folder / "closed", 0)
    try:
        server = start(preexec=obey_permissions)
        assert server.get("/hello").body == HELLO and "closed" in str(server.problems())
    finally:
        os.chmod(folder / "closed", 0o755)


def test_the_folder_goes_away_and_comes_back(folder, start):
    """What was good stays served: a folder that is not there is no order to serve nothing."""
    folder.put("hello", guests.prints(HELLO))
    server = start()
    os.rename(folder.path, folder.path.parent / "moved")
    wait_until(lambda: server.admin("/v1/status").json["source_error"], "the status says so")
    assert server.get("/hello").body == HELLO
    folder.path.mkdir()
    folder.put("again", guests.prints(HELLO))
    server.wait_body("/again", HELLO)
    wait_until(lambda: not server.admin("/v1/status").json["source_error"], "the status is good")


def test_the_folder_is_replaced_by_a_rename(folder, start):
    folder.put("hello", guests.prints(HELLO))
    server = start()
    os.rename(folder.path, folder.path.parent / "old")
    shutil.copytree(folder.path.parent / "old", folder.path)
    folder.put("hello", guests.prints('{"v":2}'))
    server.wait_body("/hello", '{"v":2}')


def test_a_broken_pipe(folder, start):
    folder.put("hello", guests.prints(HELLO))
    server = start()
    server.process.send_signal(signal.SIGPIPE)
    assert server.get("/hello").body == HELLO


def test_a_supervisor_that_stops_reading(folder):
    """stdout and stderr have no reader any more: the server goes on."""
    folder.put("hello", guests.prints(HELLO))
    process = subprocess.Popen(
        [find_binary(), "serve", folder.path, "--listen", "127.0.0.1:0", "--admin", "off",
         "--access-log", "--cache-dir", folder.path.parent / "cache"],
        env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    try:
        said = b""
        while not (found := re.search(rb"listening on http://([\d.]+):(\d+)\n", said)):
            said += process.stdout.read(4096) or pytest.fail(f"it ended: {said!r}")
        process.stdout.close()
        process.stderr.close()
        address = (found.group(1).decode(), int(found.group(2)))
        wait_until(lambda: client.request(address, "GET", "/hello").body == HELLO, "it serves")
        for _ in range(50):
            assert client.request(address, "GET", "/hello").body == HELLO
        process.terminate()
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()


def test_few_descriptors(folder, start):
    """Connections past the limit of open files wait or are closed; the server lives on."""
    folder.put("hello", guests.prints(HELLO))
    server = start(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    connections = []
    try:
        for _ in range(100):
            connections.append(server.connect(timeout=5))
    finally:
        for connection in connections:
            connection.close()
    wait_until(lambda: server.get("/hello").body == HELLO, "it serves again")


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer has more addresses of its own")
def test_few_addresses(folder, start):
    """Pools reserve addresses, of which `ulimit -v` leaves few: then there are fewer instances."""
    folder.put("hello", guests.prints(HELLO))
    folder.put("component", component("hello"))
    few = 2 << 40
    server = start(preexec=lambda: resource.setrlimit(resource.RLIMIT_AS, (few, few)))
    assert server.get("/hello").body == HELLO
    assert server.get("/component").body == b"hello"
    assert 16 <= server.admin("/v1/status").json["engine"]["instances_max"] < 500


@pytest.mark.parametrize(("config", "words"), [
    ("listne = '127.0.0.1:0'\n", [":1", "listne", "listen"]),
    ("workers = 'two'\n", [":1", "workers"]),
    ("workers = 0\n", [":1", "workers"]),
    ("errors = 'vague'\n", [":1", "vague", "precise"]),
    ("\n[limits]\ntimeout = 'soon'\n", [":3", "soon"]),
    ("[limits]\nmemroy = '1MiB'\n", [":2", "memroy", "memory"]),
    ("[limits\n", [":1"]),
])
def test_a_config_file_with_a_mistake(folder, tmp_path, config, words):
    file = tmp_path / "funcd.toml"
    file.write_text(config)
    said = funcd("serve", folder.path, "--config", file, timeout=20)
    assert said.returncode in (1, 2)
    assert str(file) in said.stderr and all(word in said.stderr for word in words), said.stderr


def test_a_config_file_that_is_not_there(folder, tmp_path):
    done = funcd("serve", folder.path, "--config", tmp_path / "none.toml", timeout=20)
    assert done.returncode in (1, 2) and "none.toml" in done.stderr


def test_an_environment_variable_with_a_mistake(folder):
    done = funcd("serve", folder.path, env=clean_environment(FUNCD_WORKERS="many"), timeout=20)
    assert done.returncode in (1, 2) and "FUNCD_WORKERS" in done.stderr
