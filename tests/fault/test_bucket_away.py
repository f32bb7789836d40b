"""What is wrong with a bucket, and that everything keeps serving meanwhile."""

import os
import random
import threading

import pytest

from funcd import guests
from funcd.binary import clean_environment, funcd
from funcd.liar import Liar
from funcd.waiting import wait_until

LISTING = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'


def version(number: int) -> bytes:
    return guests.prints(f'{{"v":{number}}}')


def body(number: int) -> bytes:
    return f'{{"v":{number}}}'.encode()


def bucket_of(server) -> dict:
    return server.admin("/v1/status").json["bucket"]


def wait_away(server, seconds: float = 20.0) -> dict:
    def ask():
        bucket = bucket_of(server)
        return bucket if bucket["state"] == "away" else None
    return wait_until(ask, "the bucket is away", seconds)


def wait_current(server) -> None:
    wait_until(lambda: bucket_of(server)["state"] == "current", "the bucket is back")


# Nothing to serve, and no hope: the server says so and ends.

@pytest.mark.parametrize("env, flags, words", [
    ({"AWS_SECRET_ACCESS_KEY": "wrong"}, [],
     ["SignatureDoesNotMatch", "the secret is not that of access key AKIATESTKEY"]),
    ({"AWS_ACCESS_KEY_ID": "nobody"}, [], ["access key nobody is not known there"]),
    ({}, ["--s3-region", "eu-west-3"], ["the bucket is not in region eu-west-3; set s3.region"]),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, [],
     ["there are no credentials: set AWS_ACCESS_KEY_ID"]),
    ({"AWS_ACCESS_KEY_ID": ""}, [], ["only one is set; set both"]),
    ({"AWS_PROFILE": "absent"}, ["--s3-profile", "absent"], ["there is no profile 'absent'"]),
], ids=["secret", "key", "region", "none", "half", "profile"])
def test_a_start_that_is_refused(bucket, tmp_path, env, flags, words):
    bucket.put("hello.wasm", version(1))
    done = funcd("serve", bucket.url, "--listen", "127.0.0.1:0", "--admin", "off",
                 "--cache-dir", tmp_path / "cache", "--s3-endpoint", bucket.gateway.url, *flags,
                 env=clean_environment(**bucket.gateway.environment | env), cwd=tmp_path)
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr, done.stderr


def test_no_such_bucket(gateway, tmp_path):
    done = funcd("serve", "s3://absent/x", "--listen", "127.0.0.1:0", "--admin", "off",
                 "--cache-dir", tmp_path / "cache", "--s3-endpoint", gateway.url,
                 env=clean_environment(**gateway.environment), cwd=tmp_path)
    assert done.returncode == 1
    assert "s3://absent/x: cannot list the objects: 404 NoSuchBucket: there is no bucket 'absent'" \
        in done.stderr, done.stderr


