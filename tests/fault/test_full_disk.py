"""A cache folder that is full, or damaged, while it is served from and while a bucket is read."""

import contextlib
import subprocess

import pytest

from funcd import guests, hostile
from funcd.waiting import wait_until

PIECE = 16 << 10


def answer(number: int) -> str:
    return f'{{"v":{number}}}'


def version(number: int) -> bytes:
    return guests.prints(answer(number))


@contextlib.contextmanager
def disk_of(path, size: str):
    """A disk that holds so much."""
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def source_error(server) -> str:
    return server.admin("/v1/status").json["source_error"] or ""


def copy_of(server):
    (tree,) = server.cache.glob("sources/*/tree")
    return tree


def test_a_bucket_that_does_not_fit(bucket, start_on, tmp_path):
    with disk_of(tmp_path / "disk", "400k") as disk:
        bucket.put("hello.wasm", version(1))
        server = start_on(bucket, cache=disk)
        bucket.put("public/large", bytes(1 << 20))
        bucket.put("hello.wasm", version(2))
        wait_until(lambda: "no space left on device" in source_error(server), "it is told")
        assert server.get("/hello").text in (answer(1), answer(2))
        # A restart, without the bucket.
        bucket.gateway.stop()
        server.kill()
        server = start_on(bucket, "--s3-wait", "50ms", cache=disk)
        assert server.get("/hello").text in (answer(1), answer(2))
        # And what is smaller fits, with nothing left of what did not.
        bucket.gateway.start()
        bucket.put("public/large", b"small")
        bucket.put("hello.wasm", version(3))
        server.wait_body("/hello", answer(3))
        server.wait_body("/large", b"small")
        wait_until(lambda: source_error(server) == "", "all is well again")
        assert not list(copy_of(server).parent.glob("incoming/*"))


def test_a_copy_that_is_damaged_while_it_is_served(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    bucket.put("other.wasm", version(2))
    server = start_on(bucket)
    copy = copy_of(server)
    (copy / "hello.wasm").write_bytes(b"damaged")
    (copy / "other.wasm").unlink()
    assert server.get("/hello").text == answer(1)
    wait_until(lambda: (copy / "hello.wasm").read_bytes() == version(1), "it is read again")
    wait_until(lambda: (copy / "other.wasm").exists(), "and so is the other")
    server.wait_state("hello", "live")
    server.wait_body("/other", answer(2))


def test_what_the_cache_has_no_room_for_stays_in_memory(folder, start, tmp_path):
    with disk_of(tmp_path / "disk", "100k") as disk:
        folder.put("hello", version(1))
        folder.put("slow", hostile.slow_to_compile(100))
        server = start("--unload-after", "100ms", cache=disk)
        server.wait_optimized("hello")
        server.wait_optimized("slow")
        server.stderr.wait_for("cache.unavailable.*no space left on device")
        wait_until(lambda: not server.functions()["hello"]["is_loaded"], "hello has left memory")
        assert server.functions()["slow"]["is_loaded"]
        for _ in range(2):
            assert server.get("/slow").text == '{"slow":"compiled"}'
            assert server.get("/hello").text == answer(1)


def test_a_disk_that_fills_up_while_functions_come_and_go(folder, start, tmp_path):
    with disk_of(tmp_path / "disk", "1m") as disk:
        for number in range(4):
            folder.put(f"f{number}", version(number))
        server = start("--unload-after", "50ms", cache=disk)
        for number in range(4):
            server.wait_optimized(f"f{number}")
        with contextlib.suppress(OSError), open(disk / "others", "wb") as others:
            while others.write(bytes(PIECE)):
                others.flush()
        for times in range(3):
            wait_until(lambda: not any(f["is_loaded"] for f in server.functions().values()
                                       if f["name"] != "new"), "all have left memory")
            for number in range(4):
                assert server.get(f"/f{number}").text == answer(number)
            folder.put("new", version(10 + times))
            server.wait_body("/new", answer(10 + times))
        (disk / "others").unlink()
        folder.put("new", version(20))
        server.wait_body("/new", answer(20))
        server.wait_optimized("new")
        wait_until(lambda: not server.functions()["new"]["is_loaded"], "it is kept, and can go")
