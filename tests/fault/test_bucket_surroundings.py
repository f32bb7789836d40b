"""What is wrong between a server and its bucket: the clock, certificates, the disk."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from funcd import guests
from funcd.binary import clean_environment, funcd
from funcd.bucket import Bucket, Gateway
from funcd.certificates import make_certificate
from funcd.clock import wrong_clock
from funcd.waiting import wait_until


def version(number: int) -> bytes:
    return guests.prints(f'{{"v":{number}}}')


def body(number: int) -> bytes:
    return f'{{"v":{number}}}'.encode()


def bucket_of(server) -> dict:
    return server.admin("/v1/status").json["bucket"]


def serve_once(bucket: Bucket, tmp_path: Path, env: dict, endpoint: str | None = None):
    """A start that is refused."""
    done = funcd("serve", bucket.url, "--listen", "127.0.0.1:0", "--admin", "off", "--cache-dir",
                 tmp_path / "cache", "--s3-endpoint", endpoint or bucket.gateway.url,
                 env=clean_environment(**bucket.gateway.environment | env), cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    return done.stderr


# Libraries.

def test_a_server_of_a_folder_needs_no_libcurl_and_one_of_a_bucket_says_so(bucket, start, folder, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libcurl.so.4").write_bytes(b"none that can be loaded")
    without = {"LD_LIBRARY_PATH": str(tmp_path / "lib")}
    folder.put("hello", version(1))
    assert start(env=without).get("/hello").body == body(1)
    bucket.put("hello.wasm", version(1))
    said = serve_once(bucket, tmp_path, without)
    assert bucket.url in said and "install libcurl (apt-get install libcurl4)" in said, said


# The clock.

@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_wrong(bucket, tmp_path, hours):
    bucket.put("hello.wasm", version(1))
    said = serve_once(bucket, tmp_path, wrong_clock(tmp_path, hours * 3600))
    assert "this machine's clock differs from the server's" in said and "NTP" in said, said


def test_a_restart_with_a_clock_that_is_wrong(bucket, start_on, tmp_path):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket)
    server.stop()
    again = start_on(bucket, cache=server.cache, env=wrong_clock(tmp_path, 2 * 3600))
    wait_until(lambda: "NTP" in (bucket_of(again)["error"] or ""), "the clock is told of")
    assert again.get("/hello").body == body(1)


# Certificates.

@pytest.fixture
def start_gateway(tmp_path):
    """An S3 server with TLS, whose certificate is for that name, and a bucket on it."""
    with contextlib.ExitStack() as stack:
        def start_one(name: str) -> Bucket:
            certificate = make_certificate(tmp_path / "tls", name)
            gateway = Gateway(tmp_path / "tls-gateway", certificate=certificate)
            stack.callback(gateway.stop)
            gateway.start()
            gateway.create_bucket("functions")
            bucket = Bucket(gateway, "functions", "prod/")
            bucket.put("hello.wasm", version(1))
            return bucket

        yield start_one


def trusted(bucket: Bucket) -> dict[str, str]:
    return {"AWS_CA_BUNDLE": str(bucket.gateway.certificate.authority)}


def test_an_authority_of_ones_own(start_gateway, start_on):
    bucket = start_gateway("IP:127.0.0.1")
    server = start_on(bucket, env=trusted(bucket))
    assert server.get("/hello").body == body(1)
    bucket.put("hello.wasm", version(2))
    server.wait_body("/hello", body(2))


def test_a_certificate_of_nobody_known(start_gateway, tmp_path):
    said = serve_once(start_gateway("IP:127.0.0.1"), tmp_path, {})
    assert "is not to be trusted" in said, said
    assert "name the certificate authority's file in AWS_CA_BUNDLE" in said, said


def test_an_authority_that_cannot_be_read(start_gateway, tmp_path):
    said = serve_once(start_gateway("IP:127.0.0.1"), tmp_path, {"AWS_CA_BUNDLE": "/absent.pem"})
    assert "/absent.pem" in said and "check AWS_CA_BUNDLE" in said, said


def test_a_certificate_that_has_expired(start_gateway, tmp_path):
    bucket = start_gateway("IP:127.0.0.1")
    days = wrong_clock(tmp_path, 5 * 24 * 3600)
    said = serve_once(bucket, tmp_path, trusted(bucket) | days)
    assert "expired" in said and "have it renewed, or set this machine's clock" in said, said


def test_an_address_that_speaks_no_tls(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket, endpoint=bucket.gateway.url.replace("http:", "https:"), ready=False)
    wait_until(lambda: "http://" in (bucket_of(server)["error"] or ""), "the remedy is told")
    assert "if it speaks no TLS, begin its address with http://" in bucket_of(server)["error"]


def test_a_certificate_that_is_replaced_by_one_of_nobody(start_gateway, start_on, tmp_path):
    """What was served stays; a deployment on its way in waits until the server can be trusted."""
    bucket = start_gateway("IP:127.0.0.1")
    server = start_on(bucket, env=trusted(bucket))
    good = bucket.gateway.certificate
    bucket.gateway.stop()
    bucket.gateway.certificate = make_certificate(tmp_path / "other", "IP:127.0.0.1")
    bucket.gateway.start()
    bucket.put("hello.wasm", version(2))
    wait_until(lambda: "not to be trusted" in (bucket_of(server)["error"] or ""), "it is told")
    assert server.get("/hello").body == body(1)
    bucket.gateway.stop()
    bucket.gateway.certificate = good
    bucket.gateway.start()
    server.wait_body("/hello", body(2))


# The disk.

@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB."""
    at = tmp_path / "disk"
    at.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", at],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield at
    subprocess.run(["umount", "-l", at], check=True, timeout=20)


def test_a_disk_that_fills_up_while_an_object_is_read(bucket, start_on, small_disk):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket, cache=small_disk / "cache")
    bucket.put("public/large", os.urandom(9 << 20))
    bucket.put("hello.wasm", version(2))
    wait_until(lambda: "no space left" in (bucket_of(server)["error"] or ""), "it is told")
    error = bucket_of(server)["error"]
    assert "make room there or name another folder with --cache-dir" in error, error
    assert server.get("/hello").body in (body(1), body(2))
    assert server.metrics().sum("funcd_source_readable") == 0
    # A restart at that moment serves what is there.
    server.stop()
    again = start_on(bucket, cache=small_disk / "cache")
    assert again.get("/hello").body in (body(1), body(2))
    bucket.remove("public/large")
    again.wait_body("/hello", body(2))
    wait_until(lambda: bucket_of(again)["state"] == "current", "the bucket is current")
    assert list((small_disk / "cache" / "sources").glob("*/incoming/*")) == []


def test_a_disk_without_room_for_the_listing(bucket, start_on, small_disk):
    """What is to be there is written down before it is made: no room, no change."""
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket, cache=small_disk / "cache")
    listing = next((small_disk / "cache" / "sources").glob("*/listing.json"))
    before = listing.read_bytes()
    with open(small_disk / "ballast", "wb", buffering=0) as ballast, \
            contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    bucket.put("empty", "")  # needs no room but for its name
    wait_until(lambda: "no space left" in (bucket_of(server)["error"] or ""), "it is told")
    assert listing.read_bytes() == before
    assert server.get("/hello").body == body(1)
    (small_disk / "ballast").unlink()
    wait_until(lambda: bucket_of(server)["state"] == "current", "the bucket is current")
    assert b"empty" in listing.read_bytes()
