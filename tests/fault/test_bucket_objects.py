"""Objects that change, end early or are not what they are said to be; a copy that is damaged."""

import hashlib
from pathlib import Path

from funcd import guests
from funcd.binary import clean_environment, funcd
from funcd.client import request
from funcd.liar import CuttingProxy
from funcd.waiting import wait_until


def version(number: int, padding: int = 0) -> bytes:
    wasm = guests.prints(f'{{"v":{number}}}')
    return wasm + guests.padding(number, padding) if padding else wasm


def body(number: int) -> bytes:
    return f'{{"v":{number}}}'.encode()


def bucket_of(server) -> dict:
    return server.admin("/v1/status").json["bucket"]


def copy_of(server):
    return Path(bucket_of(server)["copy"])


def test_a_digest_that_does_not_match(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket)
    wrong = hashlib.sha256(b"another").hexdigest()
    bucket.put("hello.toml", 'route = "/elsewhere"\n')
    server.wait_body("/elsewhere", body(1))
    bucket.put("hello.toml", 'route = "/hello"\n')
    server.wait_body("/hello", body(1))
    bucket.put("hello.wasm", version(2), {"x-amz-meta-funcd-sha256": wrong})
    wait_until(lambda: "hello.wasm" in server.problems(), "the digest is reported")
    message = server.problems()["hello.wasm"]
    assert wrong in message and "upload it again" in message
    assert server.get("/hello").body == body(1)
    # What belongs to it waits for it, so that no module runs with a sidecar of another one.
    bucket.put("hello.toml", 'route = "/third"\n')
    looks = bucket_of(server)["looks"]
    wait_until(lambda: bucket_of(server)["looks"] >= looks + 2, "it was looked at")
    assert server.get("/hello").body == body(1) and server.get("/third").status == 404
    bucket.put("hello.wasm", version(3))
    server.wait_body("/third", body(3))
    assert server.problems() == {}


def test_content_that_was_damaged_in_the_store(bucket, start_on):
    content = version(1)
    digest = hashlib.sha256(content).hexdigest()
    bucket.put("hello.wasm", content, {"x-amz-meta-funcd-sha256": digest})
    bucket.put("other.wasm", version(2))
    path = bucket.path_of("hello.wasm")
    with open(path, "r+b") as file:
        file.seek(len(content) - 1)
        file.write(b"\xff")
    server = start_on(bucket)
    assert server.get("/other").body == body(2)
    assert digest in server.problems()["hello.wasm"] and server.get("/hello").status == 404


def test_objects_that_change_while_they_are_read(bucket, start_on):
    bucket.put("hello.wasm", version(0, 400_000))
    server = start_on(bucket, poll="100ms")
    with server.connect() as connection:
        for number in range(1, 60):
            bucket.put("hello.wasm", version(number, 400_000))
            answer = connection.request("GET", "/hello")
            assert answer.status == 200 and answer.body in [body(n) for n in range(number + 1)]
    server.wait_body("/hello", body(59), seconds=5)
    assert bucket_of(server)["failures"] == 0 and server.problems() == {}


def test_a_download_that_is_cut_goes_on_where_it_was(bucket, start_on):
    content = version(1, 900_000)
    bucket.put("hello.wasm", content)
    bucket.put("hello.toml", 'methods = ["GET"]\n')
    proxy = CuttingProxy(bucket.gateway.port, cuts=[])
    try:
        server = start_on(bucket, endpoint=proxy.url)
        read = bucket_of(server)["bytes_read"]
        proxy.cuts += [300_000, 200_000, 100_000]
        bucket.put("hello.wasm", version(2, 900_000))
        server.wait_body("/hello", body(2))
        # Not a byte more than the object has, but for what was on its way when it was cut.
        more = bucket_of(server)["bytes_read"] - read
        assert len(content) <= more < 1.2 * len(content)
        assert any(line.startswith("206 GET") for line in bucket.gateway.lines())
        assert bucket_of(server)["failures"] == 0
    finally:
        proxy.close()