def test_a_first_start_waits_for_a_bucket_that_is_away(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    bucket.gateway.stop()
    server = start_on(bucket, ready=False)
    wait_away(server)
    assert server.admin("/readyz").status == 503
    assert "does not answer" in server.admin("/readyz").json["detail"]
    bucket.gateway.start()
    server.wait_ready()
    assert server.get("/hello").body == body(1)


def test_an_outage_and_a_restart_in_it(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    bucket.put("other.wasm", version(2))
    server = start_on(bucket)
    bucket.gateway.stop()
    away = wait_away(server)
    assert away["away_since"] and "does not answer" in away["error"]
    assert server.metrics().sum("funcd_source_readable") == 0
    assert server.get("/hello").body == body(1)
    server.stop()
    again = start_on(bucket, cache=server.cache)
    assert again.get("/hello").body == body(1) and again.get("/other").body == body(2)
    assert wait_away(again)["synced_at"]
    assert again.admin("/v1/status").json["source_error"]
    bucket.gateway.start()
    bucket.put("hello.wasm", version(3))
    again.wait_body("/hello", body(3))
    wait_current(again)
    assert again.admin("/v1/status").json["source_error"] is None


def test_a_restart_with_credentials_that_are_refused(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket)
    server.stop()
    again = start_on(bucket, cache=server.cache, env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert again.get("/hello").body == body(1)
    assert "SignatureDoesNotMatch" in wait_away(again)["error"]


def test_an_empty_listing_changes_nothing(bucket, start_on):
    for name in ("a", "b"):
        bucket.put(f"{name}.wasm", version(1))
    server = start_on(bucket)
    for name in ("a", "b"):
        bucket.remove(f"{name}.wasm")
    assert "the listing is empty, and" in wait_away(server)["error"]
    assert server.get("/b").body == body(1)
    bucket.put("README", "all others are gone")
    wait_until(lambda: server.get("/b").status == 404, "both are gone")
    wait_current(server)


# Answers that no S3 server gives.

def listing(*entries: str, truncated: str = "false", tail: str = "</ListBucketResult>") -> bytes:
    return f"{LISTING}<IsTruncated>{truncated}</IsTruncated>{''.join(entries)}{tail}".encode()


def entry(key: str, size: int = 1) -> str:
    return f"<Contents><Key>{key}</Key><ETag>\"e\"</ETag><Size>{size}</Size></Contents>"


HELLO = entry("prod/hello.wasm")
BAD_ANSWERS = {
    "no-xml": (200, b"<html><p>hello", "no XML"),
    "other-xml": (200, b"<Portal/>", "is not S3: the answer is no listing: it holds <Portal>"),
    "nothing": (200, b"", "is not S3"),
    "cut": (200, listing(HELLO, tail=""), "no XML"),
    "no-end": (200, f"{LISTING}{HELLO}</ListBucketResult>".encode(), "IsTruncated"),
    "no-token": (200, listing(HELLO, truncated="true"), "NextContinuationToken"),
    "endless": (200, listing(HELLO, "<NextContinuationToken>t</NextContinuationToken>",
                             truncated="true"), "does not advance"),
    "miscounted": (200, listing(HELLO, "<KeyCount>2</KeyCount>"), "announces 2 objects and holds 1"),
    "elsewhere": (200, listing(entry("other/hello.wasm")), "holds 'other/hello.wasm'"),
    "empty": (200, listing(), "the listing is empty"),
    "500": (500, b"", "500"),
    "503": (503, b"<Error><Code>SlowDown</Code></Error>", "503 SlowDown"),
    "403": (403, b"<Error><Code>AccessDenied</Code></Error>", "may not do that; allow it"),
    "skew": (403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>", "set it with NTP"),
    "redirect": (301, b"<Error><Code>PermanentRedirect</Code></Error>", "set s3.region"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_garbage_changes_nothing(bucket, start_on, case):
    status, answer, words = BAD_ANSWERS[case]
    bucket.put("hello.wasm", version(1))
    bucket.put("other.wasm", version(2))
    server = start_on(bucket)
    bucket.gateway.stop()
    wait_away(server)
    with Liar(bucket.gateway.port, lambda *_: (status, {}, answer)):
        wait_until(lambda: words in (bucket_of(server)["error"] or ""), f"it says {words!r}")
        assert server.get("/hello").body == body(1) and server.get("/other").body == body(2)
    bucket.gateway.start()
    wait_current(server)


def test_half_a_listing_removes_nothing_that_is_there(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    bucket.put("other.wasm", version(2))
    server = start_on(bucket)
    etag = bucket._request("HEAD", "hello.wasm").getheader("etag")
    whole = listing(f"<Contents><Key>prod/hello.wasm</Key><ETag>{etag}</ETag>"
                    f"<Size>{len(version(1))}</Size></Contents>")
    bucket.gateway.stop()
    with Liar(bucket.gateway.port,
              lambda method, *_: (200, {}, whole if method == "GET" else b"")):
        wait_until(lambda: "other.wasm" in server.problems(), "the gap is reported")
        assert "the listing lacks it" in server.problems()["other.wasm"]
        assert server.get("/other").body == body(2)


def test_keys_that_lead_out_of_the_folder(gateway, start_on, bucket):
    """Nothing is written but below the copy."""
    keys = ["../evil.wasm", "a/../../evil.wasm", "/evil.wasm", "a//evil.wasm", "./evil.wasm",
            "a\tb.wasm", "x" * 300 + ".wasm", "/".join("d" * 20) + ".wasm", "a\\evil.wasm"]
    answer = listing(*(entry(f"prod/{key}", 3) for key in keys), entry("prod/ok.txt", 3))
    gateway.stop()
    with Liar(gateway.port, lambda method, path, _: (
            200, {"etag": '"e"'}, answer if path == "/functions" else b"abc")):
        server = start_on(bucket)
        assert len(server.problems()) == len(keys), server.problems()
        found = [os.path.join(at, name) for at, _, names in os.walk(server.cache.parent)
                 for name in names if "evil" in name]
        assert found == []
    assert bucket_of(server)["objects"] == 1


def test_a_server_that_never_answers_does_not_hold_up_the_end(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket)
    bucket.gateway.stop()
    held = threading.Event()

    def hold(*_):
        asked.set()
        held.wait(30)
        return 500, {}, b""

    asked = threading.Event()
    with Liar(bucket.gateway.port, hold):
        assert asked.wait(20)
        assert server.get("/hello").body == body(1)
        server.terminate()
        assert server.wait_exit(seconds=10) == 0
        server.may_die = True
        held.set()


# Ends at any moment.

@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment(bucket, start_on, seed):
    """What was whole once is served after it, without the bucket: old or new, and never nothing."""
    choose = random.Random(seed)
    names = [f"f{number}" for number in range(12)]
    for name in names:
        bucket.put(f"{name}.wasm", version(0))
    server = start_on(bucket)
    server.kill()
    cache = server.cache
    for number in range(1, 7):
        for name in choose.sample(names, 8):
            bucket.put(f"{name}.wasm", version(number))
        server = start_on(bucket, cache=cache, ready=False)
        moment = choose.random() * 0.08
        server.stderr._thread.join(moment)  # the moment itself is what is tested
        server.kill()
    bucket.gateway.stop()
    server = start_on(bucket, "--s3-wait", "50ms", cache=cache)
    for name in names:
        answer = server.get(f"/{name}")
        assert answer.status == 200 and answer.body in [body(n) for n in range(7)], (seed, name)
    server.stop()
    bucket.gateway.start()
    server = start_on(bucket, cache=cache)
    wait_current(server)
    for name in names:
        assert server.get(f"/{name}").body in bucket.get(f"{name}.wasm"), (seed, name)
