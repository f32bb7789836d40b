"""The folder of compiled code: lost, full, damaged, shared, cut off in the middle."""

import os
import re
import resource
import shutil
import stat
import subprocess

import pytest

from funcd import guests, hostile
from funcd.folder import Folder
from funcd.privileges import obey_permissions
from funcd.waiting import wait_until

HELLO = b'{"hello":"world"}'
SLOW_BODY = b'{"slow":"compiled"}'


def entries(cache):
    """The files of compiled code; those beside them are small."""
    return [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size > 1000
            and not path.name.startswith("proofs-")]


@pytest.fixture
def hello(folder):
    folder.put("hello", guests.prints(HELLO))
    return folder


def is_from_cache(server, name="hello"):
    return server.functions()[name]["from_cache"]


def test_it_is_private(hello, start):
    server = start()
    server.wait_optimized("hello")
    assert stat.S_IMODE(server.cache.stat().st_mode) == 0o700
    assert entries(server.cache)


def test_a_second_start_finds_what_the_first_has_left(hello, start):
    first = start()
    assert not is_from_cache(first)
    first.wait_optimized("hello")
    second = start()
    assert is_from_cache(second) and second.get("/hello").body == HELLO


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "append", "zeros"])
def test_a_damaged_entry_is_not_run(hello, start, damage):
    first = start()
    first.wait_optimized("hello")
    first.stop()
    first.may_die = True
    for path in entries(first.cache):
        content = bytearray(path.read_bytes())
        if damage == "flip":
            content[len(content) // 2] ^= 1
        elif damage == "cut":
            content = content[: len(content) // 2]
        elif damage == "empty":
            content = bytearray()
        elif damage == "append":
            content += b"more"
        else:
            content = bytearray(len(content))
        path.write_bytes(content)
    second = start()
    assert second.get("/hello").body == HELLO
    wait_until(lambda: not is_from_cache(second), "compiled anew")
    second.wait_optimized("hello")
    third = start()
    assert is_from_cache(third), "and kept anew"


def wait_for_line_on(path, server) -> None:
    server.stderr.wait_for(re.escape(str(path)))


def test_a_folder_that_others_may_enter_is_not_trusted(hello, start, tmp_path):
    cache = tmp_path / "open"
    cache.mkdir()
    os.chmod(cache, 0o777)
    server = start(cache=cache)
    assert server.get("/hello").body == HELLO
    wait_for_line_on(cache, server)
    assert not entries(cache), "nothing was kept there"


def test_a_path_that_is_a_file(hello, start, tmp_path):
    cache = tmp_path / "file"
    cache.write_text("not a folder")
    server = start(cache=cache)
    assert server.get("/hello").body == HELLO
    wait_for_line_on(cache, server)
    assert cache.read_text() == "not a folder"


def mount_tmpfs(path, options: str) -> None:
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")


def test_a_full_disk(hello, start, tmp_path):
    hello.put("slow", hostile.slow_to_compile(100))
    cache = tmp_path / "small"
    mount_tmpfs(cache, "size=16k,mode=700")
    try:
        server = start(cache=cache)
        assert server.get("/hello").body == HELLO and server.get("/slow").body == SLOW_BODY
        server.wait_optimized("slow")
        wait_for_line_on(cache, server)
        server.stop()
        server.may_die = True
        assert not list(cache.glob("tmp-*")), "nothing half-written stays"
    finally:
        subprocess.run(["umount", "-l", str(cache)], check=True)


def test_a_read_only_file_system(hello, start, tmp_path):
    cache = tmp_path / "fixed"
    mount_tmpfs(cache, "mode=700")
    try:
        subprocess.run(["mount", "-o", "remount,ro", str(cache)], check=True)
        server = start(cache=cache)
        assert server.get("/hello").body == HELLO
        wait_for_line_on(cache, server)
    finally:
        subprocess.run(["umount", "-l", str(cache)], check=True)


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_folder_that_may_not_be_written(hello, start, tmp_path, mode):
    cache = tmp_path / "fixed"
    cache.mkdir(mode=mode)
    server = start(cache=cache, preexec=obey_permissions)
    assert server.get("/hello").body == HELLO
    wait_for_line_on(cache, server)


def test_a_folder_that_may_not_be_made(hello, start, tmp_path):
    parent = tmp_path / "closed"
    parent.mkdir(mode=0o500)
    server = start(cache=parent / "cache", preexec=obey_permissions)
    assert server.get("/hello").body == HELLO
    wait_for_line_on(parent / "cache", server)


def test_a_file_size_limit(hello, start):
    """As a full disk, for users who may not mount: no file may grow past 4 KiB."""
    hello.put("slow", hostile.slow_to_compile(20))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    server = start(preexec=limit)
    assert server.get("/hello").body == HELLO and server.get("/slow").body == SLOW_BODY
    # Not even the compiler's process can hand over what it has made.
    server.stderr.wait_for("function.unoptimized .*function=slow.*file too large")
    assert server.functions()["slow"]["code"] == "baseline"


def test_a_cache_that_goes_away_while_it_is_used(hello, start):
    server = start()
    shutil.rmtree(server.cache)
    hello.put("more", guests.prints('{"more":1}'))
    server.wait_body("/more", '{"more":1}')
    assert server.get("/hello").body == HELLO


def test_killed_while_it_compiles(folder, start):
    """Whatever the moment, the next start finds a usable cache."""
    for number in range(6):
        folder.put(f"slow{number}", hostile.slow_to_compile(60 + number))
    for number in range(1, 5):
        server = start(ready=False)
        wait_until(lambda: len(server.functions()) == 6 and sum(
            f["code"] == "optimized" for f in server.functions().values()) >= number,
            f"{number} of 6 are optimized")
        server.kill()
    server = start()
    assert all(f["state"] == "live" for f in server.functions().values())
    for number in range(6):
        assert server.get(f"/slow{number}").body == SLOW_BODY
        server.wait_optimized(f"slow{number}")
    kept = {path.name for path in entries(server.cache) if not path.name.startswith("tmp-")}
    assert len(kept) == 6, f"leftovers: {kept}"


def test_two_servers_share_one_cache(tmp_path, start):
    cache = tmp_path / "shared"
    folders = [Folder(tmp_path / name) for name in ("left", "right")]
    for number in range(20):
        for folder in folders:
            folder.put(f"f{number}", guests.prints(f'{{"n":{number}}}'))
    servers = [start(folder=folder, cache=cache, ready=False) for folder in folders]
    for server in servers:
        server.wait_ready()
        for number in range(20):
            assert server.get(f"/f{number}").body == f'{{"n":{number}}}'.encode()
            server.wait_optimized(f"f{number}")
    assert len(entries(cache)) == 20
    third = start(folder=folders[0], cache=cache)
    assert all(f["from_cache"] for f in third.functions().values())


def test_its_size_is_limited(folder, start):
    for number in range(12):
        folder.put(f"slow{number}", hostile.slow_to_compile(30 + number))
    server = start("--cache-size", "1MiB")
    for name in server.functions():
        server.wait_optimized(name)
    assert 0 < sum(path.stat().st_size for path in entries(server.cache)) <= 1 << 20