def test_names_and_routes_that_collide(bucket, start_on):
    bucket.put("Bad Name.wasm", version(1))
    bucket.put("first.wasm", version(1))
    bucket.put("second.wasm", version(2))
    bucket.put("second.toml", 'route = "/first"\n')
    server = start_on(bucket)
    assert server.get("/first").body == body(1)
    assert "Bad Name.wasm" in server.problems()
    assert "route /first is that of first.wasm" in server.functions()["second"]["error"]


def test_a_file_becomes_a_folder_and_back(bucket, start_on):
    bucket.put("public/a", "file")
    bucket.put("z.wasm", version(1))
    server = start_on(bucket)
    assert server.get("/a").body == b"file"
    bucket.remove("public/a")
    wait_until(lambda: server.get("/a").status == 404, "it is gone")
    bucket.put("public/a/b", "below")
    wait_until(lambda: server.get("/a/b").body == b"below", "the folder is there")
    bucket.remove("public/a/b")
    wait_until(lambda: not bucket.path_of("public/a").exists(), "the store has dropped the folder")
    bucket.put("public/a", "again")
    wait_until(lambda: server.get("/a").body == b"again", "the file is there again")


def test_more_than_is_allowed(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket, "--s3-size", "1MiB")
    bucket.put("public/large", bytes(2 << 20))
    wait_until(lambda: "more than s3.size allows" in (bucket_of(server)["error"] or ""), "it is told")
    assert server.get("/hello").body == body(1)


def test_a_damaged_copy_is_read_again(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    bucket.put("other.wasm", version(2))
    server = start_on(bucket)
    copy = copy_of(server)
    server.stop()
    (copy / "hello.wasm").write_bytes(b"damaged")
    (copy / "stranger.wasm").write_bytes(version(5))
    server = start_on(bucket, cache=server.cache)
    server.wait_body("/hello", body(1))
    assert server.get("/other").body == body(2) and server.get("/stranger").status == 404
    wait_until(lambda: "source.damaged" in server.stderr.text, "the line in the log")


def test_a_lost_listing_is_made_again(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket)
    copy = copy_of(server)
    server.stop()
    bucket.gateway.stop()
    (copy.parent / "listing.json").write_text("{")
    server = start_on(bucket, "--s3-wait", "50ms", cache=server.cache)
    assert server.get("/hello").body == body(1)
    bucket.gateway.start()
    bucket.put("hello.wasm", version(2))
    server.wait_body("/hello", body(2))


def test_two_servers_on_one_cache_folder(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    first = start_on(bucket)
    second = start_on(bucket, cache=first.cache)
    assert copy_of(first) != copy_of(second)
    bucket.put("hello.wasm", version(2))
    for server in (first, second):
        server.wait_body("/hello", body(2))


def test_a_cache_folder_that_is_not_ours(bucket, tmp_path):
    cache = tmp_path / "cache"
    (cache / "sources").mkdir(parents=True)
    (cache / "sources").chmod(0o777)
    done = funcd("serve", bucket.url, "--listen", "127.0.0.1:0", "--admin", "off",
                 "--cache-dir", cache, "--s3-endpoint", bucket.gateway.url,
                 env=clean_environment(**bucket.gateway.environment), cwd=tmp_path)
    assert done.returncode == 1 and "chmod o-w" in done.stderr, done.stderr


def test_answers_go_on_through_outages(bucket, start_on):
    """Deploys and outages by turns, and every request is answered."""
    bucket.put("hello.wasm", version(0))
    server = start_on(bucket, poll="100ms")
    for number in range(1, 6):
        bucket.put("hello.wasm", version(number))
        server.wait_body("/hello", body(number))
        bucket.gateway.stop()
        for _ in range(50):
            assert request(server.address, "GET", "/hello").body == body(number)
        bucket.gateway.start()
